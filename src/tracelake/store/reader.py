"""Traces and spans out of the store."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, or_, select

from tracelake.model.entities import Span, TraceInfo
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.parse import parse_filter
from tracelake.model.ids import format_trace_id, parse_span_id
from tracelake.store.api import SpanHeadPage, SpanPage, TracePage
from tracelake.store.database import Database
from tracelake.store.editor import trace_row
from tracelake.store.finder import TraceFinder, TraceSearch, experiment_numbers, infos_of
from tracelake.store.order import TraceOrder
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.rows import AnyRow, span_head_of
from tracelake.store.schema import spans
from tracelake.store.spans import whole_spans

MAX_RESULTS: Final = 500


class SqlTraceReader:
    """Implements `TraceReader`."""

    def __init__(self, database: Database, finder: TraceFinder) -> None:
        self._database = database
        self._finder = finder

    def get_trace(self, trace_id: str) -> TraceInfo:
        with self._database.read() as connection:
            return infos_of(connection, [trace_row(connection, trace_id)])[0]

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
            experiment_ids=experiment_numbers(experiment_ids),
            order=TraceOrder(tuple(order_by)),
            scope=f"traces:{filter}:",
            max_results=max_results,
            page_token=page_token,
        )
        with self._database.read() as connection:
            found, token = self._finder.find(connection, search)
            return TracePage(found, token)

    def get_span_heads(
        self, trace_id: str, *, max_results: int = 1000, page_token: str | None = None
    ) -> SpanHeadPage:
        check_page_size(max_results, 10_000)
        with self._database.read() as connection:
            trace = trace_row(connection, trace_id)
            public_id = format_trace_id(trace.trace_id)
            rows, token = _span_page(connection, trace.trace_key, max_results, page_token)
            return SpanHeadPage([span_head_of(row, public_id) for row in rows], token)

    def get_spans(
        self, trace_id: str, *, max_results: int = 200, page_token: str | None = None
    ) -> SpanPage:
        check_page_size(max_results, 1000)
        with self._database.read() as connection:
            trace = trace_row(connection, trace_id)
            public_id = format_trace_id(trace.trace_id)
            rows, token = _span_page(connection, trace.trace_key, max_results, page_token)
            return SpanPage(whole_spans(connection, rows, public_id), token)

    def get_span(self, trace_id: str, span_id: str) -> Span:
        with self._database.read() as connection:
            trace = trace_row(connection, trace_id)
            query = select(spans).where(
                spans.c.trace_key == trace.trace_key, spans.c.span_id == parse_span_id(span_id)
            )
            rows = connection.execute(query).all()
            if not rows:
                raise NotFound(f"Trace {trace_id} has no span {span_id}")
            return whole_spans(connection, rows, format_trace_id(trace.trace_id))[0]


def check_page_size(max_results: int, limit: int) -> None:
    if not 1 <= max_results <= limit:
        raise InvalidInput(f"max_results is {max_results}; it must be between 1 and {limit}")


def _span_page(
    connection: Connection, trace_key: int, max_results: int, page_token: str | None
) -> tuple[Sequence[AnyRow], str | None]:
    query = (
        select(spans)
        .where(spans.c.trace_key == trace_key)
        .order_by(spans.c.start_ns, spans.c.span_id)
        .limit(max_results + 1)
    )
    scope = f"spans:{trace_key}"
    if page_token is not None:
        start_ns, span_id = decode_token(page_token, scope, (int, str))
        query = query.where(
            or_(
                spans.c.start_ns > start_ns,
                and_(spans.c.start_ns == start_ns, spans.c.span_id > parse_span_id(span_id)),
            )
        )
    rows = connection.execute(query).all()
    if len(rows) <= max_results:
        return rows, None
    last = rows[max_results - 1]
    return rows[:max_results], encode_token(scope, (last.start_ns, last.span_id.hex()))
