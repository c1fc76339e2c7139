"""`traces.json`: the spans of a trace as a file, which clients of a workspace, and older ones, send
and read instead of spans."""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import nullcontext
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tracelake.mlflow_api.spans import attribute_texts
from tracelake.model.anyvalue import to_json_object
from tracelake.model.entities import JsonValue, TraceInfo
from tracelake.model.errors import InvalidInput, NotFound, PayloadTooLarge
from tracelake.model.ids import format_trace_id, parse_span_id, parse_trace_id
from tracelake.model.jsontexts import TRACE_ID, attributes_of, to_any
from tracelake.model.jsonvalue import as_list, as_object, objects_in
from tracelake.model.text import encodable
from tracelake.store.api import ClientInfo, ClientInfos, OtlpSpan, TraceReader

NAME: Final = "traces.json"
REFUSED: Final = "tracelake.refusedSpans"
"""Metadata of a trace whose client has spans that are not taken."""
_MOST_BYTES: Final = 128 * 1024 * 1024
"""Twice what a request with spans may have, by default."""
_SMALL_BYTES: Final = 1024 * 1024
"""A larger file waits on disk for its turn: what JSON unfolds to takes ten times its size."""
_PATH: Final = re.compile(
    r"(?P<experiment>\d+)/traces/(?P<trace>tr-[0-9a-f]{32})/artifacts/traces\.json\Z"
)
_CODES: Final = {
    "STATUS_CODE_OK": Status.STATUS_CODE_OK,
    "OK": Status.STATUS_CODE_OK,
    "STATUS_CODE_ERROR": Status.STATUS_CODE_ERROR,
    "ERROR": Status.STATUS_CODE_ERROR,
}
_WORDS: Final = {
    Status.STATUS_CODE_OK: "STATUS_CODE_OK",
    Status.STATUS_CODE_ERROR: "STATUS_CODE_ERROR",
}

StoreSpans = Callable[[str, bytes], Awaitable[None]]
"""Have the spans of an encoded request stored, durably, in an experiment."""


def trace_of_path(path: str) -> tuple[str, str] | None:
    """Experiment and trace of the path of a trace's file; None for the path of any other."""
    match = _PATH.match(path)
    return (match["experiment"], match["trace"]) if match else None


def trace_folder(info: TraceInfo) -> str:
    return f"{info.experiment_id}/traces/{info.trace_id}/artifacts"


class TraceFiles:
    """Files of traces in and out of the store, where they are spans like all others."""

    def __init__(self, traces: TraceReader, infos: ClientInfos, store_spans: StoreSpans) -> None:
        self._traces = traces
        self._infos = infos
        self._store_spans = store_spans
        self._turn = asyncio.Lock()

    async def take(self, experiment_id: str, trace_id: str, body: AsyncIterable[bytes]) -> None:
        """Store the spans of a file. Raises InvalidInput; then nobody waits for them any more."""
        with SpooledTemporaryFile(max_size=_SMALL_BYTES) as file:
            try:
                size_bytes = await _receive(body, file)
                async with nullcontext() if size_bytes <= _SMALL_BYTES else self._turn:
                    request = await asyncio.to_thread(self._missing, trace_id, file)
                    if request is not None:
                        await self._store_spans(experiment_id, request)
            except InvalidInput:
                await asyncio.to_thread(self.give_up, trace_id)
                raise

    def give_up(self, trace_id: str) -> None:
        """Let nobody wait for the spans of a trace that are not here."""
        for info in self._traces.get_traces([trace_id]):
            told = ClientInfo(
                trace_id,
                info.experiment_id,
                info.request_time_ns,
                info.execution_duration_ns,
                metadata={REFUSED: "true"},
            )
            self._infos.put(told)

    def _missing(self, trace_id: str, file: IO[bytes]) -> bytes | None:
        """Who has sent the spans themselves sends the file as well, with less of their types."""
        there = self._traces.get_whole([trace_id])
        known = {span.message.span_id for trace in there for span in trace.spans}
        missing = [span for span in _spans(trace_id, file) if span.span_id not in known]
        if not missing:
            return None
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.extend(missing)
        return request.SerializeToString()

    def folder(self, trace_id: str) -> str:
        """Where a trace has its files. Raises NotFound."""
        return trace_folder(self._traces.get_trace(trace_id))

    def make(self, trace_id: str) -> bytes:
        """The file of a trace. Raises NotFound."""
        found = self._traces.get_whole([trace_id])
        if not found:
            raise NotFound(f"Trace {trace_id} does not exist")
        return json.dumps({"spans": [_told(span) for span in found[0].spans]}).encode()


async def _receive(body: AsyncIterable[bytes], file: IO[bytes]) -> int:
    """A body into a file, to be read from its beginning; its bytes. Raises PayloadTooLarge."""
    size_bytes = 0
    async for piece in body:
        size_bytes += len(piece)
        # The rest is read and forgotten: a client that is still sending hears no answer.
        if size_bytes <= _MOST_BYTES:
            await asyncio.to_thread(file.write, piece)
    if size_bytes > _MOST_BYTES:
        raise PayloadTooLarge(f"{NAME}: the file of a trace has {_MOST_BYTES >> 20} MiB at most")
    file.seek(0)
    return size_bytes


