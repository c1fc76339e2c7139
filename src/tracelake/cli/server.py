"""`tracelake server`: API, UI and background work in one process."""

import argparse

from tracelake.cli.commands import Commands
from tracelake.server.settings import SETTINGS, load_settings


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("server", help="run the server: API, UI and background work")
    for setting in SETTINGS:
        default = setting.default or "see above"
        parser.add_argument(
            "--" + setting.name.replace("_", "-"),
            metavar="VALUE",
            help=f"{setting.help} Environment: {setting.env}. Default: {default}.",
        )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({s.name: getattr(arguments, s.name) for s in SETTINGS})
    from tracelake.server.run import run_server

    return run_server(settings)
