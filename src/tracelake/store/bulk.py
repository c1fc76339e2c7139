"""Many rows into one table, past what SQLAlchemy does to every value of every row.

The statement is still SQLAlchemy's; it is compiled once, and rows go to the driver as they are. On
the way of every span, the handling of parameters alone took a sixth of the server's time.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from tracelake.store.database import Database

Row = tuple[Any, ...]
"""The values of a row in the order of its table's columns; those of JSON columns as text."""


class BulkInsert:
    """INSERT of whole rows, as tuples."""

    def __init__(self, database: Database, table: Table, *, replace: bool = False) -> None:
        """With `replace`, a row takes the place of the one with the same primary key."""
        names = [column.name for column in table.columns]
        statement = _replacing(database, table) if replace else table.insert()
        compiled = statement.compile(dialect=_positional(database), column_keys=names)
        assert compiled.positiontup == names, "parameters come in the order of the columns"
        self._sql = str(compiled)

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        if rows:
            connection.exec_driver_sql(self._sql, list(rows))


def json_text(value: Any) -> str:
    """A value for a JSON column."""
    return orjson.dumps(value).decode()


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
