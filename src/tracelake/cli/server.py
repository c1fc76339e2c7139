"""`tracelake server`: API, UI and background work in one process."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

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
    parser.add_argument(
        "--demo",
        action="store_true",
        help="also deploy a support agent and let scripted customers talk to it, once",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    given = {s.name: getattr(arguments, s.name) for s in SETTINGS}
    settings = load_settings(given)
    from tracelake.server.run import run_server

    if not arguments.demo:
        return run_server(settings)
    if settings.price_file is None:
        settings = load_settings(given | {"price_file": str(_demo_prices())})
    with _demo(settings.base_url) as start:
        return run_server(settings, start)


def _demo_prices() -> Path:
    from tracelake.agents import demo

    return Path(demo.__file__).with_name("prices.json")


@contextmanager
def _demo(base_url: str) -> Generator[Callable[[], None]]:
    """What starts the demo, as a user would in another terminal; ended with the server."""
    started: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, "-m", "tracelake", "demo", "--once", "--server", base_url]
    try:
        yield lambda: started.append(subprocess.Popen(command))
    finally:
        for process in started:
            process.terminate()
            process.wait()
