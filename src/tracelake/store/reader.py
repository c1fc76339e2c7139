"""Traces and spans out of the store."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, select

from tracelake.model.entities import Span, TraceInfo
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.parse import parse_filter
from tracelake.model.ids import (
    format_trace_id,
    parse_experiment_ids,
    parse_span_id,
    trace_ids_in,
)
from tracelake.store.api import SkeletonPage, SpanContent, SpanPage, TracePage, WholeTrace
from tracelake.store.chunks import read_chunks, read_piece
from tracelake.store.content import SpanInChunk, content_of
from tracelake.store.database import Database
from tracelake.store.editor import trace_row
from tracelake.store.finder import TraceFinder, TraceSearch, infos_of
from tracelake.store.order import TraceOrder
from tracelake.store.pages import search_scope
from tracelake.store.payload import spans_in_order
from tracelake.store.rows import AnyRow
from tracelake.store.schema import spans, traces
from tracelake.store.skeleton import page_of_spans, skeleton_page
from tracelake.store.spans import otlp_spans_of, spans_of

MAX_RESULTS: Final = 500
MAX_SKELETON: Final = 10_000


class SqlTraceReader:
    """Implements `TraceReader`."""

    def __init__(self, database: Database, finder: TraceFinder) -> None:
        self._database = database
        self._finder = finder

    def get_trace(self, trace_id: str) -> TraceInfo:
        with self._database.read() as connection:
            return infos_of(connection, [trace_row(connection, trace_id)])[0]

    def get_traces(self, trace_ids: Sequence[str]) -> list[TraceInfo]:
        raw = trace_ids_in(trace_ids)
        query = select(traces).where(traces.c.trace_id.in_(raw))
        with self._database.read() as connection:
            infos = infos_of(connection, connection.execute(query))
        found = {info.trace_id: info for info in infos}
        return [found[trace_id] for trace_id in _each_once(raw) if trace_id in found]

    def find_traces(
        self,
        *,
        experiment_ids: Sequence[str] | None = None,
        filter: str = "",
        order_by: Sequence[str] = (),
        max_results: int = 100,
        page_token: str | None = None,
    ) -> TracePage:
        check_page_size(max_results, MAX_RESULTS)
        search = TraceSearch(
            tree=parse_filter(filter),
            experiment_ids=parse_experiment_ids(experiment_ids),
            order=TraceOrder(tuple(order_by)),
            scope=search_scope(filter, experiment_ids),
            max_results=max_results,
            page_token=page_token,
        )
        with self._database.read() as connection:
            found, token = self._finder.find(connection, search)
            return TracePage(found, token)

    def get_skeleton(
        self, trace_id: str, *, max_results: int = 1000, page_token: str | None = None
    ) -> SkeletonPage:
        check_page_size(max_results, MAX_SKELETON)
        with self._database.read() as connection:
            trace = trace_row(connection, trace_id)
            return skeleton_page(connection, trace, max_results, page_token)

    def get_spans(
        self, trace_id: str, *, max_results: int = 200, page_token: str | None = None
    ) -> SpanPage:
        check_page_size(max_results, 1000)
        with self._database.read() as connection:
            trace = trace_row(connection, trace_id)
            query = select(spans).where(spans.c.trace_key == trace.trace_key)
            rows, token = page_of_spans(connection, query, trace.trace_key, max_results, page_token)
            public_id = format_trace_id(trace.trace_id)
            return SpanPage(spans_of(connection, rows, public_id, whole=False), token)

    def get_span(self, trace_id: str, span_id: str, *, whole: bool = False) -> Span:
        with self._database.read() as connection:
            trace, row = _span_row(connection, trace_id, span_id)
            public_id = format_trace_id(trace.trace_id)
            return spans_of(connection, [row], public_id, whole=whole)[0]

    def get_whole(self, trace_ids: Sequence[str]) -> list[WholeTrace]:
        raw = trace_ids_in(trace_ids)
        query = select(traces).where(traces.c.trace_id.in_(raw))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            infos = infos_of(connection, rows, valid_only=False)
            public = {row.trace_key: format_trace_id(row.trace_id) for row in rows}
            told = otlp_spans_of(connection, public)
        found = {info.trace_id: WholeTrace(info, told[info.trace_id]) for info in infos}
        return [found[trace_id] for trace_id in _each_once(raw) if trace_id in found]

    def get_content(self, trace_id: str, span_id: str, field: str) -> SpanContent:
        with self._database.read() as connection:
            _, row = _span_row(connection, trace_id, span_id)
            (chunk,) = read_chunks(connection, [row.chunk_id])
            parts = itertools.islice(spans_in_order(chunk.data), row.position, None)
            _, _, span = next(parts)
            place = SpanInChunk(chunk, row.position, span)
            return content_of(connection, place, field, self._read_piece)

    def _read_piece(self, number: int) -> bytes:
        with self._database.read() as connection:
            return read_piece(connection, number)


def check_page_size(max_results: int, limit: int) -> None:
    if not 1 <= max_results <= limit:
        raise InvalidInput(f"max_results is {max_results}; it must be between 1 and {limit}")


def _each_once(raw_ids: Sequence[bytes]) -> Iterable[str]:
    return dict.fromkeys(map(format_trace_id, raw_ids))


def _span_row(connection: Connection, trace_id: str, span_id: str) -> tuple[AnyRow, AnyRow]:
    """The rows of a trace and of one of its spans. Raises NotFound."""
    trace = trace_row(connection, trace_id)
    query = select(spans).where(
        spans.c.trace_key == trace.trace_key, spans.c.span_id == parse_span_id(span_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Trace {trace_id} has no span {span_id}")
    return trace, row
