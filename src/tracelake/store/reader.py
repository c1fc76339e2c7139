"""Traces and spans out of the store."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from tracelake.model.entities import Span, TraceInfo
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.evaluate import matches
from tracelake.model.filters.parse import parse_filter
from tracelake.model.filters.tree import Node
from tracelake.model.ids import format_trace_id, parse_span_id
from tracelake.store.api import SpanHeadPage, SpanPage, TracePage
from tracelake.store.assessments import assessments_of
from tracelake.store.compile import Compiler
from tracelake.store.database import Database
from tracelake.store.editor import trace_row
from tracelake.store.order import TraceOrder
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.payload import spans_in_order, unpack, whole_span
from tracelake.store.rows import AnyRow, AnySelect, span_head_of, trace_of
from tracelake.store.schema import chunks, spans, traces

MAX_RESULTS: Final = 500
_CANDIDATES_A_PAGE: Final = 5000
"""Traces looked at one by one for one page, when SQL alone cannot decide a filter."""
_BATCH: Final = 200


class SqlTraceReader:
    """Implements `TraceReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._compiler = Compiler(is_sqlite=database.is_sqlite)

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
        tree = parse_filter(filter)
        compiled = self._compiler.compile(tree)
        order = TraceOrder(tuple(order_by))
        query = (
            select(traces, *order.columns()).where(compiled.condition).order_by(*order.order_by())
        )
        query = in_experiments(query, experiment_ids)
        scope = f"traces:{filter}:"
        with self._database.read() as connection:
            if compiled.exact:
                rows, token = _exact_page(connection, query, order, scope, max_results, page_token)
                return TracePage(infos_of(connection, rows), token)
            return _checked_page(connection, query, order, scope, max_results, page_token, tree)

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


def in_experiments(query: AnySelect, experiment_ids: Sequence[str] | None) -> AnySelect:
    """Narrow a query on traces to experiments; None means all. Raises InvalidInput."""
    if experiment_ids is None:
        return query
    wrong = [item for item in experiment_ids if not item.isdecimal() or len(item) > 18]
    if wrong:
        raise InvalidInput(f"experiment id {wrong[0]!r}: ids are whole numbers")
    return query.where(traces.c.experiment_id.in_([int(item) for item in experiment_ids]))


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


def passes(connection: Connection, tree: Node, row: AnyRow, info: TraceInfo) -> bool:
    """Whether a trace that SQL let through matches the filter."""
    loaded: list[list[Span]] = []

    def spans_once() -> list[Span]:
        if not loaded:
            loaded.append(trace_spans(connection, row.trace_key, info.trace_id))
        return loaded[0]

    return matches(tree, info, spans_once)


def infos_of(
    connection: Connection, rows: Iterable[AnyRow], *, valid_only: bool = True
) -> list[TraceInfo]:
    """Trace rows as infos with their assessments."""
    rows = list(rows)
    told = assessments_of(
        connection,
        {row.trace_key: format_trace_id(row.trace_id) for row in rows},
        valid_only=valid_only,
    )
    return [trace_of(row, told.get(row.trace_key, ())) for row in rows]


def _exact_page(
    connection: Connection,
    query: AnySelect,
    order: TraceOrder,
    scope: str,
    max_results: int,
    page_token: str | None,
) -> tuple[Sequence[AnyRow], str | None]:
    if page_token is not None:
        query = query.where(order.after(page_token, scope))
    rows = connection.execute(query.limit(max_results + 1)).all()
    token = order.token(rows[max_results - 1], scope) if len(rows) > max_results else None
    return rows[:max_results], token


def _checked_page(
    connection: Connection,
    query: AnySelect,
    order: TraceOrder,
    scope: str,
    max_results: int,
    page_token: str | None,
    tree: Node,
) -> TracePage:
    """A page of traces looked at one by one. It may be short, and still have a next page."""
    found: list[TraceInfo] = []
    token = page_token
    for _ in range(0, _CANDIDATES_A_PAGE, _BATCH):
        rows, next_token = _exact_page(connection, query, order, scope, _BATCH, token)
        for row, info in zip(rows, infos_of(connection, rows), strict=True):
            if passes(connection, tree, row, info):
                found.append(info)
                if len(found) == max_results:
                    is_last = row is rows[-1] and next_token is None
                    return TracePage(found, None if is_last else order.token(row, scope))
        token = next_token
        if token is None:
            break
    return TracePage(found, token)


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
