"""`tracelake index`: bring the index of the store up to date, once or for as long as it runs."""

import argparse
import os
import signal
import threading
from types import FrameType

from tracelake.cli.commands import Commands
from tracelake.server.settings import load_settings

_SETTINGS = ("home", "store_url", "log_level")
_NICENESS = 10
"""Searches and spans go first: an index that trails is slower, and never wrong."""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("index", help="bring the search index up to date")
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--store-url", metavar="URL", help="the hot store, as for the server")
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    parser.add_argument(
        "--follow",
        action="store_true",
        help="go on until told to stop, or until standard input ends (the server does this)",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="forget the index first, and build it again"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({name: getattr(arguments, name) for name in _SETTINGS})
    settings.require_store()
    from tracelake.server.collector import calm_collector
    from tracelake.server.logs import log_to_stderr
    from tracelake.store.index.follow import catch_up, follow, keeping_lease
    from tracelake.store.open import open_store

    log_to_stderr(settings.log_level)
    os.nice(_NICENESS)
    store = open_store(settings.store_url)
    calm_collector()
    holder = f"index-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        if arguments.follow:
            follow(store.indexer, store.leases, holder, _stopped_from_outside())
        else:
            with keeping_lease(store.leases, holder):
                if arguments.rebuild:
                    store.indexer.forget_everything()
                catch_up(store.indexer)
            print("The index is up to date.")
    finally:
        store.close()
    return 0


def _stopped_from_outside() -> threading.Event:
    """Set by SIGTERM or SIGINT, and when the process that holds our standard input is gone."""
    stop = threading.Event()

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    def wait_for_end() -> None:
        # Not through `sys.stdin`: its lock, held by a thread at exit, ends the process by abort.
        while os.read(0, 4096):
            pass
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    threading.Thread(target=wait_for_end, name="parent", daemon=True).start()
    return stop
