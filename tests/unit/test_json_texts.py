"""Attributes that came as JSON texts: typed, or kept where OTLP cannot hold what they say."""

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.spans import make_request, make_span

from tracelake.model.anyvalue import to_json_object
from tracelake.model.jsontexts import MARK, are_kept, attributes_of, to_any, type_attributes

TRACE_ID: dict[str, Any] = {"mlflow__traceRequestId": '"tr-1"'}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"k": value}
    return value


def values_of(span: Span) -> dict[str, Any]:
    return to_json_object(span.attributes)


def test_texts_become_the_values_they_stand_for() -> None:
    span = make_span(
        1, 1, **TRACE_ID, word='"x"', list="[1, null]", n="5", yes="true", bare="x", size=3
    )
    span.attributes.append(KeyValue(key="raw", value=AnyValue(bytes_value=b"\0")))
    span.attributes.append(
        KeyValue(key="mlflow.traceTag.t", value=AnyValue(string_value='{"a":  1}'))
    )
    assert type_attributes([span])
    assert values_of(span) == {
        "mlflow.traceRequestId": "tr-1",
        "word": "x",
        "list": [1, None],
        "n": "5",
        "yes": "true",
        "bare": "x",
        "size": 3,
        "raw": {"$bytes": "AA=="},
        "mlflow.traceTag.t": '{"a":  1}',
    }
    assert span.attributes[-2].value.bytes_value == b"\0"


@pytest.mark.parametrize("attributes", [{}, {"mlflow__traceRequestId": "tr-1"}])
def test_texts_of_other_spans_are_left(attributes: dict[str, Any]) -> None:
    span = make_span(1, 1, word='"x"', **attributes)
    assert not type_attributes([span])
    assert values_of(span)["word"] == '"x"'


@pytest.mark.parametrize("value", [2**63, [-(2**63) - 1], nested(31)])
def test_what_otlp_cannot_hold_keeps_the_texts_of_its_span(value: Any) -> None:
    span = make_span(1, 1, **TRACE_ID, word='"x"', n="5", value=json.dumps([value]))
    assert type_attributes([span])
    assert are_kept(span.attributes)
    texts = values_of(span)
    assert texts.pop(MARK) == "true"
    assert {key: json.loads(text) for key, text in texts.items()} == {
        "mlflow.traceRequestId": "tr-1",
        "word": "x",
        "n": "5",
        "value": [value],
    }
    assert not type_attributes([span]), "it is read once"


def test_the_deepest_value_that_is_typed_can_be_read_again() -> None:
    span = make_span(1, 1)
    span.attributes.extend(attributes_of({"k": nested(30)}))
    assert not are_kept(span.attributes)
    read = ExportTraceServiceRequest.FromString(make_request([span]).SerializeToString())
    assert values_of(read.resource_spans[0].scope_spans[0].spans[0]) == {"k": nested(30)}


@pytest.mark.parametrize("value", [10**400, -(10**400), 2**70, nested(500)])
def test_any_value_is_told_somehow(value: Any) -> None:
    assert AnyValue.FromString(to_any(value).SerializeToString()).WhichOneof("value")
