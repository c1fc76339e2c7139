"""One agent trace as OTLP bytes with holes: made once, filled for each trace by joining pieces.

A hole is a run of bytes that no other content has, as long as what will stand there; so no length
in the protobuf around it changes.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

MODELS: Final = (
    ("gpt-4o", "openai"),
    ("gpt-4o-mini", "openai"),
    ("claude-sonnet-4-5", "anthropic"),
    ("gemini-2.5-flash", "google"),
    ("mistral-large-latest", "mistral"),
)
TOOLS: Final = tuple(
    """
find_order get_reservation get_user search_flights update_flights cancel_reservation
book_reservation calculate send_certificate update_bags transfer_to_human list_airports
""".split()
)
AGENT_VERSIONS: Final = ("1.4.0", "1.4.1", "1.5.0")

SESSION: Final = "session-%09d"
USER: Final = "user-%05d"
DEPLOYS: Final = ("stable", "canary", "shadow")
CHANNELS: Final = ("email", "phone", "chats", "forms")
TENANT: Final = "tenant-%03d"
CODE: Final = "KX%09d"
CODE_TEXT: Final = "Booking {code} {rare} "
_HOLE: Final = re.compile(rb"~~([0-9]{3})")
_CONTENT_LIMIT: Final = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """What a template's traces have in common. `spans` counts the root; bytes are of the body."""

    spans: int
    size_bytes: int
    model: str
    provider: str
    agent_version: str
    failed: bool
    language: str


@dataclass(slots=True)
class Holes:
    """Every hole's length, in order, and what belongs into it: index into `sizes`."""

    sizes: list[int] = field(default_factory=list[int])
    texts: list[int] = field(default_factory=list[int])
    """Messages: a hole each, in any number of places."""

    def add(self, size: int) -> int:
        if len(self.sizes) == _CONTENT_LIMIT or size < 5:
            raise ValueError("a hole has three digits and at least five bytes")
        self.sizes.append(size)
        return len(self.sizes) - 1

    def mark(self, index: int) -> bytes:
        return b"~~%03d" % index + b"~" * (self.sizes[index] - 5)

    def text(self, size: int) -> str:
        index = self.add(max(size, 8))
        self.texts.append(index)
        return self.mark(index).decode()


@dataclass(frozen=True, slots=True)
class Template:
    """`join(pool)` gives the body; `pool` is `constants` and then one value for each hole."""

    kind: Kind
    holes: Holes
    size_bytes: int
    constants: tuple[bytes, ...]
    order: Callable[[Sequence[bytes]], tuple[bytes, ...]]
    tools: tuple[str, ...]
    failed_tool: str | None
    input_tokens: int
    output_tokens: int
    shares: tuple[tuple[float, float], ...]
    """When each span begins and ends, as shares of the trace's duration."""

    def join(self, values: list[bytes]) -> bytes:
        body = b"".join(self.order([*self.constants, *values]))
        if len(body) != self.size_bytes:
            raise ValueError("a value is not as long as its hole")
        return body


# The first holes of every template, in this order; then span ids, times and texts.
FIXED_HOLES: Final = (
    ("trace_id", 16),
    ("session", len(SESSION % 0)),
    ("user", len(USER % 0)),
    ("deploy", 6),
    ("channel", 5),
    ("tenant", len(TENANT % 0)),
    ("code", len(CODE % 0)),
    ("rare", 8),
)


def make_template(chooser: random.Random, kind: Kind, system_prompt: str) -> Template:
    """A template of exactly `kind.size_bytes`, or a little more where its spans need more."""
    scale = 1.0
    for _ in range(4):
        # The same choices each time; only the texts grow or shrink until the size fits.
        state = chooser.getstate()
        builder = _Builder(chooser, kind, system_prompt, scale)
        size = len(builder.serialise(0))
        texts = max(builder.text_bytes(), 1)
        scale = max(0.02, scale * (1 + (kind.size_bytes * 0.985 - size) / texts))
        chooser.setstate(state)
    builder = _Builder(chooser, kind, system_prompt, scale)
    missing = kind.size_bytes - len(builder.serialise(0))
    return builder.finish(max(0, missing))


