"""What a command's file needs of argparse, which keeps the type of its own to itself."""

import argparse
from typing import Protocol

from tracelake.model.filters.parse import with_short


class Commands(Protocol):
    """The subparsers of `tracelake`."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """docs/reference/search.md tells how to write both."""
    parser.add_argument(
        "-q", metavar="QUERY", default="", help="the short form: -q 'failed user:yara* cost:>0.02'"
    )
    parser.add_argument(
        "--filter", metavar="TEXT", default="", help="the grammar of MLflow: \"user = 'ann'\""
    )


def filter_of(arguments: argparse.Namespace) -> str:
    """What holds of the traces that both options ask for. Raises InvalidFilter."""
    return with_short(arguments.filter, arguments.q)
