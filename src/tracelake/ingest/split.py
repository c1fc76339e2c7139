"""The spans of one trace in one request, to chunks of bounded size (decision 010)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
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
    came_alone = whole is not None
    if whole is None:
        data = _TracesOf()
        data.extend(sources)
        whole = data.serialise()
    if len(whole) <= LARGE_VALUE_BYTES:
        return [Chunk(pack(whole))]
    return _split(sources, rows, whole if came_alone else None)


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
    """TracesData that grows, each span under its own resource and scope."""

    def __init__(self) -> None:
        self._data = TracesData()
        self._resource: ResourceSpans | None = None
        self._scope: ScopeSpans | None = None
        self._spans = ScopeSpans().spans
        self._span_bytes = 0
        self._around_bytes = 0

    def is_full_with(self, source: Source, size_bytes: int) -> bool:
        around_bytes = self._around_bytes + self._new_around(source)
        limit_bytes = max(CHUNK_BYTES, _SHARE_OF_RESOURCE * around_bytes)
        return self._span_bytes + size_bytes > limit_bytes

    def add(self, source: Source, size_bytes: int) -> None:
        self._span_bytes += size_bytes
        self._around_bytes += self._new_around(source)
        self.extend((source,))

    def extend(self, sources: Sequence[Source]) -> None:
        for resource_spans, scope_spans, span in sources:
            if scope_spans is not self._scope or resource_spans is not self._resource:
                self._spans = self._below(resource_spans, scope_spans)
            self._spans.append(span)

    def serialise(self) -> bytes:
        return self._data.SerializeToString()

    def _below(
        self, resource_spans: ResourceSpans, scope_spans: ScopeSpans
    ) -> RepeatedCompositeFieldContainer[Span]:
        """Where the spans of this resource and scope go."""
        if resource_spans is not self._resource:
            added = self._data.resource_spans.add(schema_url=resource_spans.schema_url)
            added.resource.CopyFrom(resource_spans.resource)
        scope = self._data.resource_spans[-1].scope_spans.add(schema_url=scope_spans.schema_url)
        scope.scope.CopyFrom(scope_spans.scope)
        self._resource, self._scope = resource_spans, scope_spans
        return scope.spans

    def _new_around(self, source: Source) -> int:
        """Bytes of resource and scope that this span would add."""
        size_bytes = 0
        if source.resource_spans is not self._resource:
            size_bytes += source.resource_spans.resource.ByteSize()
        if size_bytes or source.scope_spans is not self._scope:
            size_bytes += source.scope_spans.scope.ByteSize()
        return size_bytes
