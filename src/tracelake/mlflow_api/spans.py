"""Spans as the protocol's JSON: OTLP with snake_case names, ids in base64, numbers as numbers."""

import base64
import json
import math
from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tracelake.model.anyvalue import to_json_value, to_payload
from tracelake.model.entities import JsonValue, SpanType
from tracelake.model.jsontexts import MARK, are_kept, to_any
from tracelake.model.jsonvalue import as_list, as_object
from tracelake.model.semconv.read import read_attributes, read_inputs, read_outputs
from tracelake.store.api import OtlpSpan

_STATUS: Final = {
    Status.STATUS_CODE_OK: "STATUS_CODE_OK",
    Status.STATUS_CODE_ERROR: "STATUS_CODE_ERROR",
}
_INPUTS: Final = "mlflow.spanInputs"
_OUTPUTS: Final = "mlflow.spanOutputs"
_MAY_BE_JSON: Final = (_INPUTS, _OUTPUTS)


def span_message(span: OtlpSpan) -> dict[str, Any]:
    """With the attributes where MLflow's clients look for what other conventions say."""
    message = span.message
    told: dict[str, Any] = {
        "trace_id": _base64(message.trace_id),
        "span_id": _base64(message.span_id),
        "name": message.name,
        "start_time_unix_nano": message.start_time_unix_nano,
        "attributes": [*_attributes(span)],
        "status": {"code": _STATUS.get(message.status.code, "STATUS_CODE_UNSET")},
    }
    if message.parent_span_id:
        told["parent_span_id"] = _base64(message.parent_span_id)
    if message.end_time_unix_nano:
        told["end_time_unix_nano"] = message.end_time_unix_nano
    if message.status.message:
        told["status"]["message"] = message.status.message
    if message.events:
        told["events"] = [_event(event) for event in message.events]
    if message.links:
        told["links"] = [_link(link) for link in message.links]
    return told


def _attributes(span: OtlpSpan) -> Iterator[dict[str, Any]]:
    pairs = span.message.attributes
    if are_kept(pairs):
        told = {pair.key: _typed(_value_of_text(pair)) for pair in _texts(pairs)}
    else:
        told = {pair.key: _any_of(pair) for pair in pairs}
    yield from ({"key": key, "value": value} for key, value in told.items())
    for key, value in _derived(span, told.keys()):
        yield {"key": key, "value": _typed(value)}


def attribute_texts(span: OtlpSpan) -> dict[str, str]:
    """The same attributes as JSON texts."""
    pairs = span.message.attributes
    if are_kept(pairs):
        told = {pair.key: pair.value.string_value for pair in _texts(pairs)}
    else:
        told = {pair.key: _json_text(_value_of(pair)) for pair in pairs}
    derived = {key: _json_text(value) for key, value in _derived(span, told.keys())}
    return told | derived


def _texts(pairs: Iterable[KeyValue]) -> Iterator[KeyValue]:
    return (pair for pair in pairs if pair.key != MARK)


def _value_of_text(pair: KeyValue) -> JsonValue:
    try:
        return json.loads(pair.value.string_value)
    except (ValueError, RecursionError):
        return pair.value.string_value


def _json_text(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _any_of(pair: KeyValue) -> dict[str, Any]:
    parsed = _parsed(pair)
    return _any_value(pair.value) if parsed is None else _typed(parsed)


def _value_of(pair: KeyValue) -> JsonValue:
    parsed = _parsed(pair)
    return to_json_value(pair.value) if parsed is None else parsed


def _parsed(pair: KeyValue) -> JsonValue:
    """Inputs or outputs that came as the text of a structure; None for all else."""
    if pair.key not in _MAY_BE_JSON or not pair.value.string_value:
        return None
    parsed = to_payload(pair.value)
    is_structure = as_object(parsed) is not None or as_list(parsed) is not None
    return parsed if is_structure else None


def _derived(span: OtlpSpan, there: Container[str]) -> Iterator[tuple[str, JsonValue]]:
    head = span.head
    if "mlflow.traceRequestId" not in there:
        yield "mlflow.traceRequestId", head.trace_id
    if "mlflow.spanType" not in there and head.span_type != SpanType.UNKNOWN:
        yield "mlflow.spanType", head.span_type
    if _INPUTS not in there or _OUTPUTS not in there:
        facts = read_attributes(span.message.attributes)
        inputs, outputs = read_inputs(span.message, facts), read_outputs(span.message, facts)
        if _INPUTS not in there and inputs is not None:
            yield _INPUTS, inputs
        if _OUTPUTS not in there and outputs is not None:
            yield _OUTPUTS, outputs
    if "mlflow.llm.model" not in there and head.model:
        yield "mlflow.llm.model", head.model
    if "mlflow.llm.provider" not in there and head.provider:
        yield "mlflow.llm.provider", head.provider
    if "mlflow.chat.tokenUsage" not in there and head.token_usage is not None:
        yield "mlflow.chat.tokenUsage", head.token_usage.to_json()
    if "mlflow.llm.cost" not in there and head.cost is not None:
        yield "mlflow.llm.cost", head.cost.to_json()


def _event(event: OtlpMessage.Event) -> dict[str, Any]:
    return {
        "name": event.name,
        "time_unix_nano": event.time_unix_nano,
        "attributes": _pairs(event.attributes),
    }


def _link(link: OtlpMessage.Link) -> dict[str, Any]:
    return {
        "trace_id": _base64(link.trace_id),
        "span_id": _base64(link.span_id),
        "attributes": _pairs(link.attributes),
    }


def _pairs(pairs: Iterable[KeyValue]) -> list[dict[str, Any]]:
    return [{"key": each.key, "value": _any_value(each.value)} for each in pairs]


def _any_value(value: AnyValue) -> dict[str, Any]:
    """An AnyValue as it came; one that is unset, which means None, is empty."""
    match value.WhichOneof("value"):
        case "string_value":
            return {"string_value": value.string_value}
        case "int_value":
            return {"int_value": value.int_value}
        case "bool_value":
            return {"bool_value": value.bool_value}
        case "double_value":
            return {"double_value": _double(value.double_value)}
        case "array_value":
            return {"array_value": {"values": [_any_value(v) for v in value.array_value.values]}}
        case "kvlist_value":
            return {"kvlist_value": {"values": _pairs(value.kvlist_value.values)}}
        case "bytes_value":
            return {"bytes_value": _base64(value.bytes_value)}
        case _:
            return {}


def _typed(value: JsonValue) -> dict[str, Any]:
    """A value of JSON as an AnyValue."""
    return _any_value(to_any(value))


def _double(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
