"""`tracelake sync`: copy what is new in the store to the Delta tables, once."""

import argparse
import json
import signal
import sys
from dataclasses import asdict
from types import FrameType
from typing import NoReturn

from tracelake.cli.commands import Commands
from tracelake.server.settings import load_settings

_LAKE_SETTINGS = ("home", "store_url", "lake_uri")


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("sync", help="copy new and changed traces to the Delta tables")
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--store-url", metavar="URL", help="the hot store, as for the server")
    parser.add_argument("--lake-uri", metavar="DIR", help="folder of the Delta tables")
    parser.add_argument("--json", action="store_true", help="answer as one line of JSON")
    parser.add_argument(
        "--commit-traces",
        metavar="N",
        type=_count,
        default=2000,
        help="at most so many traces in one Delta commit (default 2000)",
    )
    parser.add_argument(
        "--lease-seconds",
        metavar="S",
        type=_seconds,
        default=60.0,
        help="how long after this process dies another may begin (default 60)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({name: getattr(arguments, name) for name in _LAKE_SETTINGS})
    settings.require_store()
    signal.signal(signal.SIGTERM, _stop)
    from tracelake.lake.sync import SyncOptions, sync
    from tracelake.store.open import open_store

    options = SyncOptions(commit_traces=arguments.commit_traces, lease_s=arguments.lease_seconds)
    store = open_store(settings.store_url)
    try:
        result = sync(store.changes, store.leases, settings.lake_uri, options)
    finally:
        store.close()
    if arguments.json:
        print(json.dumps({"busy": True} if result is None else asdict(result)))
    elif result is None:
        print("another sync is running; nothing to do")
    else:
        print(
            f"synced {result.traces:,} traces and {result.spans:,} spans "
            f"in {result.seconds:.1f} s; tables at {settings.lake_uri}"
        )
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End by way of `finally`, so that the lease is given back."""
    sys.exit(143)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 86_400:
        raise argparse.ArgumentTypeError("must be above 0 and below a day")
    return value
