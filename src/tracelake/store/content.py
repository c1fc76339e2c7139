"""The content of one value of a span, by range: of a large one, only the pieces that are asked for
are read."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from sqlalchemy import Connection

from tracelake.model.anyvalue import to_json_value
from tracelake.model.entities import JsonValue
from tracelake.model.errors import NotFound
from tracelake.model.semconv.read import read_attributes, read_inputs, read_outputs
from tracelake.store.api import SpanContent
from tracelake.store.chunks import StoredChunk, restore
from tracelake.store.large import PIECE_BYTES, StoredValue, pair_at

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"

ReadPiece = Callable[[int], bytes]
"""The piece of a number, read in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class SpanInChunk:
    chunk: StoredChunk
    position: int
    span: OtlpSpan


def content_of(
    connection: Connection, place: SpanInChunk, field: str, read_piece: ReadPiece
) -> SpanContent:
    """The content of a field of a span (`api.TraceReader.get_content`). Raises NotFound."""
    span = place.span
    large = place.chunk.large_of(place.position)
    if field in ("inputs", "outputs"):
        facts = read_attributes(span.attributes)
        at = facts.inputs_at if field == "inputs" else facts.outputs_at
        if at is None:
            restore(connection, span, large)
            read = read_inputs if field == "inputs" else read_outputs
            told = read(span, facts)
            if told is None:
                raise NotFound(f"the span has no {field}")
            return _of_bytes(place, _JSON, _json(told))
        found: tuple[int, ...] = (at,)
    else:
        found = _place_of_name(span, field)
    stored = next((value for value in large if value.place == found), None)
    if stored is None or stored.kind == "value":
        restore(connection, span, [stored] if stored else [])
        return _of_bytes(place, *_small_content(pair_at(span, found).value))
    return SpanContent(
        media_type=_TEXT if stored.kind == "text" else _BYTES,
        size_bytes=stored.size_bytes,
        version=_version(place),
        read=lambda start, stop: _read_pieces(stored, start, stop, read_piece),
    )


def _place_of_name(span: OtlpSpan, field: str) -> tuple[int, ...]:
    kind, _, key = field.partition(".")
    around: tuple[int, ...] = ()
    pairs = span.attributes
    if kind == "events":
        number, _, key = key.partition(".")
        is_number = number.isascii() and number.isdecimal() and len(number) < 10
        if not is_number or int(number) >= len(span.events):
            raise NotFound(f"the span has no field {field!r}")
        around = (int(number),)
        pairs = span.events[around[0]].attributes
    elif kind != "attributes":
        raise NotFound(
            f"there is no field {field!r}: inputs, outputs, attributes.<key>, events.<number>.<key>"
        )
    # Of two equal keys the later one counts, as in the span's JSON.
    for n in range(len(pairs) - 1, -1, -1):
        if pairs[n].key == key:
            return (*around, n)
    raise NotFound(f"the span has no field {field!r}")


def _small_content(value: AnyValue) -> tuple[str, bytes]:
    match value.WhichOneof("value"):
        case "string_value":
            return _TEXT, value.string_value.encode()
        case "bytes_value":
            return _BYTES, value.bytes_value
        case _:
            return _JSON, _json(to_json_value(value))


def _json(value: JsonValue) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="surrogatepass")


def _of_bytes(place: SpanInChunk, media_type: str, content: bytes) -> SpanContent:
    def read(start: int, stop: int) -> Iterator[bytes]:
        yield content[start:stop]

    return SpanContent(media_type, len(content), _version(place), read)


def _version(place: SpanInChunk) -> str:
    # A span that comes again lies in another chunk.
    return f"{place.chunk.chunk_id:x}-{place.position:x}"


def _read_pieces(
    stored: StoredValue, start: int, stop: int, read_piece: ReadPiece
) -> Iterator[bytes]:
    for number in range(start // PIECE_BYTES, -(-stop // PIECE_BYTES)):
        begin = number * PIECE_BYTES
        piece = read_piece(stored.first_piece + number)
        yield piece[max(start - begin, 0) : stop - begin]
