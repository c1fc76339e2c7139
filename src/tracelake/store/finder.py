"""One page of the traces that match: from the index what it knows, from the tables the rest."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from tracelake.model.entities import Assessment, Span, TraceInfo
from tracelake.model.filters.evaluate import Evidence, matches
from tracelake.model.filters.tree import Node
from tracelake.model.ids import format_trace_id
from tracelake.store.assessments import assessments_of, session_assessments
from tracelake.store.compile import Compiled, Compiler
from tracelake.store.index.cache import ColumnCache
from tracelake.store.index.search import Hits, is_for_index, newest_first
from tracelake.store.index.view import IndexView
from tracelake.store.order import TraceOrder
from tracelake.store.probe import NOTHING_KNOWN, Known, TextProbe
from tracelake.store.rows import AnyRow, AnySelect, trace_of
from tracelake.store.schema import traces
from tracelake.store.spans import trace_spans

_EFFORT_A_PAGE: Final = 2000
"""Quick looks at payloads for one page, when neither SQL nor the index can decide a filter."""
_EFFORT_OF_READING: Final = 20
"""What it costs to read a trace's spans, in quick looks."""
_BATCH: Final = 200

Candidate = tuple[AnyRow, bool]
"""A row that may match, and whether it surely does."""


@dataclass(frozen=True, slots=True)
class TraceSearch:
    tree: Node
    experiment_ids: tuple[int, ...] | None
    order: TraceOrder
    scope: str
    """Names the search in its page tokens."""
    max_results: int
    page_token: str | None


class TraceFinder:
    """Finds pages of traces, within a read transaction of the caller."""

    def __init__(self, compiler: Compiler, cache: ColumnCache) -> None:
        self._compiler = compiler
        self._cache = cache

    def find(
        self, connection: Connection, search: TraceSearch
    ) -> tuple[list[TraceInfo], str | None]:
        """The traces of a page, and the token of the next one."""
        compiled = self._compiler.compile(search.tree)
        if search.order.is_newest_first and is_for_index(search.tree):
            view = IndexView(connection, self._cache)
            if view.facts:
                candidates = _from_index(connection, search, view, compiled)
                return _page(connection, search, candidates)
        if compiled.exact:
            rows, token = _rows_of_page(connection, search, compiled)
            return infos_of(connection, rows), token
        return _page(connection, search, _from_tables(connection, search, compiled))


def in_experiments(query: AnySelect, numbers: Sequence[int] | None) -> AnySelect:
    """Narrow a query on traces to experiments; None means all."""
    return query if numbers is None else query.where(traces.c.experiment_id.in_(numbers))


def passes(connection: Connection, tree: Node, row: AnyRow, info: TraceInfo) -> bool:
    """Whether a trace that may match does."""
    return _judge(connection, tree, row, info, NOTHING_KNOWN)[0]


