"""Spans cut out of a serialised request, against the protobuf library doing the same."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData
from tests.spans import make_span
from tests.values import key_values

from tracelake.ingest.wire import Around, TracesBuilder, encode_span, spans_in

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def _varint(value: int, spare: int = 0) -> bytes:
    """As few bytes as it needs, and some more, which every parser takes."""
    said = bytearray()
    while value > 0x7F or spare > 0:
        spare -= value <= 0x7F
        said.append(value & 0x7F | 0x80)
        value >>= 7
    said.append(value)
    return bytes(said)


@st.composite
def _unknown(draw: st.DrawFn) -> bytes:
    """A field of a protocol to come: of any wire type, or with a number that we know otherwise."""
    number = draw(st.sampled_from([2, 900, 20_000]))
    match draw(st.sampled_from([0, 1, 3, 5] if number == 2 else [0, 1, 2, 3, 5])):
        case 0:
            inside, kind = _varint(draw(st.integers(0, 2**64 - 1))), 0
        case 1:
            inside, kind = draw(st.binary(min_size=8, max_size=8)), 1
        case 2:
            content = draw(st.binary(max_size=200))
            inside, kind = _varint(len(content), draw(st.integers(0, 2))) + content, 2
        case 5:
            inside, kind = draw(st.binary(min_size=4, max_size=4)), 5
        case _:
            inside, kind = draw(_fields()) + _varint(number << 3 | 4), 3
    return _varint(number << 3 | kind) + inside


def _fields() -> st.SearchStrategy[bytes]:
    return st.lists(_unknown(), max_size=2).map(b"".join)


@st.composite
def _message(draw: st.DrawFn, number: int, content: bytes) -> bytes:
    """A message in a field, with what a careless encoder may write."""
    tag = _varint(number << 3 | 2, draw(st.integers(0, 1)))
    return tag + _varint(len(content), draw(st.integers(0, 1))) + content


@st.composite
def _body(draw: st.DrawFn) -> bytes:
    body = draw(_fields())
    for _ in range(draw(st.integers(0, 3))):
        resource = ResourceSpans(schema_url=draw(_texts))
        resource.resource.attributes.extend(key_values({"service.name": draw(_texts)}))
        inside = [resource.SerializeToString(), draw(_fields())]
        for _ in range(draw(st.integers(0, 3))):
            scope = ScopeSpans(schema_url=draw(_texts))
            scope.scope.name = draw(_texts)
            below = [scope.SerializeToString(), draw(_fields())]
            for number in range(draw(st.integers(0, 3))):
                span = make_span(draw(st.integers(1, 3)), number + 1, note=draw(_texts))
                below.append(draw(_message(2, span.SerializeToString() + draw(_fields()))))
            inside.append(draw(_message(2, b"".join(draw(st.permutations(below))))))
        body += draw(_message(1, b"".join(draw(st.permutations(inside))))) + draw(_fields())
    return body


@given(_body())
def test_each_trace_is_cut_out_as_a_parser_would(body: bytes) -> None:
    spans = list(_parsed(ExportTraceServiceRequest.FromString(body)))
    traces: dict[bytes, TracesBuilder] = {}
    for (*_, trace_id), place in zip(spans, spans_in(body), strict=True):
        builder = traces.setdefault(trace_id, TracesBuilder())
        builder.add(place.around, body[place.begin : place.end])
    for trace_id, builder in traces.items():
        expected = [span for span in spans if span[-1] == trace_id]
        assert list(_parsed(TracesData.FromString(builder.serialise()))) == expected


def _parsed(data: ExportTraceServiceRequest | TracesData) -> Iterator[tuple[bytes, ...]]:
    """Every span after what it is in, and its trace id after it."""
    for resource_spans in data.resource_spans:
        resource = ResourceSpans()
        resource.CopyFrom(resource_spans)
        resource.ClearField("scope_spans")
        for scope_spans in resource_spans.scope_spans:
            scope = ScopeSpans()
            scope.CopyFrom(scope_spans)
            scope.ClearField("spans")
            for span in scope_spans.spans:
                yield (
                    *(message.SerializeToString() for message in (resource, scope, span)),
                    span.trace_id,
                )


def test_neighbours_in_equal_resources_share_one() -> None:
    around = Around(b"\x1a\x01r", b"\x1a\x01s")
    traces = TracesBuilder()
    for number in (1, 2):
        assert traces.added_around(around) == (6 if number == 1 else 0)
        traces.add(Around(*around), encode_span(make_span(1, number).SerializeToString()))
    assert traces.added_around(Around(around.resource, b"")) == 0
    data = TracesData.FromString(traces.serialise())
    assert [len(scope.spans) for one in data.resource_spans for scope in one.scope_spans] == [2]


@given(st.binary(max_size=300))
def test_any_bytes_end(data: bytes) -> None:
    with suppress(ValueError, IndexError):
        list(spans_in(data))


@pytest.mark.parametrize("levels", [40, 400, 40_000])
def test_groups_that_do_not_end(levels: int) -> None:
    with pytest.raises((ValueError, RecursionError)):
        list(spans_in(b"\x0b\x00\x00" * levels))
