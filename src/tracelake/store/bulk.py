"""Many rows into one table, past what SQLAlchemy does to every value of every row.

The statement is still SQLAlchemy's; it is compiled once, and rows go to the driver as they are. On
the way of every span, the handling of parameters alone took a sixth of the server's time.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Dialect, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from tracelake.store.database import Database

Row = tuple[Any, ...]
"""The values of a row in the order of its table's columns; those of JSON columns as text."""

_MOST_ROWS: Final = 256
_STEP_ROWS: Final = 32
"""Up to so many rows, SQLite gets them as they are; of more, a multiple of it, then the rest."""


class BulkInsert:
    """INSERT of whole rows, as tuples."""

    def __init__(
        self,
        database: Database,
        table: Table,
        *,
        replace: bool = False,
        most_rows: int = _MOST_ROWS,
    ) -> None:
        """With `replace`, a row takes the place of the one with the same primary key; no two rows
        of a call have the same. SQLite gets up to `most_rows` at a time, and holds a copy of them
        meanwhile."""
        self._is_sqlite = database.is_sqlite
        names = [column.name for column in table.columns]
        statement = _replacing(database, table) if replace else table.insert()
        compiled = statement.compile(dialect=_positional(database), column_keys=names)
        assert compiled.positiontup == names, "parameters come in the order of the columns"
        self._sql = str(compiled)
        self._one_row = f"({', '.join('?' * len(names))})"
        self._most_rows = most_rows
        self._of_rows: dict[int, str] = {}

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if not self._is_sqlite:
            connection.exec_driver_sql(self._sql, list(rows))
            return
        # For each execution the driver lets go of the interpreter's lock, and waits up to 5 ms to
        # have it back while another thread decodes. An execution a row cost ingest 7 %; beside a
        # thread that never rests, a row took 1.5 ms instead of 3 us.
        at = 0
        while at < len(rows):
            some = rows[at : at + _few_sizes(min(len(rows) - at, self._most_rows))]
            at += len(some)
            connection.exec_driver_sql(self._sql_of(len(some)), tuple(chain.from_iterable(some)))

    def _sql_of(self, count: int) -> str:
        sql = self._of_rows.get(count)
        if sql is None:
            some = ", ".join([self._one_row] * count)
            sql = self._of_rows[count] = self._sql.replace(self._one_row, some)
        return sql


def json_text(value: Any) -> str:
    """A value for a JSON column."""
    return orjson.dumps(value).decode()


def _few_sizes(count: int) -> int:
    """No more than the count: the driver keeps a statement of each size, and makes none of many."""
    return count if count <= _STEP_ROWS else count - count % _STEP_ROWS


def _positional(database: Database) -> Dialect:
    """The engine's dialect with parameters by position, which costs no look-up a value."""
    if database.is_sqlite:
        return database.engine.dialect
    return PGDialect_psycopg(paramstyle="format")


def _replacing(database: Database, table: Table) -> Insert:
    dialect = sqlite if database.is_sqlite else postgresql
    statement = dialect.insert(table)
    keys = list(table.primary_key.columns)
    return statement.on_conflict_do_update(
        index_elements=keys,
        set_={
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column not in keys
        },
    )
