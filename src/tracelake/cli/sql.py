"""`tracelake sql`: ask the Delta tables a question."""

import argparse
import json
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from tracelake.cli.commands import Commands
from tracelake.server.settings import load_settings

_CELL_CHARS: Final = 60


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("sql", help="run SQL over the Delta tables: traces, spans")
    parser.add_argument("statement", help="one SELECT; DuckDB's dialect")
    parser.add_argument("--home", metavar="DIR", help="folder of the server's files")
    parser.add_argument("--lake-uri", metavar="DIR", help="folder of the Delta tables")
    parser.add_argument(
        "--json", action="store_true", help="every row whole, as one JSON object a line"
    )
    parser.add_argument(
        "--max-rows", metavar="N", type=int, default=200, help="rows of the printed table"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings({"home": arguments.home, "lake_uri": arguments.lake_uri})
    from tracelake.lake.sql import LakeSql

    lake = LakeSql(settings.lake_uri)
    try:
        answer = lake.query(arguments.statement)
        if arguments.json:
            for row in answer.rows:
                print(_json(dict(zip(answer.columns, row, strict=True))))
            return 0
        rows = list(islice(answer.rows, max(arguments.max_rows, 0) + 1))
        print(_table(answer.columns, rows[: arguments.max_rows]))
        if len(rows) > arguments.max_rows:
            print(f"… more than {arguments.max_rows} rows; see --max-rows")
    finally:
        lake.close()
    return 0


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns side by side, numbers to the right, long values cut."""
    lines = [list(columns)] + [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    numeric = [
        any(row[at] is not None for row in rows)
        and all(row[at] is None or isinstance(row[at], int | float) for row in rows)
        for at in range(len(columns))
    ]

    def written(line: list[str]) -> str:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        return "  ".join(cells).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([written(lines[0]), rule, *(written(line) for line in lines[1:])])


def _cell(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            text = value
        case datetime():
            text = value.isoformat(" ")
        case list() | dict():
            text = _json(value)
        case _:
            text = str(value)
    text = "".join(char if char.isprintable() else " " for char in text[: _CELL_CHARS + 1])
    return text if len(text) <= _CELL_CHARS else text[: _CELL_CHARS - 1] + "…"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
