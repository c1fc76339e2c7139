"""Values too large to lie among the spans of a chunk: taken out on the way in, cut into pieces; put
back, or shown by a marker, on the way out (decision 010)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelake.store.api import LargeValue
from tracelake.store.payload import pack

LARGE_VALUE_BYTES: Final = 64 * 1024
"""A value of more bytes than this lies apart."""
PIECE_BYTES: Final = 256 * 1024
MARKER: Final = "$large"
_HEAD_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class StoredValue:
    """Where a value that lies apart is, and what stands for it."""

    position: int
    place: tuple[int, ...]
    """Index of an attribute of the span; or index of an event, and of an attribute of that."""
    kind: str
    size_bytes: int
    head: str
    first_piece: int
    piece_count: int


def take_out(span: Span) -> list[LargeValue]:
    """Leave the large values of a span empty, and return them, with 0 for its position."""
    taken: list[LargeValue] = []
    for place, pair in _pairs(span):
        found = _large_content(pair.value)
        if found is None:
            continue
        kind, content, head = found
        pieces = [
            pack(content[at : at + PIECE_BYTES]) for at in range(0, len(content), PIECE_BYTES)
        ]
        taken.append(LargeValue(0, place, kind, len(content), head, pieces))
        pair.value.Clear()
    return taken


def put_back(span: Span, stored: StoredValue, content: bytes) -> None:
    """Fill a value that was taken out."""
    value = pair_at(span, stored.place).value
    match stored.kind:
        case "text":
            value.string_value = content.decode()
        case "bytes":
            value.bytes_value = content
        case _:
            value.ParseFromString(content)


def mark(span: Span, stored: StoredValue) -> None:
    """Let a marker stand for a value: its size, its beginning, and where to read it whole."""
    pair = pair_at(span, stored.place)
    told = {"type": stored.kind, "field": field_name(span, stored.place), "head": stored.head}
    marker = [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in told.items()]
    marker.append(KeyValue(key="size_bytes", value=AnyValue(int_value=stored.size_bytes)))
    inside = pair.value.kvlist_value.values.add(key=MARKER)
    inside.value.kvlist_value.values.extend(marker)


def pair_at(span: Span, place: Sequence[int]) -> KeyValue:
    if len(place) == 1:
        return span.attributes[place[0]]
    return span.events[place[0]].attributes[place[1]]


def field_name(span: Span, place: Sequence[int]) -> str:
    """How the API names the place of a value: attributes.<key> or events.<index>.<key>."""
    key = pair_at(span, place).key
    return f"attributes.{key}" if len(place) == 1 else f"events.{place[0]}.{key}"


def encode_places(values: Sequence[StoredValue]) -> bytes:
    return orjson.dumps(values)


def decode_places(stored: bytes | None) -> list[StoredValue]:
    if stored is None:
        return []
    return [
        StoredValue(**(told | {"place": tuple(told["place"])})) for told in orjson.loads(stored)
    ]


def _pairs(span: Span) -> Iterator[tuple[tuple[int, ...], KeyValue]]:
    for n, pair in enumerate(span.attributes):
        yield (n,), pair
    for at, event in enumerate(span.events):
        for n, pair in enumerate(event.attributes):
            yield (at, n), pair


def _large_content(value: AnyValue) -> tuple[str, bytes, str] | None:
    """Kind, bytes and beginning of a value, if it is large."""
    match value.WhichOneof("value"):
        case "string_value":
            text = value.string_value
            if len(text) * 4 <= LARGE_VALUE_BYTES:
                return None
            kind, content, head = "text", text.encode(), text[:_HEAD_CHARS]
        case "bytes_value":
            kind, content, head = "bytes", value.bytes_value, ""
        case "array_value" | "kvlist_value":
            kind, content, head = "value", value.SerializeToString(), ""
        case _:
            return None
    return (kind, content, head) if len(content) > LARGE_VALUE_BYTES else None
