"""The spans of one trace in one request, to chunks of bounded size (decision 010)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from tracelake.store.api import Chunk, LargeValue, SpanRow
from tracelake.store.large import LARGE_VALUE_BYTES, take_out
from tracelake.store.payload import pack

CHUNK_BYTES: Final = 256 * 1024
_SHARE_OF_RESOURCE: Final = 4
"""A chunk holds so many times the bytes of its resource and scope, which each chunk repeats."""


class Source(NamedTuple):
    """A span under its resource and scope."""

    resource_spans: ResourceSpans
    scope_spans: ScopeSpans
    span: Span


def to_chunks(
    sources: Sequence[Source], rows: Sequence[SpanRow], whole: bytes | None
) -> list[Chunk]:
    """Pack the spans, and tell each row its chunk and position, which start as 0 and its index.

    `whole` are the bytes these spans came in, where nothing else came with them: they are the
    chunk, unless they are too large. Large values are taken out of the spans given.
    """
    if whole is not None and len(whole) > LARGE_VALUE_BYTES:
        return _split(sources, rows, whole)
    if whole is None:
        data = _TracesOf()
        for source in sources:
            data.add(source)
        own = data.serialise()
        if len(own) > LARGE_VALUE_BYTES:
            return _split(sources, rows, None)
        whole = own
    return [Chunk(pack(whole))]


def _split(sources: Sequence[Source], rows: Sequence[SpanRow], whole: bytes | None) -> list[Chunk]:
    chunks: list[Chunk] = []
    data = _TracesOf()
    large: list[LargeValue] = []
    position = 0
    for source, row in zip(sources, rows, strict=True):
        size_bytes = source.span.ByteSize()
        found: list[LargeValue] = []
        if size_bytes > LARGE_VALUE_BYTES and (found := take_out(source.span, position)):
            size_bytes = source.span.ByteSize()
        if position and data.is_full_with(source, size_bytes):
            chunks.append(Chunk(pack(data.serialise()), large))
            data, large, position = _TracesOf(), [], 0
            for value in found:
                value.position = 0
        data.add(source, size_bytes)
        large += found
        row.chunk, row.position = len(chunks), position
        position += 1
    if not chunks and not large and whole is not None:
        return [Chunk(pack(whole))]
    return [*chunks, Chunk(pack(data.serialise()), large)]


class _TracesOf:
    """TracesData that grows a span at a time, each under its own resource and scope."""

    def __init__(self) -> None:
        self._data = TracesData()
        self._resource: ResourceSpans | None = None
        self._scope: ScopeSpans | None = None
        self._span_bytes = 0
        self._around_bytes = 0

    def is_full_with(self, source: Source, size_bytes: int) -> bool:
        limit = max(
            CHUNK_BYTES, _SHARE_OF_RESOURCE * (self._around_bytes + self._new_around(source))
        )
        return self._span_bytes + size_bytes > limit

    def add(self, source: Source, size_bytes: int = 0) -> None:
        if size_bytes:
            self._span_bytes += size_bytes
            self._around_bytes += self._new_around(source)
        if source.resource_spans is not self._resource:
            added = self._data.resource_spans.add(schema_url=source.resource_spans.schema_url)
            added.resource.CopyFrom(source.resource_spans.resource)
            self._resource, self._scope = source.resource_spans, None
        if source.scope_spans is not self._scope:
            scope = self._data.resource_spans[-1].scope_spans.add(
                schema_url=source.scope_spans.schema_url
            )
            scope.scope.CopyFrom(source.scope_spans.scope)
            self._scope = source.scope_spans
        self._data.resource_spans[-1].scope_spans[-1].spans.append(source.span)

    def serialise(self) -> bytes:
        return self._data.SerializeToString()

    def _new_around(self, source: Source) -> int:
        """Bytes of resource and scope that this span would add."""
        size_bytes = 0
        if source.resource_spans is not self._resource:
            size_bytes += source.resource_spans.resource.ByteSize()
        if source.resource_spans is not self._resource or source.scope_spans is not self._scope:
            size_bytes += source.scope_spans.scope.ByteSize()
        return size_bytes
