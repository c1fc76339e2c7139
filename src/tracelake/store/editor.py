"""Changes to one trace after it was written: its tags. Every change gives it a new `seq`."""

from typing import Any, Final

from sqlalchemy import Connection, select, update

from tracelake.model.entities import TraceInfo
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.ids import trace_ids_in
from tracelake.model.preview import cut
from tracelake.store.database import SEQUENCE, Database, next_numbers
from tracelake.store.rows import AnyRow, trace_of
from tracelake.store.schema import stale_versions, traces

TAG_KEY_CHARS: Final = 250
TAG_VALUE_CHARS: Final = 4096
_NOT_FOR_USERS: Final = frozenset(
    {
        "mlflow.user",
        "mlflow.artifactLocation",
        "mlflow.trace.spansLocation",
        "mlflow.trace.archiveLocation",
        "mlflow.trace.archivalFailure",
    }
)
_NAME_TAG: Final = "mlflow.traceName"


class SqlTraceEditor:
    """Implements `TraceEditor`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set_tag(self, trace_id: str, key: str, value: str) -> TraceInfo:
        _check_key(key)
        if "\0" in value:
            raise InvalidInput("a tag's value cannot hold a NUL character")
        value = cut(value, TAG_VALUE_CHARS)
        with self._database.write() as connection:
            row = trace_row(connection, trace_id)
            if key == _NAME_TAG:
                touch(connection, row.trace_key, name=value)
            else:
                touch(connection, row.trace_key, tags=row.tags | {key: value})
            return trace_of(trace_row(connection, trace_id))

    def delete_tag(self, trace_id: str, key: str) -> None:
        _check_key(key)
        with self._database.write() as connection:
            row = trace_row(connection, trace_id)
            if key not in row.tags:
                raise NotFound(f"Trace {trace_id} has no tag {key!r}")
            kept = {name: value for name, value in row.tags.items() if name != key}
            touch(connection, row.trace_key, tags=kept)


def trace_row(connection: Connection, trace_id: str) -> AnyRow:
    """The row of a trace. Raises NotFound."""
    query = select(traces).where(traces.c.trace_id.in_(trace_ids_in([trace_id])))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No trace with id {trace_id}")
    return row


def touch(connection: Connection, trace_key: int, **values: Any) -> None:
    """Change columns of a trace, and give it the next change number."""
    connection.execute(
        stale_versions.insert().from_select(
            ["seq"], select(traces.c.seq).where(traces.c.trace_key == trace_key)
        )
    )
    connection.execute(
        update(traces)
        .where(traces.c.trace_key == trace_key)
        .values(seq=next_numbers(connection, SEQUENCE, 1), **values)
    )


def _check_key(key: str) -> None:
    if not key or len(key) > TAG_KEY_CHARS or "\0" in key:
        raise InvalidInput(f"a tag's key has 1 to {TAG_KEY_CHARS} characters, none of them NUL")
    if key in _NOT_FOR_USERS:
        raise InvalidInput(f"tag {key!r} is kept by the server and cannot be changed")
