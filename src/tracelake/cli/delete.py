"""`tracelake delete`: delete traces from the store, beside a running server or without one."""

import argparse
import re
import sys
import time
from typing import Final

from tracelake.cli.commands import Commands, add_filter_options, filter_of
from tracelake.server.settings import load_settings

_UNITS_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("delete", help="delete traces from the store")
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--store-url", metavar="URL", help="the hot store, as for the server")
    parser.add_argument(
        "--trace-id", action="append", metavar="ID", help="a trace; may be given more than once"
    )
    parser.add_argument(
        "--experiment-id",
        action="append",
        metavar="ID",
        help="only traces of this experiment; may be given more than once",
    )
    add_filter_options(parser)
    parser.add_argument(
        "--older-than",
        type=read_age_ms,
        metavar="AGE",
        help="only traces whose request is so long ago: 90m, 12h, 30d, 8w",
    )
    parser.add_argument("--max-traces", type=int, metavar="N", help="only the oldest N")
    parser.add_argument("--dry-run", action="store_true", help="say how many, and delete nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({"home": arguments.home, "store_url": arguments.store_url})
    settings.require_store()
    from tracelake.store.open import open_store
    from tracelake.store.operations import TraceScope

    age_ms: int | None = arguments.older_than
    scope = TraceScope(
        trace_ids=_optional(arguments.trace_id),
        experiment_ids=_optional(arguments.experiment_id),
        filter=filter_of(arguments),
        until_ms=None if age_ms is None else time.time_ns() // 1_000_000 - age_ms,
        max_traces=arguments.max_traces,
    )
    store = open_store(settings.store_url)
    try:
        count = store.deletion.count(scope)
        if arguments.dry_run or count == 0:
            print(f"{_traces(count)} match; nothing was deleted")
            return 0
        if not arguments.yes and not _agreed(count):
            print("nothing was deleted")
            return 1
        deleted = store.deletion.delete(scope)
        given_bytes = store.deletion.give_back()
    finally:
        store.close()
    print(f"deleted {_traces(deleted.traces)}; {given_bytes / 1e6:,.1f} MB given back to the disk")
    return 0


def read_age_ms(text: str) -> int:
    """`30d` in milliseconds."""
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: write 90m, 12h, 30d or 8w")
    return int(found[1]) * _UNITS_MS[found[2]]


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        print(f"{_traces(count)} match. Say --yes to delete them.", file=sys.stderr)
        return False
    return input(f"Delete {_traces(count)}? [y/N] ").strip().lower() in ("y", "yes")


def _traces(count: int) -> str:
    return f"{count:,} trace" + ("" if count == 1 else "s")


def _optional(given: list[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)
