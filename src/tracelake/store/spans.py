"""Whole spans: the columns of a row with the payload from its chunk."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from tracelake.model.entities import Span
from tracelake.store.payload import spans_in_order, unpack, whole_span
from tracelake.store.rows import AnyRow, span_head_of
from tracelake.store.schema import chunks, spans


def trace_spans(connection: Connection, trace_key: int, trace_id: str) -> list[Span]:
    """All whole spans of a trace, by start time."""
    query = (
        select(spans)
        .where(spans.c.trace_key == trace_key)
        .order_by(spans.c.start_ns, spans.c.span_id)
    )
    return whole_spans(connection, connection.execute(query).all(), trace_id)


def whole_spans(connection: Connection, rows: Sequence[AnyRow], trace_id: str) -> list[Span]:
    """Span rows of one trace with their payloads, in the order given."""
    positions: dict[int, set[int]] = {}
    for row in rows:
        positions.setdefault(row.chunk_id, set()).add(row.position)
    found: dict[tuple[int, int], Any] = {}
    chunk_ids = list(positions)
    for at in range(0, len(chunk_ids), 100):
        query = select(chunks).where(chunks.c.chunk_id.in_(chunk_ids[at : at + 100]))
        for chunk in connection.execute(query):
            wanted = positions[chunk.chunk_id]
            for position, parts in enumerate(spans_in_order(unpack(chunk.payload))):
                if position in wanted:
                    found[chunk.chunk_id, position] = parts
    return [
        whole_span(span_head_of(row, trace_id), *found[row.chunk_id, row.position]) for row in rows
    ]
