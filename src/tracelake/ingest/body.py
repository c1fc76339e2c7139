"""A request body to OTLP: decompress within bounds, then parse protobuf or JSON."""

import base64
import json
import zlib
from typing import Final

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelake.model.entities import JsonValue
from tracelake.model.errors import InvalidInput, PayloadTooLarge, UnsupportedMedia
from tracelake.model.jsonvalue import as_object, objects_in

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_ANY_ZLIB_HEADER: Final = 47
_RAW_DEFLATE: Final = -15
_ID_KEYS: Final = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")


def content_type_of(header: str) -> str:
    """The media type of a Content-Type header. Raises UnsupportedMedia for one we do not read."""
    media_type = header.partition(";")[0].strip().lower()
    if media_type not in (PROTOBUF, JSON):
        raise UnsupportedMedia(
            f"content type {media_type or '(none)'!r}: send {PROTOBUF} or {JSON}"
        )
    return media_type


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain body. Stops at `max_bytes`, so that a small bomb cannot fill the memory.

    Raises UnsupportedMedia, PayloadTooLarge, InvalidInput for data that is not what it says.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, _ANY_ZLIB_HEADER, max_bytes)
        case "deflate":
            # "deflate" is zlib by the book and raw deflate in practice; the header tells.
            is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
            return _inflate(body, _ANY_ZLIB_HEADER if is_zlib else _RAW_DEFLATE, max_bytes)
        case other:
            raise UnsupportedMedia(f"content encoding {other!r}: send gzip, deflate or none")


def parse(body: bytes, media_type: str) -> ExportTraceServiceRequest:
    """The request in a plain body. Raises InvalidInput with what was wrong."""
    if not body:
        raise InvalidInput("the body is empty; an ExportTraceServiceRequest was expected")
    if media_type == JSON:
        return _parse_json(body)
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise InvalidInput(
            "the body is not an OTLP ExportTraceServiceRequest in protobuf"
        ) from error


def _inflate(body: bytes, window_bits: int, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    room = max_bytes
    rest = body
    while rest:
        stream = zlib.decompressobj(window_bits)
        try:
            pieces.append(stream.decompress(rest, room + 1))
        except zlib.error as error:
            raise InvalidInput(f"the compressed body cannot be read: {error}") from error
        room -= len(pieces[-1])
        if room < 0:
            raise PayloadTooLarge(f"the body is larger than {max_bytes} bytes when decompressed")
        if not stream.eof:
            raise InvalidInput("the compressed body ends too early")
        rest = stream.unused_data
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _parse_json(body: bytes) -> ExportTraceServiceRequest:
    try:
        told = as_object(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    if told is None:
        raise InvalidInput("the body is not an object with resourceSpans")
    for resource_spans in objects_in(told.get("resourceSpans") or told.get("resource_spans")):
        for scope_spans in objects_in(
            resource_spans.get("scopeSpans") or resource_spans.get("scope_spans")
        ):
            for span in objects_in(scope_spans.get("spans")):
                _ids_to_base64(span)
                for link in objects_in(span.get("links")):
                    _ids_to_base64(link)
    try:
        return ParseDict(told, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, RecursionError, AttributeError) as error:
        raise InvalidInput(f"the body is not OTLP in JSON: {error}") from error


def _ids_to_base64(holder: dict[str, JsonValue]) -> None:
    """OTLP's JSON writes ids in hex, where protobuf's own JSON expects base64."""
    for key in _ID_KEYS:
        text = holder.get(key)
        if isinstance(text, str):
            try:
                holder[key] = base64.b64encode(bytes.fromhex(text)).decode()
            except ValueError as error:
                raise InvalidInput(f"{key} {text!r} is not hex") from error
