"""What a command's file needs of argparse, which keeps the type of its own to itself."""

import argparse
from typing import Protocol


class Commands(Protocol):
    """The subparsers of `tracelake`."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...
