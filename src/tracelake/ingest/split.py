"""The spans of one trace in one request, to chunks of bounded size (decision 010)."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelake.ingest.wire import Around, EncodedSpan, TracesBuilder, encode_span, spans_in
from tracelake.store.api import Chunk, LargeValue, SpanRow
from tracelake.store.large import LARGE_VALUE_BYTES, take_out
from tracelake.store.payload import pack

CHUNK_BYTES: Final = 256 * 1024
_SHARE_OF_RESOURCE: Final = 4
"""A chunk holds so many times the bytes of its resource and scope, which each chunk repeats."""


class Body:
    """A serialised request. Its spans are numbered in its order."""

    def __init__(self, data: bytes, span_count: int) -> None:
        self._data = data
        self._span_count = span_count

    @cached_property
    def _spans(self) -> list[EncodedSpan]:
        return list(spans_in(self._data))

    def only(self, numbers: Sequence[int]) -> bytes:
        """TracesData of some spans, at least one, in their order."""
        if len(numbers) == self._span_count:
            return self._data  # OTLP's request and TracesData are the same bytes
        traces = TracesBuilder()
        spans = iter([self._spans[number] for number in numbers])
        around, begin, end = next(spans)
        for span in spans:
            if span.begin != end:  # those that came side by side are copied at once
                traces.add(around, self._data[begin:end])
                around, begin, _ = span
            end = span.end
        traces.add(around, self._data[begin:end])
        return traces.serialise()

    def span(self, number: int) -> tuple[Around, bytes]:
        """What a span came in, and the span as a field of a ScopeSpans."""
        span = self._spans[number]
        return span.around, self._data[span.begin : span.end]


def to_chunks(
    body: Body, numbers: Sequence[int], spans: Sequence[Span], rows: Sequence[SpanRow]
) -> list[Chunk]:
    """Pack spans of a body. Each row, which starts as in chunk 0 and at its index, is told where
    its span went. Large values are taken out of the spans given."""
    whole = body.only(numbers)
    if len(whole) <= LARGE_VALUE_BYTES:
        return [Chunk(pack(whole))]
    chunks: list[Chunk] = []
    filling = _Filling()
    for number, span, row in zip(numbers, spans, rows, strict=True):
        around, encoded = body.span(number)
        large: list[LargeValue] = []
        if len(encoded) > LARGE_VALUE_BYTES and (large := take_out(span)):
            encoded = encode_span(span.SerializeToString())
        if filling.is_full_with(around, len(encoded)):
            chunks.append(filling.chunk())
            filling = _Filling()
        row.chunk, row.position = len(chunks), filling.add(around, encoded, large)
    if not chunks and not filling.large:
        return [Chunk(pack(whole))]
    return [*chunks, filling.chunk()]


class _Filling:
    """A chunk that is being filled."""

    def __init__(self) -> None:
        self._traces = TracesBuilder()
        self.large: list[LargeValue] = []
        self._span_count = 0
        self._span_bytes = 0
        self._around_bytes = 0

    def is_full_with(self, around: Around, size_bytes: int) -> bool:
        """Whether a span of this size must go into another; an empty one takes any."""
        around_bytes = self._around_bytes + self._traces.added_around(around)
        limit_bytes = max(CHUNK_BYTES, _SHARE_OF_RESOURCE * around_bytes)
        return self._span_count > 0 and self._span_bytes + size_bytes > limit_bytes

    def add(self, around: Around, span: bytes, large: Sequence[LargeValue]) -> int:
        """Add a span and what was taken out of it; its position."""
        position = self._span_count
        self._around_bytes += self._traces.added_around(around)
        self._traces.add(around, span)
        for value in large:
            value.position = position
        self.large += large
        self._span_count += 1
        self._span_bytes += len(span)
        return position

    def chunk(self) -> Chunk:
        return Chunk(pack(self._traces.serialise()), self.large)
