"""What changed since a number: how the lake, and later the scorers, follow the store."""

from sqlalchemy import select

from tracelake.store.api import TraceChange
from tracelake.store.database import Database, last_seq
from tracelake.store.finder import infos_of
from tracelake.store.rows import AnyRow
from tracelake.store.schema import traces
from tracelake.store.spans import trace_spans


class SqlChanges:
    """Implements `Changes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, after_seq: int, *, max_traces: int, max_spans: int) -> list[TraceChange]:
        query = (
            select(traces).where(traces.c.seq > after_seq).order_by(traces.c.seq).limit(max_traces)
        )
        with self._database.read() as connection:
            rows: list[AnyRow] = []
            span_count = 0
            for row in connection.execute(query):
                span_count += row.span_count
                if rows and span_count > max_spans:
                    break
                rows.append(row)
            infos = infos_of(connection, rows, valid_only=False)
            changes = [
                TraceChange(
                    seq=row.seq,
                    info=info,
                    spans=trace_spans(connection, row.trace_key, info.trace_id),
                    first_seq=row.first_seq,
                )
                for row, info in zip(rows, infos, strict=True)
            ]
        # Its number would be given out again if the machine failed before it is on disk, and who
        # follows would pass over what is then stored under it.
        self._database.sync()
        return changes

    def last_seq(self) -> int:
        with self._database.read() as connection:
            return last_seq(connection)
