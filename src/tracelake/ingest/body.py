"""A plain request body to OTLP: protobuf or JSON."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Final

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelake.model.entities import JsonValue
from tracelake.model.errors import InvalidInput, UnsupportedMedia
from tracelake.model.jsonvalue import as_object, objects_in
from tracelake.model.preview import cut
from tracelake.model.text import storable

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_NOT_OTLP: Final = (ParseError, ValueError, TypeError, RecursionError, AttributeError)
_ON_THE_WAY: Final = re.compile(r"Failed to parse (\w+) field: ")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ID_KEYS: Final = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")


def content_type_of(header: str) -> str:
    """The media type of a Content-Type header. Raises UnsupportedMedia for one we do not read."""
    media_type = header.partition(";")[0].strip().lower()
    if media_type not in (PROTOBUF, JSON):
        raise UnsupportedMedia(
            f"content type {media_type or '(none)'!r}: send {PROTOBUF} or {JSON}"
        )
    return media_type


def parse(body: bytes, media_type: str) -> ExportTraceServiceRequest:
    """The request in a plain body. Raises InvalidInput with what was wrong.

    No bytes are refused, as by MLflow's server: a body was lost on the way.
    """
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


def _parse_json(body: bytes) -> ExportTraceServiceRequest:
    told = load_json(body)
    for scope_spans in scopes_in(told):
        for span in objects_in(scope_spans.get("spans")):
            _read_ids(span)
    try:
        return ParseDict(told, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except _NOT_OTLP as error:
        raise InvalidInput(f"the body is not OTLP in JSON: {_short(error)}") from error


def load_json(body: bytes) -> dict[str, JsonValue]:
    """A request in JSON, unread. Raises InvalidInput."""
    try:
        text = body.decode("utf-8-sig")
        whole = json.loads(text)
        if _SURROGATE.search(text):
            # Halves of pairs, as a program writes that cuts a text in the middle of an emoji.
            whole = json.loads(storable(json.dumps(whole, ensure_ascii=False)))
        told = as_object(whole)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {_short(error)}") from error
    if told is None:
        raise InvalidInput("the body is not an object with resourceSpans")
    return told


def scopes_in(told: dict[str, JsonValue]) -> Iterator[dict[str, JsonValue]]:
    """Each ScopeSpans of a request in JSON."""
    for resource_spans in objects_in(told.get("resourceSpans") or told.get("resource_spans")):
        yield from objects_in(resource_spans.get("scopeSpans") or resource_spans.get("scope_spans"))


def check_json_span(span: JsonValue) -> None:
    """Raises InvalidInput with what is wrong with one span. It is not to be used any more."""
    told = as_object(span)
    if told is None:
        raise InvalidInput("it is not an object")
    _read_ids(told)
    try:
        ParseDict(told, Span(), ignore_unknown_fields=True)
    except _NOT_OTLP as error:
        raise InvalidInput(_short(error)) from error


def _read_ids(span: dict[str, JsonValue]) -> None:
    _ids_to_base64(span)
    for link in objects_in(span.get("links")):
        _ids_to_base64(link)


def _ids_to_base64(holder: dict[str, JsonValue]) -> None:
    """OTLP's JSON writes ids in hex, where protobuf's own JSON expects base64."""
    for key in _ID_KEYS:
        text = holder.get(key)
        if isinstance(text, str):
            try:
                holder[key] = base64.b64encode(bytes.fromhex(text)).decode()
            except ValueError as error:
                raise InvalidInput(f"{key} {_short(text)!r} is not hex") from error


def _short(said: object) -> str:
    """What a parser said, which may repeat the body, as a line that every answer can carry."""
    text = str(said)
    way = ".".join(_ON_THE_WAY.findall(text))
    # The reason first: of a value far down, the way to it fills a page.
    reason = f"{_ON_THE_WAY.sub('', text)} (at {way})" if way else text
    return cut(storable(reason), 500)