def matching_rows(connection: Connection, tree: Node, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Of traces that may match, those that do."""
    return [
        row
        for row, info in zip(rows, infos_of(connection, rows), strict=True)
        if passes(connection, tree, row, info)
    ]


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


def _page(
    connection: Connection, search: TraceSearch, candidates: Iterator[Candidate]
) -> tuple[list[TraceInfo], str | None]:
    """A page of candidates looked at in order. It may be short, and still have a next page."""
    found: list[TraceInfo] = []
    effort = 0
    last: AnyRow | None = None
    probe = TextProbe(search.tree)
    while batch := _take(candidates, search.max_results - len(found) + 1):
        known = probe.known(connection, [row for row, surely in batch if not surely])
        left = [row for row, surely in batch if surely or row.trace_key in known]
        infos = {info.trace_id: info for info in infos_of(connection, left)}
        for row, surely in batch:
            if len(found) == search.max_results:
                return found, _token_after(search, last)
            last = row
            info = infos.get(format_trace_id(row.trace_id))
            if surely and info is not None:
                found.append(info)
                continue
            effort += 1
            if info is not None:
                verdict, has_read = _judge(connection, search.tree, row, info, known[row.trace_key])
                effort += has_read * _EFFORT_OF_READING
                if verdict:
                    found.append(info)
        if effort >= _EFFORT_A_PAGE:
            return found, _token_after(search, last)
    return found, None


def beyond_index(facts_seq: int, condition: Any, numbers: Sequence[int] | None) -> AnySelect:
    """The traces of experiments that the index does not know yet and that meet a condition."""
    query = select(traces).where(traces.c.seq > facts_seq, condition)
    if numbers is None:
        return query
    # The sum with 0 keeps SQLite from walking whole experiments: this is a short range of `seq`.
    return query.where((traces.c.experiment_id + 0).in_(numbers))


def _judge(
    connection: Connection, tree: Node, row: AnyRow, info: TraceInfo, known: Known
) -> tuple[bool, bool]:
    """Whether a trace matches, and whether its spans had to be read to see that."""
    loaded: list[list[Span]] = []

    def spans_once() -> list[Span]:
        if not loaded:
            loaded.append(trace_spans(connection, row.trace_key, info.trace_id))
        return loaded[0]

    def of_session() -> list[Assessment]:
        return session_assessments(connection, row)

    verdict = matches(tree, Evidence(info, spans_once, of_session, known))
    return verdict, bool(loaded)


def _token_after(search: TraceSearch, last: AnyRow | None) -> str | None:
    return search.order.token(last, search.scope) if last is not None else None


def _take(candidates: Iterator[Candidate], count: int) -> list[Candidate]:
    return list(islice(candidates, min(count, _BATCH)))


def _rows_of_page(
    connection: Connection, search: TraceSearch, compiled: Compiled
) -> tuple[Sequence[AnyRow], str | None]:
    query = _ordered(search, compiled)
    if search.page_token is not None:
        query = query.where(search.order.after(search.page_token, search.scope))
    rows = connection.execute(query.limit(search.max_results + 1)).all()
    has_more = len(rows) > search.max_results
    rows = rows[: search.max_results]
    return rows, search.order.token(rows[-1], search.scope) if has_more else None


def _from_tables(
    connection: Connection, search: TraceSearch, compiled: Compiled
) -> Iterator[Candidate]:
    query = _ordered(search, compiled)
    token = search.page_token
    while True:
        page = query if token is None else query.where(search.order.after(token, search.scope))
        rows = connection.execute(page.limit(_BATCH)).all()
        for row in rows:
            yield row, compiled.exact
        if len(rows) < _BATCH:
            return
        token = search.order.token(rows[-1], search.scope)


def _ordered(search: TraceSearch, compiled: Compiled) -> AnySelect:
    query = select(traces, *search.order.columns()).where(compiled.condition)
    return in_experiments(query, search.experiment_ids).order_by(*search.order.order_by())


def _from_index(
    connection: Connection, search: TraceSearch, view: IndexView, compiled: Compiled
) -> Iterator[Candidate]:
    """Newest first: indexed versions, and the tail of those that the index does not know yet."""
    after: tuple[int, bytes] | None = None
    if search.page_token is not None:
        start_ns, trace_id = search.order.place(search.page_token, search.scope)
        after = (-start_ns, trace_id)
    up_to_ns = -after[0] if after else None
    hits = newest_first(view, search.tree, search.experiment_ids, up_to_ns)
    known = _rows_of_hits(connection, search, hits)
    tail = _tail(connection, search, view.facts_seq, compiled, after)
    for candidate in heapq.merge(known, tail, key=_place):
        if after is None or _place(candidate) > after:
            yield candidate


def _place(candidate: Candidate) -> tuple[int, bytes]:
    row, _ = candidate
    return -row.start_ns, row.trace_id


def _rows_of_hits(
    connection: Connection, search: TraceSearch, parts: Iterator[Hits]
) -> Iterator[Candidate]:
    left = search.max_results + 1
    for hits in parts:
        at = 0
        while at < len(hits):
            # No more than the page takes, if all of them match; after that, as many as is quick.
            end = min(at + (left if left > 0 else _BATCH), len(hits))
            # Not between traces that start at the same moment: their order is that of their ids.
            while end < len(hits) and hits.start_ns[end] == hits.start_ns[end - 1]:
                end += 1
            yield from sorted(_rows_of(connection, search, hits.where(slice(at, end))), key=_place)
            left -= end - at
            at = end


def _rows_of(connection: Connection, search: TraceSearch, hits: Hits) -> Iterator[Candidate]:
    surely = dict(zip(hits.seqs.tolist(), hits.surely.tolist(), strict=True))
    numbers = list(surely)
    for first in range(0, len(numbers), 500):
        query = select(traces, *search.order.columns()).where(
            traces.c.seq.in_(numbers[first : first + 500])
        )
        for row in connection.execute(query):
            yield row, surely[row.seq]


def _tail(
    connection: Connection,
    search: TraceSearch,
    facts_seq: int,
    compiled: Compiled,
    after: tuple[int, bytes] | None,
) -> Iterator[Candidate]:
    # The sum with 0 keeps SQLite from walking the index of times.
    start_ns: ColumnElement[int] = traces.c.start_ns + 0
    query = beyond_index(facts_seq, compiled.condition, search.experiment_ids)
    query = query.add_columns(*search.order.columns()).order_by(start_ns.desc(), traces.c.trace_id)
    while True:
        page = query
        if after is not None:
            page = query.where(
                or_(
                    start_ns < -after[0],
                    and_(start_ns == -after[0], traces.c.trace_id > after[1]),
                )
            )
        rows: Sequence[Any] = connection.execute(page.limit(_BATCH)).all()
        for row in rows:
            yield row, compiled.exact
        if len(rows) < _BATCH:
            return
        after = _place((rows[-1], True))