class _Builder:
    def __init__(
        self, chooser: random.Random, kind: Kind, system_prompt: str, scale: float
    ) -> None:
        self._chooser = chooser
        self._kind = kind
        self._scale = scale
        self._holes = Holes()
        self._fixed = {name: self._holes.add(size) for name, size in FIXED_HOLES}
        self._span_ids = [self._holes.add(8) for _ in range(kind.spans)]
        self._times = [(self._holes.add(8), self._holes.add(8)) for _ in range(kind.spans)]
        self._tools: list[str] = []
        self._failed_tool: str | None = None
        self._input_tokens = 0
        self._output_tokens = 0
        self._shares: list[tuple[float, float]] = [(0.0, 1.0)]
        self._spans: list[Span] = []
        self._build(system_prompt)

    def _build(self, system_prompt: str) -> None:
        question = self._question()
        conversation = [{"role": "system", "content": system_prompt}, question]
        answer = ""
        for step in range(1, self._kind.spans):
            begin = step / (self._kind.spans + 1)
            self._shares.append((begin, begin + 0.9 / (self._kind.spans + 1)))
            if step % 2:
                answer = self._text(300)
                self._model_call(step, conversation, answer)
                conversation.append({"role": "assistant", "content": answer})
            else:
                result = self._text(700)
                self._tool_call(step, result)
                conversation.append({"role": "tool", "content": result})
        self._spans.insert(0, self._root(question, answer))

    def _question(self) -> dict[str, str]:
        marks = {name: self._mark(name).decode() for name in ("code", "rare")}
        return {"role": "user", "content": CODE_TEXT.format(**marks) + self._text(100)}

    def _root(self, question: dict[str, str], answer: str) -> Span:
        return self._span(
            0, "answer_customer", self._kind.failed,
            {
                "mlflow.spanType": "AGENT",
                "mlflow.spanInputs": json.dumps({"messages": [question]}),
                "mlflow.spanOutputs": json.dumps(answer),
                "session.id": self._mark("session").decode(),
                "user.id": self._mark("user").decode(),
                "mlflow.traceTag.deploy": self._mark("deploy").decode(),
                "mlflow.traceTag.tracelake.agent_version": self._kind.agent_version,
                "tracelake.trace.metadata.channel": self._mark("channel").decode(),
                "tracelake.trace.metadata.tenant": self._mark("tenant").decode(),
            },
        )  # fmt: skip

    def _model_call(self, step: int, conversation: list[dict[str, str]], answer: str) -> None:
        said = sum(len(message["content"]) for message in conversation) // 4 + 20
        answered = len(answer) // 4 + 5
        self._input_tokens += said
        self._output_tokens += answered
        self._spans.append(
            self._span(
                step, "chat", False,
                {
                    "openinference.span.kind": "LLM",
                    "input.value": json.dumps(
                        {"messages": conversation, "model": self._kind.model}
                    ),
                    "output.value": json.dumps(
                        {"choices": [{"message": {"role": "assistant", "content": answer}}]}
                    ),
                    "llm.model_name": self._kind.model,
                    "llm.provider": self._kind.provider,
                    "llm.token_count.prompt": said,
                    "llm.token_count.completion": answered,
                    "llm.token_count.total": said + answered,
                    "llm.invocation_parameters": '{"temperature": 0.2}',
                },
            )
        )  # fmt: skip

    def _tool_call(self, step: int, result: str) -> None:
        tool = self._chooser.choice(TOOLS)
        self._tools.append(tool)
        fails = self._kind.failed and self._failed_tool is None
        span = self._span(
            step, tool, fails,
            {
                "openinference.span.kind": "TOOL",
                "tool.name": tool,
                "input.value": json.dumps({"reservation_id": self._mark("code").decode()}),
                "output.value": result,
            },
        )  # fmt: skip
        if fails:
            self._failed_tool = tool
            span.status.message = f"{tool} did not answer"
            span.events.add(
                name="exception",
                time_unix_nano=self._hole_number(self._times[step][1]),
                attributes=[
                    _attribute("exception.type", "ToolTimeout"),
                    _attribute("exception.message", f"{tool} did not answer"),
                    _attribute("exception.stacktrace", f"File agent.py, in {tool}"),
                ],
            )
        self._spans.append(span)

    def _span(self, step: int, name: str, failed: bool, attributes: dict[str, str | int]) -> Span:
        begin, end = self._times[step]
        return Span(
            trace_id=self._mark("trace_id"),
            span_id=self._holes.mark(self._span_ids[step]),
            parent_span_id=self._holes.mark(self._span_ids[0]) if step else b"",
            name=name,
            start_time_unix_nano=self._hole_number(begin),
            end_time_unix_nano=self._hole_number(end),
            attributes=[_attribute(key, value) for key, value in attributes.items()],
            status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_OK),
        )

    def _text(self, size: int) -> str:
        # No two messages of a trace are of one length.
        return self._holes.text(int(size * self._scale * self._chooser.uniform(0.4, 1.6)))

    def _mark(self, name: str) -> bytes:
        return self._holes.mark(self._fixed[name])

    def _hole_number(self, index: int) -> int:
        return int.from_bytes(self._holes.mark(index), "little")

    def text_bytes(self) -> int:
        """Bytes of the body that are messages, each counted in every place it stands."""
        body = self.serialise(0)
        texts = set(self._holes.texts)
        found = (int(hole.group(1)) for hole in _HOLE.finditer(body))
        return sum(self._holes.sizes[index] for index in found if index in texts)

    def serialise(self, padding: int) -> bytes:
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        resource_spans.resource.attributes.extend(
            [
                _attribute("service.name", "support"),
                _attribute("service.version", self._kind.agent_version),
            ]
        )
        resource_spans.scope_spans.add().spans.extend(self._spans)
        if padding > 40:
            context = _attribute("app.context", self._holes.text(padding - 24))
            resource_spans.scope_spans[0].spans[-1].attributes.append(context)
        return request.SerializeToString()

    def finish(self, padding: int) -> Template:
        body = self.serialise(padding)
        constants: list[bytes] = []
        order: list[tuple[bool, int]] = []
        at = 0
        for hole in _HOLE.finditer(body):
            index = int(hole.group(1))
            constants.append(body[at : hole.start()])
            order += [(False, len(constants) - 1), (True, index)]
            at = hole.start() + self._holes.sizes[index]
        constants.append(body[at:])
        order.append((False, len(constants) - 1))
        first = len(constants)
        return Template(
            self._kind,
            self._holes,
            len(body),
            tuple(constants),
            itemgetter(*(first + index if is_hole else index for is_hole, index in order)),
            tuple(self._tools),
            self._failed_tool,
            self._input_tokens,
            self._output_tokens,
            tuple(self._shares),
        )


def _attribute(key: str, value: str | int) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))
