"""Summaries of traces that grow: kept in memory while they are large, worked out again when not."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from tracelake.model.entities import Cost, TokenUsage
from tracelake.model.summary import RunningSummary
from tracelake.store.api import SpanRow
from tracelake.store.schema import CHUNK_BITS, spans

_WORTH_KEEPING: Final = 1000
"""Spans; fewer are read again in about a millisecond."""
_KEPT_SPANS: Final = 200_000
"""Of all kept summaries together, about 400 bytes each. A larger one is kept alone."""
_LOOK_UP: Final = 500

_COLUMNS: Final = (
    spans.c.trace_key,
    spans.c.chunk_id,
    spans.c.span_id,
    spans.c.parent_id,
    spans.c.name,
    spans.c.status,
    spans.c.start_ns,
    spans.c.end_ns,
    spans.c.total_tokens,
    spans.c.input_tokens,
    spans.c.output_tokens,
    spans.c.cache_read_input_tokens,
    spans.c.cache_creation_input_tokens,
    spans.c.total_cost,
    spans.c.input_cost,
    spans.c.output_cost,
)


@dataclass(slots=True)
class StoredSpan:
    """What a summary needs of a span that is stored."""

    chunk_id: int
    span_id: bytes
    parent_id: bytes | None
    name: str
    status: str
    start_ns: int
    end_ns: int | None
    usage: TokenUsage | None
    cost: Cost | None


class RunningSummaries:
    """Keeps the largest work of the latest growing traces. Safe to share between threads.

    A kept summary names the number of chunks that it covers. Whatever another process has added
    since then is in later chunks, and is read when the summary is taken.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[int, RunningSummary]] = OrderedDict()
        self._span_count = 0
        self._lock = threading.Lock()

    def take(self, connection: Connection, known: dict[int, int]) -> dict[int, RunningSummary]:
        """The summaries of stored traces by key, given the number of chunks each has come in.

        They are the caller's: to be kept again once what the caller adds to them is committed.
        """
        taken: dict[int, RunningSummary] = {}
        for trace_key, chunk_count in known.items():
            running = self._caught_up(connection, trace_key, chunk_count)
            if running is not None:
                taken[trace_key] = running
        missing = [trace_key for trace_key in known if trace_key not in taken]
        for trace_key in missing:
            taken[trace_key] = RunningSummary()
        for trace_key, span in _read(connection, missing):
            taken[trace_key].add(span)
        return taken

    def keep(self, trace_key: int, chunk_count: int, running: RunningSummary) -> None:
        if len(running) < _WORTH_KEEPING:
            return
        with self._lock:
            self._drop(trace_key)
            self._kept[trace_key] = chunk_count, running
            self._span_count += len(running)
            # The one trace that is larger than all may be, or each of its spans would cost seconds.
            while self._span_count > _KEPT_SPANS and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def _caught_up(
        self, connection: Connection, trace_key: int, chunk_count: int
    ) -> RunningSummary | None:
        with self._lock:
            kept = self._drop(trace_key)
        if kept is None:
            return None
        covered, running = kept
        if covered < chunk_count:
            after = (trace_key << CHUNK_BITS) + covered
            for _, span in _read(connection, [trace_key], from_chunk=after):
                if span.span_id in running:
                    return None
                running.add(span)
        return running if covered <= chunk_count else None

    def _drop(self, trace_key: int) -> tuple[int, RunningSummary] | None:
        kept = self._kept.pop(trace_key, None)
        if kept is not None:
            self._span_count -= len(kept[1])
        return kept


def read_spans(
    connection: Connection, trace_key: int, span_ids: Sequence[bytes]
) -> list[StoredSpan]:
    """Those of these spans of a trace that are stored."""
    found: list[StoredSpan] = []
    for at in range(0, len(span_ids), _LOOK_UP):
        some = spans.c.span_id.in_(span_ids[at : at + _LOOK_UP])
        query = select(*_COLUMNS).where(spans.c.trace_key == trace_key, some)
        found += [_stored_span(*columns) for _, *columns in connection.execute(query)]
    return found


def sum_up(connection: Connection, trace_key: int, newest: dict[bytes, SpanRow]) -> RunningSummary:
    """The summary of all that is stored of a trace, newest spans in place of stored ones."""
    running = RunningSummary()
    for _, span in _read(connection, [trace_key]):
        if span.span_id not in newest:
            running.add(span)
    for span in newest.values():
        running.add(span)
    return running


def _read(
    connection: Connection, trace_keys: list[int], from_chunk: int | None = None
) -> Iterator[tuple[int, StoredSpan]]:
    for at in range(0, len(trace_keys), _LOOK_UP):
        query = select(*_COLUMNS).where(spans.c.trace_key.in_(trace_keys[at : at + _LOOK_UP]))
        if from_chunk is not None:
            query = query.where(spans.c.chunk_id >= from_chunk)
        for trace_key, *columns in connection.execute(query):
            yield trace_key, _stored_span(*columns)


def _stored_span(
    chunk_id: int,
    span_id: bytes,
    parent_id: bytes | None,
    name: str,
    status: str,
    start_ns: int,
    end_ns: int | None,
    total_tokens: int | None,
    *amounts: Any,
) -> StoredSpan:
    inputs, outputs, cache_read, cache_write, total_cost, input_cost, output_cost = amounts
    return StoredSpan(
        chunk_id,
        span_id,
        parent_id,
        name,
        status,
        start_ns,
        end_ns,
        None
        if total_tokens is None
        else TokenUsage(inputs, outputs, total_tokens, cache_read, cache_write),
        None if total_cost is None else Cost(input_cost, output_cost, total_cost),
    )
