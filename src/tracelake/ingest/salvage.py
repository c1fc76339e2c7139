"""A body that cannot be parsed as a whole, without the spans that are the reason.

One value that is nested too deeply must not cost the other spans of its batch.
"""

import json
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tracelake.ingest.body import JSON, check_json_span, load_json, scopes_in
from tracelake.ingest.outcome import Refused
from tracelake.ingest.wire import Around, TracesBuilder, spans_in
from tracelake.model.entities import JsonValue
from tracelake.model.errors import InvalidInput
from tracelake.model.jsonvalue import as_list, as_object

_REASON: Final = "unreadable"
_NOTHING: Final = Around(b"", b"")


def without_unreadable(body: bytes, media_type: str, error: InvalidInput) -> tuple[bytes, Refused]:
    """The body without the spans that cannot be read, and those. `error` is why it was not parsed;
    raises it where no single span is to blame, or all are."""
    refused = Refused()
    try:
        kept = (_json if media_type == JSON else _protobuf)(body, refused)
    except (InvalidInput, IndexError, ValueError, RecursionError) as cause:
        raise error from cause
    if not kept or not refused.count:
        raise error
    return kept, refused


def _protobuf(body: bytes, refused: Refused) -> bytes:
    traces = TracesBuilder()
    for number, (around, begin, end) in enumerate(spans_in(body), 1):
        encoded = body[begin:end]
        alone = TracesBuilder()
        alone.add(_NOTHING, encoded)
        try:
            # As deep as in the body: how deep a value may be is counted from the request.
            TracesData.FromString(alone.serialise())
        except DecodeError:
            why = "it is damaged, or a value of it is nested too deeply"
            refused.add(_REASON, f"number {number}", why)
        else:
            traces.add(around, encoded)
    return traces.serialise()


def _json(body: bytes, refused: Refused) -> bytes:
    kept = 0
    told = load_json(body)
    for scope_spans in scopes_in(told):
        good: list[JsonValue] = []
        for span in as_list(scope_spans.get("spans")) or ():
            encoded = json.dumps(span)
            try:
                check_json_span(span)
            except InvalidInput as error:
                name = (as_object(span) or {}).get("name")
                refused.add(_REASON, name if isinstance(name, str) else "", error.message)
            else:
                good.append(json.loads(encoded))
        scope_spans["spans"] = good
        kept += len(good)
    return json.dumps(told).encode() if kept else b""
