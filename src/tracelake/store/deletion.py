"""Deletion of traces, in transactions so short that a span never waits long for its turn."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from sqlalchemy import Connection, delete, or_, select

from tracelake.model.errors import InvalidFilter, InvalidInput
from tracelake.model.filters.parse import parse_filter
from tracelake.model.filters.tree import Entity, clauses_of
from tracelake.model.ids import format_trace_id, parse_experiment_ids, parse_trace_id
from tracelake.store.api import TraceReader
from tracelake.store.database import Database
from tracelake.store.finder import in_experiments
from tracelake.store.operations import Deleted, KeepGoing, TraceScope
from tracelake.store.reviews import forget_traces
from tracelake.store.rows import AnyRow, AnySelect
from tracelake.store.schema import CHUNK_BITS, assessments, chunks, spans, stale_versions, traces

_HOLD_S: Final = 0.025
"""How long one transaction may keep other writers out; its size follows from what the last took."""
_ROWS: Final = (50, 1000, 20_000)
"""Fewest, first and most rows to delete in one transaction, spans and traces counted."""
_PAGE: Final = 500
_FREE_SHARE: Final = 20
"""One page in so many may stay free: the next spans take it, and the file need not grow."""
_VACUUM_PAGES: Final = (16, 128, 4096)
_ASSESSED: Final = (Entity.FEEDBACK, Entity.EXPECTATION, Entity.ISSUE)
_INT64: Final = 2**63 - 1


def always() -> bool:
    return True


class SqlTraceDeletion:
    """Implements `TraceDeletion`. Filters are read through `reader`, by its own order and pages."""

    def __init__(self, database: Database, reader: TraceReader) -> None:
        self._database = database
        self._reader = reader

    def count(self, scope: TraceScope) -> int:
        return sum(len(rows) for rows in self._pages(scope))

    def delete(self, scope: TraceScope, keep_going: KeepGoing = always) -> Deleted:
        pace = _Pace(*_ROWS)
        count = 0
        for page in self._pages(scope):
            left = deque(page)
            while left:
                if not pace.rest(keep_going):
                    return Deleted(count, False)
                batch = pace.take(left)
                with self._database.write() as connection:
                    pace.begin()
                    count += _remove(connection, [row.trace_key for row in batch], scope.until_seq)
                pace.end()
        return Deleted(count, True)

    def give_back(self, keep_going: KeepGoing = always) -> int:
        if not self._database.is_sqlite:
            return 0
        pace = _Pace(*_VACUUM_PAGES)
        given_bytes = 0
        while pace.rest(keep_going):
            with self._database.write() as connection:
                pace.begin()
                given = _vacuum(connection, pace.size)
            pace.end()
            given_bytes += given
            if given == 0:
                break
        if given_bytes:
            self._database.checkpoint()
        return given_bytes

    def _pages(self, scope: TraceScope) -> Iterator[Sequence[AnyRow]]:
        """(trace_key, start_ns, span_count, seq) of the traces in scope, a page at a time."""
        _check(scope)
        if scope.trace_ids is not None:
            found = self._by_ids(scope.trace_ids, scope)
        elif scope.filter.strip():
            found = self._by_filter(scope)
        else:
            found = self._by_age(scope)
        return _unchanged(_at_most(found, scope.max_traces), scope.until_seq)

    def _by_ids(self, trace_ids: Sequence[str], scope: TraceScope) -> Iterator[Sequence[AnyRow]]:
        wanted = sorted({parse_trace_id(trace_id) for trace_id in trace_ids})
        for at in range(0, len(wanted), _PAGE):
            query = _rows_in(scope).where(traces.c.trace_id.in_(wanted[at : at + _PAGE]))
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(*_OLDEST_FIRST)).all()
            yield rows

    def _by_filter(self, scope: TraceScope) -> Iterator[Sequence[AnyRow]]:
        text = scope.filter
        if scope.until_ms is not None:
            # Parsed alone first, so that an error names a column of what the caller wrote.
            parse_filter(text)
            # That only finds fewer to look at; a filter of as much as is allowed goes as it is.
            narrowed = f"({text}) AND timestamp_ms <= {scope.until_ms}"
            with suppress(InvalidFilter):
                parse_filter(narrowed)
                text = narrowed
        found = self._ids_found(text, scope)
        if any(clause.entity in _ASSESSED for clause in clauses_of(parse_filter(text))):
            # An assessment may speak for all traces of a session: what it stands on goes last.
            ids = list(islice(chain.from_iterable(found), scope.max_traces))
            assessed = self._assessed_among(ids)
            yield from self._by_ids([each for each in ids if each not in assessed], scope)
            yield from self._by_ids(sorted(assessed), scope)
            return
        for page in found:
            yield from self._by_ids(page, scope)

    def _ids_found(self, text: str, scope: TraceScope) -> Iterator[Sequence[str]]:
        token: str | None = None
        while True:
            page = self._reader.find_traces(
                experiment_ids=scope.experiment_ids,
                filter=text,
                # The index finds the newest first; only where not all go does the order matter.
                order_by=[] if scope.max_traces is None else ["timestamp_ms ASC"],
                max_results=_PAGE,
                page_token=token,
            )
            if page.traces:
                yield [info.trace_id for info in page.traces]
            token = page.next_page_token
            if token is None:
                return

    def _assessed_among(self, trace_ids: Sequence[str]) -> set[str]:
        """Those of some traces that assessments stand on."""
        found: set[str] = set()
        for at in range(0, len(trace_ids), _PAGE):
            some = [parse_trace_id(trace_id) for trace_id in trace_ids[at : at + _PAGE]]
            query = (
                select(traces.c.trace_id)
                .join(assessments, assessments.c.trace_key == traces.c.trace_key)
                .where(traces.c.trace_id.in_(some))
                .distinct()
            )
            with self._database.read() as connection:
                found.update(map(format_trace_id, connection.scalars(query)))
        return found

    def _by_age(self, scope: TraceScope) -> Iterator[Sequence[AnyRow]]:
        query = in_experiments(_rows_in(scope), parse_experiment_ids(scope.experiment_ids))
        query = query.order_by(*_OLDEST_FIRST)
        # Each page begins where the last one ended: what was deleted is not walked over again.
        after: tuple[int, int] | None = None
        while True:
            page = query if after is None else query.where(_later_than(*after))
            with self._database.read() as connection:
                rows = connection.execute(page.limit(_PAGE)).all()
            if not rows:
                return
            yield rows
            after = rows[-1].start_ns, rows[-1].trace_key


_OLDEST_FIRST: Final = (traces.c.start_ns, traces.c.trace_key)


@dataclass(slots=True)
class _Pace:
    """How much to do in one transaction, and how long to let others write after it."""

    least: int
    size: int
    most: int
    pause_s: float = 0.0
    began_s: float = 0.0

    def take(self, left: deque[AnyRow]) -> list[AnyRow]:
        """The next traces: as many as fit, and one at least, whole."""
        batch = [left.popleft()]
        rows = 1 + batch[0].span_count
        while left and rows + 1 + left[0].span_count <= self.size:
            rows += 1 + left[0].span_count
            batch.append(left.popleft())
        return batch

    def begin(self) -> None:
        self.began_s = time.monotonic()

    def end(self) -> None:
        took_s = time.monotonic() - self.began_s
        # By half or double at most: one slow disk write says little about the next.
        change = min(max(_HOLD_S / max(took_s, 1e-6), 0.5), 2.0)
        self.size = min(max(int(self.size * change), self.least), self.most)
        self.pause_s = took_s

    def rest(self, keep_going: KeepGoing) -> bool:
        """Leave the writer to others for as long as we had it; False when the work is to end."""
        if not keep_going():
            return False
        time.sleep(min(self.pause_s, 1.0))
        return True


def _check(scope: TraceScope) -> None:
    given = (scope.trace_ids, scope.experiment_ids, scope.until_ms, scope.until_seq)
    if all(each is None for each in given) and not scope.filter.strip():
        raise InvalidInput(
            "say which traces: by id, experiment, filter or age. Nothing given would be all of "
            "them."
        )
    if scope.trace_ids is not None and (scope.filter.strip() or scope.experiment_ids is not None):
        raise InvalidInput("give trace_ids, or a filter and experiment_ids, not both")
    if scope.max_traces is not None and scope.max_traces < 1:
        raise InvalidInput(f"max_traces is {scope.max_traces}; it must be at least 1")


def _rows_in(scope: TraceScope) -> AnySelect:
    query = select(traces.c.trace_key, traces.c.start_ns, traces.c.span_count, traces.c.seq)
    if scope.until_ms is not None:
        until_ns = (scope.until_ms + 1) * 1_000_000
        query = query.where(traces.c.start_ns < min(max(until_ns, -_INT64), _INT64))
    return query


def _later_than(start_ns: int, trace_key: int) -> Any:
    return or_(
        traces.c.start_ns > start_ns,
        (traces.c.start_ns == start_ns) & (traces.c.trace_key > trace_key),
    )


def _at_most(
    pages: Iterator[Sequence[AnyRow]], max_traces: int | None
) -> Iterator[Sequence[AnyRow]]:
    left = max_traces
    for page in pages:
        rows = page if left is None else page[:left]
        if rows:
            yield rows
        if left is not None:
            left -= len(rows)
            if left <= 0:
                return


def _unchanged(
    pages: Iterator[Sequence[AnyRow]], until_seq: int | None
) -> Iterator[Sequence[AnyRow]]:
    for page in pages:
        yield page if until_seq is None else [row for row in page if row.seq <= until_seq]


def _remove(connection: Connection, trace_keys: Sequence[int], until_seq: int | None) -> int:
    """Delete traces whole; how many were still there, unchanged since `until_seq`."""
    query = select(traces.c.trace_key, traces.c.trace_id, traces.c.seq).where(
        traces.c.trace_key.in_(trace_keys)
    )
    if until_seq is not None:
        query = query.where(traces.c.seq <= until_seq)
    found = connection.execute(query.order_by(traces.c.trace_key)).all()
    if not found:
        return 0
    connection.execute(stale_versions.insert(), [{"seq": row.seq} for row in found])
    forget_traces(connection, [row.trace_id for row in found])
    # Traces that came one after the other go together: one range instead of many keys.
    for first, last in _runs([row.trace_key for row in found]):
        for table in (traces, spans, assessments):
            connection.execute(delete(table).where(table.c.trace_key.between(first, last)))
        low, above = first << CHUNK_BITS, (last + 1) << CHUNK_BITS
        connection.execute(
            delete(chunks).where(chunks.c.chunk_id >= low, chunks.c.chunk_id < above)
        )
    return len(found)


def _vacuum(connection: Connection, most_pages: int) -> int:
    """Move free pages to the end of a SQLite file and cut them off; the bytes."""
    pages, free, page_bytes = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    surplus = min(free - pages // _FREE_SHARE, most_pages)
    if surplus <= 0:
        return 0
    # The pragma moves one page a step, and only a script is stepped to its end by the driver. It
    # ends our transaction and has one of its own, still under this process's writer lock.
    driver: Any = connection.connection.driver_connection
    driver.executescript(f"PRAGMA incremental_vacuum({surplus})")
    return (free - connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()) * page_bytes


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges, both ends included."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
