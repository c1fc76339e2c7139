"""`tracelake traces`: find traces by a filter, in the store or in the Delta tables."""

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tracelake.cli.commands import Commands, add_filter_options, filter_of
from tracelake.model.entities import TraceInfo
from tracelake.model.wire import format_time, trace_to_json
from tracelake.server.settings import load_settings

_SETTINGS: Final = ("home", "store_url", "lake_uri")
_PAGE: Final = 100


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("traces", help="find traces by a filter, the newest first")
    add_filter_options(parser)
    parser.add_argument(
        "--lake", action="store_true", help="search the Delta tables, which keep what is old"
    )
    parser.add_argument("--max-results", metavar="N", type=int, default=20, help="default 20")
    parser.add_argument("--json", action="store_true", help="each trace whole, one a line")
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--store-url", metavar="URL", help="the hot store, as for the server")
    parser.add_argument("--lake-uri", metavar="DIR", help="folder of the Delta tables")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({name: getattr(arguments, name) for name in _SETTINGS})
    wanted = filter_of(arguments)
    if arguments.lake:
        found = _in_lake(settings.lake_uri, wanted)
    else:
        settings.require_store()
        found = _in_store(settings.store_url, wanted)
    for info in islice(found, max(arguments.max_results, 0)):
        print(_json(info) if arguments.json else _line(info))
    return 0


def _in_store(store_url: str, filter_text: str) -> Iterator[TraceInfo]:
    from tracelake.store.open import open_store

    store = open_store(store_url)
    try:
        token: str | None = None
        while True:
            page = store.traces.find_traces(filter=filter_text, max_results=_PAGE, page_token=token)
            yield from page.traces
            token = page.next_page_token
            if token is None:
                return
    finally:
        store.close()


def _in_lake(lake_uri: str, filter_text: str) -> Iterator[TraceInfo]:
    from tracelake.lake.search import Place, find_traces
    from tracelake.lake.sql import LakeSql

    lake = LakeSql(lake_uri)
    try:
        after: Place | None = None
        while True:
            page = find_traces(lake, filter_text, max_results=_PAGE, after=after)
            yield from page.traces
            after = page.after
            if after is None:
                return
    finally:
        lake.close()


def _json(info: TraceInfo) -> str:
    return json.dumps(trace_to_json(info), ensure_ascii=False)


def _line(info: TraceInfo) -> str:
    duration_ns = info.execution_duration_ns
    duration = "running" if duration_ns is None else f"{duration_ns // 1_000_000:,} ms"
    name = "".join(char if char.isprintable() else " " for char in info.name or "")
    began = format_time(info.request_time_ns)
    return f"{info.trace_id}  {began}  {info.state:<11}  {duration:>10}  {name}".rstrip()
