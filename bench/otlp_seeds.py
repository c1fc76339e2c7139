"""Small traces as real libraries write them, one or more of every semantic convention."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

Plain = str | bytes | bool | int | float | None | Sequence["Plain"] | Mapping[str, "Plain"]

START_NS: Final = 1_790_000_000_000_000_000
_CHAT: Final = [
    {"role": "system", "content": "You rebook flights."},
    {"role": "user", "content": "Meine Buchung ABC123, bitte 明天 — شكرا 🛫"},
]
_ANSWER: Final = {"role": "assistant", "content": "Done: you fly at 10:20."}
_LIBRARIES: Final[Mapping[str, Sequence[Mapping[str, Plain]]]] = {
    "mlflow": (
        {
            "mlflow.spanType": '"AGENT"',
            "mlflow.spanInputs": json.dumps({"messages": _CHAT}),
            "mlflow.spanOutputs": json.dumps(_ANSWER),
            "mlflow.trace.session": "session-1",
            "mlflow.traceTag.env": "prod",
            "tracelake.trace.metadata.version": "7",
            "tracelake.trace.client_request_id": "request-1",
        },
        {
            "mlflow.spanType": "CHAT_MODEL",
            "mlflow.llm.model": "gpt-4o",
            "mlflow.llm.provider": "openai",
            "mlflow.chat.tokenUsage": json.dumps({"input_tokens": 10, "output_tokens": 5}),
            "mlflow.llm.cost": json.dumps({"input_cost": 0.1, "output_cost": 0.2}),
        },
    ),
    "openinference": (
        {"openinference.span.kind": "AGENT", "input.value": "hello", "user.id": "u1"},
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "claude-sonnet-4-5",
            "llm.provider": "anthropic",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 20,
            "llm.token_count.prompt_details.cache_read": 50,
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "hello",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "hi",
        },
        {"openinference.span.kind": "EMBEDDING", "embedding.vector": [0.25, -1.5, float("nan")]},
    ),
    "genai": (
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "c1"},
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 3,
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text"}]}],
        },
    ),
    "traceloop": (
        {"traceloop.span.kind": "workflow", "traceloop.entity.input": json.dumps({"args": [1]})},
        {
            "llm.request.type": "chat",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "hello",
            "gen_ai.completion.0.content": "hi",
            "llm.usage.total_tokens": 15,
        },
    ),
    "vercel": (
        {"ai.operationId": "ai.generateText", "ai.prompt": json.dumps({"messages": _CHAT})},
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-4o",
            "ai.usage.promptTokens": 8,
            "ai.usage.completionTokens": 2.0,
            "ai.response.text": "hi",
        },
        {"ai.operationId": "ai.toolCall", "ai.toolCall.args": '{"city":"Zürich"}'},
    ),
    "logfire": (
        {"pydantic_ai.all_messages": json.dumps(_CHAT), "final_result": "done"},
        {"tool_arguments": {"a": 1, "b": [True, None]}, "tool_response": b"\x00\xff"},
    ),
}


def seed_requests() -> list[ExportTraceServiceRequest]:
    """A request for each library, and one in which all of them meet."""
    requests = [
        _request(name, trace, spans) for trace, (name, spans) in enumerate(_LIBRARIES.items(), 1)
    ]
    together = ExportTraceServiceRequest()
    for request in requests:
        together.MergeFrom(request)
    return [*requests, together]


def any_value(plain: Plain) -> AnyValue:
    """A Python value as OpenTelemetry's, nothing flattened."""
    match plain:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=plain)
        case int():
            return AnyValue(int_value=plain)
        case float():
            return AnyValue(double_value=plain)
        case str():
            return AnyValue(string_value=plain)
        case bytes():
            return AnyValue(bytes_value=plain)
        case Mapping():
            return AnyValue(kvlist_value=KeyValueList(values=key_values(plain)))
        case _:
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in plain]))


def key_values(attributes: Mapping[str, Plain]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def _request(
    name: str, trace: int, attributes: Sequence[Mapping[str, Plain]]
) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(key_values({"service.name": name, "region": "eu"}))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = name
    for number, told in enumerate(attributes, 1):
        span = Span(
            trace_id=trace.to_bytes(16),
            span_id=number.to_bytes(8),
            parent_span_id=b"" if number == 1 else (1).to_bytes(8),
            name=f"{name} {number}",
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=START_NS + number * 1_000_000,
            end_time_unix_nano=START_NS + number * 9_000_000,
            attributes=key_values(told),
            status=Status(code=Status.STATUS_CODE_OK),
        )
        span.events.add(name="gen_ai.user.message", attributes=key_values({"content": "hello"}))
        span.links.add(trace_id=bytes(range(16)), span_id=bytes(range(8)))
        scope_spans.spans.append(span)
    return request
