"""`tracelake restore`: make the embedded store from a backup, while no server runs."""

import argparse
from pathlib import Path

from tracelake.cli.commands import Commands
from tracelake.server.settings import load_settings


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "restore", help="make the embedded store from a backup, while no server runs"
    )
    parser.add_argument("file", type=Path, help="a file made by tracelake backup")
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--store-url", metavar="URL", help="the hot store, as for the server")
    parser.add_argument("--force", action="store_true", help="overwrite the store that is there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({"home": arguments.home, "store_url": arguments.store_url})
    from tracelake.server.home import hold_home
    from tracelake.store.backup import restore, sqlite_file

    store = sqlite_file(settings.store_url)
    with hold_home(settings.home):
        backup = restore(arguments.file, store, overwrite=arguments.force)
    print(f"{store}: {backup.traces:,} traces from {backup.file}")
    return 0
