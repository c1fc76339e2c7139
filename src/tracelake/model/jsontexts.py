"""Attributes that are JSON texts of their values, as MLflow's OTLP exporter and its files of traces
write them: to typed values, or kept as texts where OTLP cannot hold one of the values."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelake.model.anyvalue import to_json_value
from tracelake.model.entities import JsonValue
from tracelake.model.jsonvalue import as_list, as_object
from tracelake.model.semconv.read import METADATA_PREFIX, TAG_PREFIX
from tracelake.model.text import encodable

TRACE_ID: Final = "mlflow.traceRequestId"
"""An attribute of every span of MLflow's: it shows whether values are told as JSON texts."""
QUOTED_ID: Final = b'"tr-'
"""Where these bytes are not, no span has JSON texts."""
KEPT: Final = "tracelake.jsonTexts"
"""Metadata of a trace with a span whose attributes are kept as texts."""
MARK: Final = METADATA_PREFIX + KEPT
"""The attribute of such a span that says so."""
_MOST_DEEP: Final = 30
"""Protobuf is read, and its JSON by clients, up to 100 messages in each other. A level of objects
takes three of them, and five are around an attribute."""
_INT64: Final = 2**63


def type_attributes(spans: Iterable[Span]) -> bool:
    """Give spans that came with JSON texts the values they stand for; whether there were any."""
    found = False
    for span in spans:
        if _has_texts(span.attributes):
            found = True
            _type(span)
    return found


def attributes_of(values: Mapping[str, JsonValue]) -> list[KeyValue]:
    """Typed attributes; where OTLP cannot hold one, all are JSON texts, and one more says so."""
    if all(_fits(value) for value in values.values()):
        return [KeyValue(key=encodable(key), value=to_any(value)) for key, value in values.items()]
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}
    return [
        KeyValue(key=encodable(key), value=AnyValue(string_value=encodable(text)))
        for key, text in (texts | {MARK: "true"}).items()
    ]


def are_kept(attributes: Sequence[KeyValue]) -> bool:
    """Whether all are JSON texts but the mark."""
    return any(pair.key == MARK for pair in attributes)


def to_any(value: JsonValue) -> AnyValue:
    """An OTLP value. Of one that OTLP cannot hold, whole numbers become doubles, and what is too
    deep a JSON text."""
    return _any(value, 0)


def _any(value: JsonValue, level: int) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int() if -_INT64 <= value < _INT64:
            return AnyValue(int_value=value)
        case int() | float():
            return AnyValue(double_value=to_double(value))
        case str():
            return AnyValue(string_value=encodable(value))
        case _ if level == _MOST_DEEP:
            return AnyValue(string_value=encodable(json.dumps(value, ensure_ascii=False)))
        case list():
            made = AnyValue()
            made.array_value.SetInParent()
            items = as_list(value) or ()
            made.array_value.values.extend(_any(item, level + 1) for item in items)
            return made
        case _:
            made = AnyValue()
            made.kvlist_value.SetInParent()
            made.kvlist_value.values.extend(
                KeyValue(key=encodable(key), value=_any(item, level + 1))
                for key, item in (as_object(value) or {}).items()
            )
            return made


def to_double(number: float) -> float:
    """The nearest double; of a whole number past them all, infinity."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _fits(value: JsonValue, level: int = 0) -> bool:
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    members = as_object(value)
    items = as_list(value) if members is None else members.values()
    return items is None or (level < _MOST_DEEP and all(_fits(item, level + 1) for item in items))


def _has_texts(attributes: Sequence[KeyValue]) -> bool:
    for pair in attributes:
        if pair.key == TRACE_ID:
            return pair.value.string_value.startswith('"') and not are_kept(attributes)
    return False


def _type(span: Span) -> None:
    values = {pair.key: _read(pair) for pair in span.attributes}
    if not all(_fits(value) for value in values.values()):
        kept = attributes_of(values)
        del span.attributes[:]
        span.attributes.extend(kept)
        return
    for pair in span.attributes:
        if pair.value.string_value:
            pair.value.CopyFrom(to_any(values[pair.key]))


def _read(pair: KeyValue) -> JsonValue:
    """Of numbers and words nobody can tell whether they are meant as texts: these they stay, as by
    MLflow's server. What is told of the trace was never wrapped."""
    if not pair.value.string_value or pair.key.startswith(TAG_PREFIX):
        return to_json_value(pair.value)
    text = pair.value.string_value
    try:
        parsed: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    is_wrapped = isinstance(parsed, str | list | dict)
    return cast("JsonValue", parsed) if is_wrapped else text
