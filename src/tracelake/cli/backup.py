"""`tracelake backup`: copy the embedded store to a file, also while a server runs."""

import argparse
from pathlib import Path

from tracelake.cli.commands import Commands
from tracelake.server.settings import load_settings


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "backup", help="copy the embedded store to a file, also while a server runs"
    )
    parser.add_argument("file", type=Path, help="the file to make")
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--store-url", metavar="URL", help="the hot store, as for the server")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({"home": arguments.home, "store_url": arguments.store_url})
    settings.require_store()
    from tracelake.store.backup import back_up, sqlite_file

    made = back_up(sqlite_file(settings.store_url), arguments.file)
    print(f"{made.file}: {made.traces:,} traces, {made.size_bytes / 1e6:,.1f} MB")
    return 0
