"""The payload of spans: OTLP TracesData, as it came, compressed with zstd, in chunks.

Nothing is translated on the way in, so nothing can be lost: types, scope, resource and links stay.
"""

import threading
from collections.abc import Iterator
from typing import Final

import zstandard
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from tracelake.model.anyvalue import to_json_object
from tracelake.model.entities import Span, SpanEvent, SpanHead, SpanLink
from tracelake.model.ids import format_trace_id
from tracelake.model.semconv.read import read_attributes, read_inputs, read_outputs

_LEVEL = 1
"""Compression runs on the way to the commit, so speed comes first (decision 003)."""


class _Zstd(threading.local):
    """Making a compressor took 9 of 33 us for a trace of 28 KB, a decompressor 6 of 9 for a span.
    One is for one thread at a time."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Zstd()


def pack(content: bytes) -> bytes:
    """Compress serialised TracesData, or a piece of a large value."""
    return _zstd.compress(content)


def unpack(chunk: bytes) -> TracesData:
    """A chunk back to TracesData."""
    return TracesData.FromString(unpack_piece(chunk))


def unpack_piece(piece: bytes) -> bytes:
    """The bytes that were packed."""
    return _zstd.decompress(piece)


def spans_in_order(data: TracesData) -> Iterator[tuple[Resource, InstrumentationScope, OtlpSpan]]:
    """Every span with its resource and scope; the n-th is at `position` n of the chunk."""
    for resource_spans in data.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield resource_spans.resource, scope_spans.scope, span


def whole_span(
    head: SpanHead, resource: Resource, scope: InstrumentationScope, span: OtlpSpan
) -> Span:
    """The head from the columns and everything else from the payload."""
    facts = read_attributes(span.attributes)
    return Span(
        head=head,
        inputs=read_inputs(span, facts),
        outputs=read_outputs(span, facts),
        attributes=to_json_object(span.attributes),
        events=tuple(
            SpanEvent(event.name, event.time_unix_nano, to_json_object(event.attributes))
            for event in span.events
        ),
        links=tuple(
            SpanLink(
                format_trace_id(link.trace_id), link.span_id.hex(), to_json_object(link.attributes)
            )
            for link in span.links
        ),
        status_message=span.status.message,
        kind=OtlpSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
        if span.kind in OtlpSpan.SpanKind.values()
        else str(span.kind),
        resource=to_json_object(resource.attributes),
        scope_name=scope.name,
        scope_version=scope.version,
    )


_STATUS_WORDS: Final[dict[int, str]] = {
    Status.STATUS_CODE_OK: "OK",
    Status.STATUS_CODE_ERROR: "ERROR",
}


def status_word(status: Status) -> str:
    """OTLP status as a word. A code of a later protocol reads as UNSET."""
    return _STATUS_WORDS.get(status.code, "UNSET")
