"""Agent traces to send: 10 spans, 28 KB, each model call repeating the conversation before it."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

TRACE_BYTES: Final = 28 * 1024
SPANS: Final = 10
_PLACEHOLDER: Final = bytes(range(0xA0, 0xB0))
_WORDS: Final = tuple(
    """
the order refund shipping delayed customer account invoice address please check
status of your parcel number item price discount code payment card declined retry
warehouse stock size colour exchange return label email phone date tomorrow yesterday
policy allows days within original packaging receipt confirm thank you sorry for
inconvenience let me look into
""".split()
)


class TraceSource:
    """Makes request bodies of `traces_per_request` traces, no two traces with the same id."""

    def __init__(self, traces_per_request: int, seed: int = 7) -> None:
        chooser = random.Random(seed)
        self._templates = [
            b"".join(_resource_spans(chooser, n, i) for i in range(traces_per_request))
            for n in range(20)
        ]
        self._per_request = traces_per_request

    def bodies(self, worker: int, count: int) -> Iterator[tuple[bytes, list[bytes]]]:
        """`count` bodies with the trace ids in each; workers never share an id."""
        for n in range(count):
            body = self._templates[n % len(self._templates)]
            ids: list[bytes] = []
            for i in range(self._per_request):
                trace_id = worker.to_bytes(4) + n.to_bytes(8) + i.to_bytes(4, "little")
                trace_id = b"\x01" + trace_id[1:]
                body = body.replace(_placeholder(i), trace_id)
                ids.append(trace_id)
            yield body, ids


def _placeholder(i: int) -> bytes:
    return _PLACEHOLDER[:12] + (0xF0F0_0000 + i).to_bytes(4)


def _resource_spans(chooser: random.Random, number: int, i: int) -> bytes:
    """One trace as a serialised request; concatenated requests are one request."""
    start_ns = 1_790_000_000_000_000_000 + number * 1_000_000_000
    spans: list[Span] = []
    conversation = [{"role": "system", "content": _text(chooser, 1500)}]
    conversation.append({"role": "user", "content": _text(chooser, 200)})
    root_id = _span_id(0)
    spans.append(
        _span(
            i, root_id, b"", "answer_customer", start_ns, start_ns + 3_000_000_000,
            {
                "mlflow.spanType": "AGENT",
                "mlflow.spanInputs": json.dumps({"messages": conversation[1:]}),
                "mlflow.spanOutputs": json.dumps(_text(chooser, 300)),
                "session.id": f"session-{number}",
                "user.id": f"user-{number % 7}",
            },
        )
    )  # fmt: skip
    for step in range(1, SPANS):
        begin_ns = start_ns + step * 100_000_000
        if step % 2:
            answer = {"role": "assistant", "content": _text(chooser, 300)}
            attributes = {
                "openinference.span.kind": "LLM",
                "input.value": json.dumps({"messages": conversation, "model": "gpt-4o"}),
                "output.value": json.dumps({"choices": [{"message": answer}]}),
                "llm.model_name": "gpt-4o",
                "llm.provider": "openai",
                "llm.token_count.prompt": 800 + step,
                "llm.token_count.completion": 90,
                "llm.token_count.total": 890 + step,
                "llm.invocation_parameters": '{"temperature": 0.2}',
            }
            conversation.append(answer)
        else:
            result = {"role": "tool", "content": _text(chooser, 700)}
            attributes = {
                "openinference.span.kind": "TOOL",
                "tool.name": "find_order",
                "input.value": json.dumps({"order_id": chooser.randrange(10**6)}),
                "output.value": result["content"],
            }
            conversation.append(result)
        name = "chat" if step % 2 else "find_order"
        spans.append(
            _span(i, _span_id(step), root_id, name, begin_ns, begin_ns + 90_000_000, attributes)
        )
    request = ExportTraceServiceRequest()
    resource_spans: ResourceSpans = request.resource_spans.add()
    resource_spans.resource.attributes.append(_attribute("service.name", "support"))
    resource_spans.scope_spans.add().spans.extend(spans)
    missing = TRACE_BYTES - request.ByteSize()
    if missing > 8:
        padding = _attribute("app.context", _text(chooser, missing - 8))
        resource_spans.scope_spans[0].spans[-1].attributes.append(padding)
    return request.SerializeToString()


def _span(
    i: int, span_id: bytes, parent: bytes, name: str, start_ns: int, end_ns: int,
    attributes: Mapping[str, str | int],
) -> Span:  # fmt: skip
    return Span(
        trace_id=_placeholder(i),
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=end_ns,
        attributes=[_attribute(key, value) for key, value in attributes.items()],
        status=Status(code=Status.STATUS_CODE_OK),
    )


def _attribute(key: str, value: str | int) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _span_id(step: int) -> bytes:
    return b"span" + (step + 1).to_bytes(4)


def _text(chooser: random.Random, size: int) -> str:
    words: list[str] = []
    length = 0
    while length < size:
        word = chooser.choice(_WORDS)
        # Numbers and names keep the text from compressing better than people's words do.
        if chooser.random() < 0.12:
            word = f"{word}-{chooser.randrange(10**5)}"
        words.append(word)
        length += len(word) + 1
    return " ".join(words)[:size]
