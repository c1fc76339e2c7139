"""What a span's row says of the tool it called and of what went wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.spans import make_request, make_span, parts_in

from tracelake.model.semconv.read import Plans
from tracelake.store.api import SpanRow


def row_of(span: Span) -> SpanRow:
    (part,), _ = parts_in(make_request([span]))
    return part.spans[0]


@pytest.mark.parametrize(
    ("attributes", "tool"),
    [
        ({"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "search"}, "search"),
        ({"openinference__span__kind": "TOOL", "tool__name": "lookup"}, "lookup"),
        ({"traceloop__span__kind": "tool", "traceloop__entity__name": "refund"}, "refund"),
        ({"ai__operationId": "ai.toolCall", "ai__toolCall__name": "weather"}, "weather"),
        ({"mlflow__spanType": '"TOOL"'}, "step"),
        ({"gen_ai__operation__name": "chat", "gen_ai__tool__name": "search"}, None),
        ({}, None),
    ],
)
def test_the_tool_a_span_called(attributes: dict[str, Any], tool: str | None) -> None:
    assert row_of(make_span(1, 1, name="step", **attributes)).tool == tool


def _raised(kind: str | None, message: str | None) -> Callable[[Span], None]:
    def edit(span: Span) -> None:
        event = span.events.add(name="exception")
        for key, value in (("exception.type", kind), ("exception.message", message)):
            if value is not None:
                event.attributes.append(KeyValue(key=key, value=AnyValue(string_value=value)))

    return edit


def _status(message: str) -> Callable[[Span], None]:
    def edit(span: Span) -> None:
        span.status.message = message

    return edit


@pytest.mark.parametrize(
    ("edits", "attributes", "error"),
    [
        ([_raised("ValueError", "no such\n  city")], {}, "ValueError: no such city"),
        ([_raised("A", "first"), _raised("B", "last")], {}, "B: last"),
        ([_raised("ValueError", None)], {}, "ValueError"),
        ([_raised("ValueError", None), _status("bad")], {}, "ValueError: bad"),
        ([_status("openai.RateLimitError: slow")], {}, "openai.RateLimitError: slow"),
        (
            [_status("RateLimitError: slow")],
            {"error__type": "openai.RateLimitError"},
            "RateLimitError: slow",
        ),
        ([_status("away")], {"error__type": "503"}, "503: away"),
        ([], {"error__type": "timeout"}, "timeout"),
        ([_raised("E", "x" * 300)], {}, "E: " + "x" * 244 + "..."),
        ([_status("NUL \0 here")], {}, "NUL \ufffd here"),
        ([], {}, "error"),
    ],
)
def test_what_went_wrong(
    edits: list[Callable[[Span], None]], attributes: dict[str, Any], error: str
) -> None:
    span = make_span(1, 1, error=True, **attributes)
    for edit in edits:
        edit(span)
    assert row_of(span).error == error


def test_a_span_that_did_not_fail_has_no_error() -> None:
    span = make_span(1, 1, error__type="timeout")
    _raised("ValueError", "caught")(span)
    assert row_of(span).error is None


def test_what_is_remembered_of_keys_is_bounded() -> None:
    plans = Plans()
    for n in range(5000):
        plans.of((f"key {n}", "session.id"))
    assert 0 < len(plans) <= 2048
    plans = Plans()
    many = tuple(f"k{n}" for n in range(65))
    assert plans.of((*many, "session.id")).words == (("session", 65),)
    assert plans.of(("x" * 5000, "user.id")).words == (("user", 1),)
    assert len(plans) == 0


@pytest.mark.parametrize(
    ("attributes", "model"),
    [
        ({"mlflow__spanInputs": '{"model": "m"}'}, "m"),
        ({"input__value": '{"model": "m"}', "mlflow__spanOutputs": '{"model": "n"}'}, "m"),
        ({"mlflow__spanInputs": '{"model": ""}', "output__value": '{"model": "n"}'}, "n"),
        ({"mlflow__spanInputs": '{"model": 1}', "output__value": '{"model": "n"}'}, None),
        ({"mlflow__spanInputs": '{"a": {"model": "m"}}'}, None),
        ({"mlflow__spanInputs": '"model"'}, None),
        ({"mlflow__spanInputs": '{"model": "m"}', "gen_ai__request__model": "n"}, "n"),
    ],
)
def test_the_model_of_a_call_that_nothing_else_names(
    attributes: dict[str, Any], model: str | None
) -> None:
    assert row_of(make_span(1, 1, **attributes)).model == model
