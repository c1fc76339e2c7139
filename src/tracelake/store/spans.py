"""Spans with their payload: the columns of a row, and what its chunk has."""

from collections.abc import Mapping, Sequence

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpMessage
from sqlalchemy import Connection, select

from tracelake.model.entities import Span
from tracelake.store.api import OtlpSpan
from tracelake.store.chunks import StoredChunk, read_chunks, restore
from tracelake.store.large import mark
from tracelake.store.payload import spans_in_order, whole_span
from tracelake.store.rows import AnyRow, span_head_of
from tracelake.store.schema import spans


def trace_spans(connection: Connection, trace_key: int, trace_id: str) -> list[Span]:
    """All spans of a trace, whole, by start time."""
    query = (
        select(spans)
        .where(spans.c.trace_key == trace_key)
        .order_by(spans.c.start_ns, spans.c.span_id)
    )
    return spans_of(connection, connection.execute(query).all(), trace_id, whole=True)


def spans_of(
    connection: Connection, rows: Sequence[AnyRow], trace_id: str, *, whole: bool
) -> list[Span]:
    """Span rows of one trace with their payloads, in the order given.

    Large values are read where `whole`; otherwise a marker stands for each (store/large.py).
    """
    found = _messages(connection, rows, whole=whole)
    return [
        whole_span(span_head_of(row, trace_id), *found[row.chunk_id, row.position]) for row in rows
    ]


def otlp_spans_of(
    connection: Connection, trace_ids: Mapping[int, str]
) -> dict[str, list[OtlpSpan]]:
    """The spans of some traces, given as keys with their ids; roots first, then by start."""
    rows = connection.execute(
        select(spans)
        .where(spans.c.trace_key.in_(trace_ids))
        .order_by(spans.c.parent_id.is_not(None), spans.c.start_ns, spans.c.span_id)
    ).all()
    found = _messages(connection, rows, whole=True)
    told: dict[str, list[OtlpSpan]] = {trace_id: [] for trace_id in trace_ids.values()}
    for row in rows:
        trace_id = trace_ids[row.trace_key]
        message = found[row.chunk_id, row.position][2]
        told[trace_id].append(OtlpSpan(span_head_of(row, trace_id), message))
    return told


def _messages(
    connection: Connection, rows: Sequence[AnyRow], *, whole: bool
) -> dict[tuple[int, int], tuple[Resource, InstrumentationScope, OtlpMessage]]:
    """Resource, scope and span by chunk and position."""
    positions: dict[int, set[int]] = {}
    for row in rows:
        positions.setdefault(row.chunk_id, set()).add(row.position)
    found: dict[tuple[int, int], tuple[Resource, InstrumentationScope, OtlpMessage]] = {}
    for chunk in read_chunks(connection, list(positions)):
        wanted = positions[chunk.chunk_id]
        for position, (resource, scope, span) in enumerate(spans_in_order(chunk.data)):
            if position in wanted:
                _complete(connection, chunk, position, span, whole=whole)
                found[chunk.chunk_id, position] = resource, scope, span
    return found


def _complete(
    connection: Connection, chunk: StoredChunk, position: int, span: OtlpMessage, *, whole: bool
) -> None:
    if not chunk.large:
        return
    if whole:
        restore(connection, span, chunk.large_of(position))
    else:
        for value in chunk.large_of(position):
            mark(span, value)
