"""Many rows into one table, past what SQLAlchemy does to every value of every row.

The statement is still SQLAlchemy's; it is compiled once, and rows go to the driver as they are. On
the way of every span, the handling of parameters alone took a sixth of the server's time.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from tracelake.store.database import Database


class BulkInsert:
    """INSERT of whole rows: each row names every column of the table."""

    def __init__(self, database: Database, table: Table, *, replace: bool = False) -> None:
        """With `replace`, a row takes the place of the one with the same primary key."""
        statement = _replacing(database, table) if replace else table.insert()
        compiled = statement.compile(
            dialect=database.engine.dialect, column_keys=[c.name for c in table.columns]
        )
        self._sql = str(compiled)
        order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._in_order = itemgetter(*order) if order else None
        self._json = [c.name for c in table.columns if isinstance(c.type, JSON)]

    def execute(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Insert the rows; values of JSON columns are replaced by their text in place."""
        for name in self._json:
            for row in rows:
                row[name] = orjson.dumps(row[name]).decode()
        if self._in_order is not None:
            connection.exec_driver_sql(self._sql, [self._in_order(row) for row in rows])
        else:
            connection.exec_driver_sql(self._sql, rows)


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
