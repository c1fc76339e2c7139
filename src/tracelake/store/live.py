"""Changes as they happen: PostgreSQL tells a listening connection, SQLite is asked.

What the bell says is only that something changed; what changed is read by number (decision 001), so
nothing is lost with a bell that did not ring.
"""

import time
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, select

from tracelake.model.entities import Assessment, Span, TraceInfo
from tracelake.model.errors import NotFound
from tracelake.model.filters.evaluate import Evidence
from tracelake.model.ids import format_trace_id
from tracelake.store.assessments import session_assessments
from tracelake.store.database import Database, last_seq
from tracelake.store.editor import trace_row
from tracelake.store.finder import infos_of
from tracelake.store.operations import ChangedTrace, NewSpans
from tracelake.store.rows import AnyRow, span_head_of
from tracelake.store.schema import CHUNK_BITS, spans, traces
from tracelake.store.spans import trace_spans

if TYPE_CHECKING:
    from tracelake.store.bell import PostgresBell

_POLL_S: Final = 0.15


class SqlLive:
    """Implements `Live`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bell = None if database.is_sqlite else _postgres_bell(database)

    def wait(self, after_seq: int, timeout_s: float) -> int:
        ends = time.monotonic() + timeout_s
        while True:
            if self._bell is not None:
                self._bell.listen()
            latest = self._last_seq()
            left_s = ends - time.monotonic()
            if latest > after_seq or left_s <= 0:
                return latest
            if self._bell is not None:
                self._bell.wait(left_s)
            else:
                time.sleep(min(_POLL_S, left_s))

    def read(self, after_seq: int, *, max_traces: int) -> list[ChangedTrace]:
        query = (
            select(traces).where(traces.c.seq > after_seq).order_by(traces.c.seq).limit(max_traces)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            infos = infos_of(connection, rows)
        return [
            ChangedTrace(row.seq, info, _position(row))
            for row, info in zip(rows, infos, strict=True)
        ]

    def evidence(self, info: TraceInfo) -> Evidence:
        @cache
        def read_spans() -> list[Span]:
            with self._database.read() as connection:
                row = _row_or_none(connection, info.trace_id)
                return trace_spans(connection, row.trace_key, info.trace_id) if row else []

        @cache
        def read_of_session() -> list[Assessment]:
            with self._database.read() as connection:
                row = _row_or_none(connection, info.trace_id)
                return session_assessments(connection, row) if row else []

        return Evidence(info, read_spans, read_of_session)

    def read_spans(self, trace_id: str, after: int | None, *, max_spans: int) -> NewSpans:
        with self._database.read() as connection:
            row = trace_row(connection, trace_id)
            trace = ChangedTrace(row.seq, infos_of(connection, [row])[0], _position(row))
            if after and after >> CHUNK_BITS != row.trace_key:
                return NewSpans(trace, [], True)
            if after is None or after >= trace.position:
                return NewSpans(trace, [], False)
            query = (
                select(spans)
                .where(
                    spans.c.trace_key == row.trace_key,
                    spans.c.chunk_id >= after,
                )
                .order_by(spans.c.start_ns, spans.c.span_id)
                .limit(max_spans + 1)
            )
            found = connection.execute(query).all()
            if len(found) > max_spans:
                return NewSpans(trace, [], True)
            public_id = format_trace_id(row.trace_id)
            return NewSpans(trace, [span_head_of(span, public_id) for span in found], False)

    def close(self) -> None:
        if self._bell is not None:
            self._bell.close()

    def _last_seq(self) -> int:
        with self._database.read() as connection:
            return last_seq(connection)


def _position(row: AnyRow) -> int:
    """The number of the trace's next chunk. A trace that is made anew has another key."""
    return (row.trace_key << CHUNK_BITS) + row.chunk_count


def _row_or_none(connection: Connection, trace_id: str) -> AnyRow | None:
    try:
        return trace_row(connection, trace_id)
    except NotFound:
        return None


def _postgres_bell(database: Database) -> "PostgresBell":
    # Here, because the driver is 6 MB in each process, and of no use beside SQLite.
    from tracelake.store.bell import PostgresBell

    return PostgresBell(database)