def _told(span: OtlpSpan) -> dict[str, Any]:
    message = span.message
    return {
        "trace_id": _base64(message.trace_id),
        "span_id": _base64(message.span_id),
        "parent_span_id": _base64(message.parent_span_id) or None,
        "name": message.name,
        "start_time_unix_nano": message.start_time_unix_nano,
        "end_time_unix_nano": message.end_time_unix_nano or None,
        "events": [
            {
                "name": event.name,
                "time_unix_nano": event.time_unix_nano,
                "attributes": to_json_object(event.attributes),
            }
            for event in message.events
        ],
        "status": {
            "code": _WORDS.get(message.status.code, "STATUS_CODE_UNSET"),
            "message": message.status.message,
        },
        "attributes": attribute_texts(span),
        "links": [
            {
                "trace_id": format_trace_id(link.trace_id),
                "span_id": link.span_id.hex(),
                "attributes": to_json_object(link.attributes) or None,
            }
            for link in message.links
        ],
    }


def _spans(trace_id: str, file: IO[bytes]) -> list[OtlpMessage]:
    try:
        told = as_object(json.load(file))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{NAME}: not JSON: {error}") from error
    spans = None if told is None else as_list(told.get("spans"))
    if spans is None:
        raise InvalidInput(f"{NAME}: an object with a list of `spans` was expected")
    raw_id = parse_trace_id(trace_id)
    found: list[OtlpMessage] = []
    for span in objects_in(spans):
        try:
            found.append(_span(raw_id, span))
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InvalidInput(f"{NAME}: a span cannot be read: {error}") from error
    return found


def _span(raw_id: bytes, told: dict[str, JsonValue]) -> OtlpMessage:
    if "context" in told:
        return _old_span(raw_id, told)
    status = as_object(told.get("status")) or {}
    message = OtlpMessage(
        trace_id=raw_id,
        span_id=_raw(told["span_id"]),
        parent_span_id=_raw(told.get("parent_span_id") or ""),
        name=_text(told.get("name")),
        start_time_unix_nano=_time(told.get("start_time_unix_nano")),
        end_time_unix_nano=_time(told.get("end_time_unix_nano")),
        status=Status(
            code=_CODES.get(str(status.get("code")), Status.STATUS_CODE_UNSET),
            message=_text(status.get("message")),
        ),
        attributes=_attributes(told),
    )
    for link in objects_in(told.get("links")):
        message.links.add(
            # Unlike the span's own ids, as they are told; a place may stand before the trace's.
            trace_id=parse_trace_id(str(link["trace_id"]).rpartition("/")[2]),
            span_id=parse_span_id(str(link["span_id"])),
            attributes=_pairs(link.get("attributes")),
        )
    _add_events(message, told, "time_unix_nano")
    return message


def _old_span(raw_id: bytes, told: dict[str, JsonValue]) -> OtlpMessage:
    """As clients before version 3 wrote it: ids in hex, times without units in their names."""
    context = as_object(told["context"]) or {}
    parent = str(told.get("parent_id") or "")
    message = OtlpMessage(
        trace_id=raw_id,
        span_id=_hex(str(context["span_id"])),
        parent_span_id=_hex(parent) if parent else b"",
        name=_text(told.get("name")),
        start_time_unix_nano=_time(told.get("start_time")),
        end_time_unix_nano=_time(told.get("end_time")),
        status=Status(
            code=_CODES.get(str(told.get("status_code")), Status.STATUS_CODE_UNSET),
            message=_text(told.get("status_message")),
        ),
        attributes=_attributes(told),
    )
    _add_events(message, told, "timestamp")
    return message


def _add_events(message: OtlpMessage, told: dict[str, JsonValue], time_key: str) -> None:
    for event in objects_in(told.get("events")):
        message.events.add(
            name=_text(event.get("name")),
            time_unix_nano=_time(event.get(time_key)),
            attributes=_pairs(event.get("attributes")),
        )


def _attributes(told: dict[str, JsonValue]) -> Sequence[KeyValue]:
    """Each is the JSON text of its value; from the client in TypeScript, the value itself."""
    attributes = as_object(told.get("attributes")) or {}
    if str(attributes.get(TRACE_ID)).startswith("tr-"):
        return attributes_of(attributes)
    return attributes_of({key: _parsed(value) for key, value in attributes.items()})


def _parsed(value: JsonValue) -> JsonValue:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _pairs(told: JsonValue) -> Sequence[KeyValue]:
    pairs = (as_object(told) or {}).items()
    return [KeyValue(key=encodable(key), value=to_any(value)) for key, value in pairs]


def _text(value: JsonValue) -> str:
    return encodable(str(value or ""))


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _raw(value: JsonValue) -> bytes:
    return base64.b64decode(str(value), validate=True)


def _time(value: JsonValue) -> int:
    return int(value or 0)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
