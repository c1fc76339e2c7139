"""Read a span's attributes into the model: type, inputs, outputs, model, tokens, trace-level facts.

A key of an earlier convention in `CONVENTIONS` wins over one of a later convention. This runs for
every span of every request: where the facts are is worked out once for every set of keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from tracelake.model.anyvalue import (
    COUNT_LIMIT,
    parse_json_text,
    to_count,
    to_json_value,
    to_payload,
    to_text,
)
from tracelake.model.entities import Cost, JsonValue, SpanType, TokenUsage
from tracelake.model.jsonvalue import as_object
from tracelake.model.semconv.convention import Convention, Keys
from tracelake.model.semconv.genai import GENAI
from tracelake.model.semconv.logfire import LOGFIRE
from tracelake.model.semconv.mlflow import MLFLOW
from tracelake.model.semconv.openinference import OPENINFERENCE
from tracelake.model.semconv.traceloop import TRACELOOP
from tracelake.model.semconv.vercel import VERCEL

CONVENTIONS: Final[Sequence[Convention]] = (
    MLFLOW,
    OPENINFERENCE,
    GENAI,
    TRACELOOP,
    VERCEL,
    LOGFIRE,
)

TAG_PREFIX: Final = "mlflow.traceTag."
TRACE_PREFIX: Final = "tracelake.trace."
METADATA_PREFIX: Final = TRACE_PREFIX + "metadata."
_PARSED_CHARS: Final = 4 * 1024 * 1024
"""A text beyond this is not parsed for one word in it."""
_DOLLARS_LIMIT: Final = 1e12
_TOKENS: Final = frozenset({"input_tokens", "output_tokens", "total_tokens"})
_DOLLARS: Final = frozenset({"input_cost", "output_cost", "total_cost"})
_PREFIXES: Final = (TAG_PREFIX, TRACE_PREFIX)

_ROLES: Final = (
    "kind",
    "inputs",
    "outputs",
    "model",
    "provider",
    "tool",
    "error_type",
    "error_message",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read",
    "cache_write",
    "usage",
    "cost",
    "session",
    "user",
)


def _index_keys() -> dict[str, tuple[str, int, Convention]]:
    """Attribute key to (role, rank, convention); a lower rank wins its role."""
    assert {f.name for f in fields(Convention)} >= set(_ROLES)
    index: dict[str, tuple[str, int, Convention]] = {}
    for role in _ROLES:
        rank = 0
        for convention in CONVENTIONS:
            keys: Keys = getattr(convention, role)
            for key in keys:
                index.setdefault(key, (role, rank, convention))
                rank += 1
    return index


_KEYS: Final = _index_keys()


@dataclass(slots=True)
class SpanFacts:
    """What a span's attributes say."""

    span_type: str = SpanType.UNKNOWN
    model: str | None = None
    provider: str | None = None
    tool: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    usage: TokenUsage | None = None
    cost: Cost | None = None
    """Only where the span itself carries one."""
    session: str | None = None
    user: str | None = None
    inputs_at: int | None = None
    outputs_at: int | None = None
    """Which attribute has the inputs or outputs; None where they are put together of others."""
    trace_attributes: dict[str, str] = field(default_factory=dict[str, str])
    """The `mlflow.traceTag.` and `tracelake.trace.` attributes, under their whole keys."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where in a list of attributes with certain keys the facts are: positions in the list."""

    kinds: tuple[tuple[int, Convention], ...]
    """Those that may tell the type; the first that does is believed."""
    inputs: int | None
    outputs: int | None
    has_model: bool
    """Whether an attribute is there to say it."""
    words: tuple[tuple[str, int], ...]
    """With the field of `SpanFacts` that each fills."""
    counts: tuple[int | None, ...]
    """Input, output, total, cache read and cache write tokens; empty where there are none."""
    usage: int | None
    cost: int | None
    of_trace: tuple[tuple[str, int], ...]
    """With their keys."""


_WORDS: Final = ("model", "provider", "tool", "error_type", "error_message", "session", "user")
_COUNTS: Final = ("input_tokens", "output_tokens", "total_tokens", "cache_read", "cache_write")


class Plans:
    """The plans of the keys seen last: the spans of one place in a program have the same keys.

    Bounded by bytes as well: a sender may make up thousands of keys for every span.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], _Plan] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, keys: tuple[str, ...]) -> _Plan:
        plan = self._kept.get(keys)
        if plan is None:
            plan = _plan_of(keys)
            if len(keys) <= _PLANNED_KEYS and sum(map(len, keys)) <= _PLANNED_CHARS:
                if len(self._kept) == _KEPT_PLANS:
                    self._kept.clear()
                self._kept[keys] = plan
        return plan


_KEPT_PLANS: Final = 2048
_PLANNED_KEYS: Final = 64
_PLANNED_CHARS: Final = 2048


def _plan_of(keys: tuple[str, ...]) -> _Plan:
    candidates: dict[str, list[tuple[int, int, Convention]]] = {}
    for at, key in enumerate(keys):
        known = _KEYS.get(key)
        if known is not None:
            role, rank, convention = known
            candidates.setdefault(role, []).append((rank, at, convention))
    best = {role: min(found)[1] for role, found in candidates.items() if role != "kind"}
    counts = tuple(best.get(name) for name in _COUNTS)
    return _Plan(
        kinds=tuple((at, convention) for _, at, convention in sorted(candidates.get("kind", ()))),
        inputs=best.get("inputs"),
        outputs=best.get("outputs"),
        has_model="model" in best,
        words=tuple((name, best[name]) for name in _WORDS if name in best),
        counts=counts if any(at is not None for at in counts) else (),
        usage=best.get("usage"),
        cost=best.get("cost"),
        of_trace=tuple(
            (key, at)
            for at, key in enumerate(keys)
            if key not in _KEYS and key.startswith(_PREFIXES)
        ),
    )


_plans: Final = Plans()


def read_attributes(attributes: Sequence[KeyValue]) -> SpanFacts:
    """The facts in one span's attributes."""
    # A copy: protobuf's own sequence makes its items anew each time, and ends in an exception.
    pairs = attributes[:]
    plan = _plans.of(tuple([pair.key for pair in pairs]))
    facts = SpanFacts(inputs_at=plan.inputs, outputs_at=plan.outputs)
    for at, convention in plan.kinds:
        span_type = _span_type(pairs[at].value, convention)
        if span_type is not None:
            facts.span_type = span_type
            break
    for name, at in plan.words:
        setattr(facts, name, to_text(pairs[at].value) or None)
    if not plan.has_model:
        facts.model = _model_of_call(pairs, plan.inputs, plan.outputs)
    if plan.usage is not None or plan.counts:
        facts.usage = _usage(plan, pairs)
    if plan.cost is not None:
        facts.cost = _cost(pairs[plan.cost].value)
    for key, at in plan.of_trace:
        text = to_text(pairs[at].value)
        if text is not None:
            facts.trace_attributes[key] = text
    return facts


def _model_of_call(attributes: Sequence[KeyValue], *places: int | None) -> str | None:
    """The model that inputs ask for, or else outputs name: a call that failed has no more of it."""
    for at in places:
        model = None if at is None else _model_in(attributes[at].value)
        if model:
            return model if isinstance(model, str) else None
    return None


def _model_in(value: AnyValue) -> JsonValue:
    text = value.string_value
    if text:
        may_have = len(text) <= _PARSED_CHARS and '"model"' in text
        members = as_object(parse_json_text(text)) if may_have else None
        return members.get("model") if members else None
    for pair in value.kvlist_value.values:
        if pair.key == "model":
            return to_json_value(pair.value)
    return None


def read_inputs(span: OtlpSpan, facts: SpanFacts) -> JsonValue:
    """The span's inputs: its inputs attribute, else its indexed messages, else message events."""
    return _payload(span, facts.inputs_at, "input_messages", "input_events")


def read_outputs(span: OtlpSpan, facts: SpanFacts) -> JsonValue:
    """The span's outputs, found the same way."""
    return _payload(span, facts.outputs_at, "output_messages", "output_events")


def _payload(span: OtlpSpan, at: int | None, messages: str, events: str) -> JsonValue:
    if at is not None:
        return to_payload(span.attributes[at].value)
    for convention in CONVENTIONS:
        prefixes: Keys = getattr(convention, messages)
        for prefix in prefixes:
            found = _indexed_messages(span, prefix + ".")
            if found:
                return {"messages": found}
        names: Keys = getattr(convention, events)
        told = [
            {"role": event.name.split(".")[1]}
            | {
                pair.key.removeprefix("gen_ai."): to_payload(pair.value)
                for pair in event.attributes
            }
            for event in span.events
            if event.name in names
        ]
        if told:
            return {"messages": told}
    return None


def _indexed_messages(span: OtlpSpan, prefix: str) -> list[dict[str, JsonValue]]:
    """`<prefix>0.message.role`, `<prefix>0.content` … as a list of flat message objects."""
    messages: dict[int, dict[str, JsonValue]] = {}
    for pair in span.attributes:
        if not pair.key.startswith(prefix):
            continue
        number, _, name = pair.key[len(prefix) :].partition(".")
        if number.isdecimal() and len(number) < 7 and name:
            message = messages.setdefault(int(number), {})
            message[name.removeprefix("message.")] = to_json_value(pair.value)
    return [messages[number] for number in sorted(messages)]


def _span_type(value: AnyValue, convention: Convention) -> str | None:
    word = to_text(value)
    if not word:
        return None
    if convention.any_kind:
        return word
    return convention.kinds.get(word.lower())


def _usage(plan: _Plan, attributes: Sequence[KeyValue]) -> TokenUsage | None:
    if plan.usage is not None:
        told = as_object(to_payload(attributes[plan.usage].value))
        usage = None if told is None else _usage_of_object(told)
        if usage is not None:
            return usage
    if not plan.counts:
        return None
    inputs, outputs, total, read, written = [
        None if at is None else to_count(attributes[at].value) for at in plan.counts
    ]
    if inputs is None and outputs is None and total is None:
        return None
    inputs, outputs = inputs or 0, outputs or 0
    total = inputs + outputs if total is None else total
    return TokenUsage(inputs, outputs, total, read, written)


def _usage_of_object(told: dict[str, JsonValue]) -> TokenUsage | None:
    """None where it says nothing that is a count: it must not hide what spans below it say."""
    counts = {key: int(number) for key, number in _numbers(told, COUNT_LIMIT).items()}
    if not counts.keys() & _TOKENS:
        return None
    inputs, outputs = counts.get("input_tokens", 0), counts.get("output_tokens", 0)
    return TokenUsage(
        inputs,
        outputs,
        counts.get("total_tokens") or inputs + outputs,
        counts.get("cache_read_input_tokens"),
        counts.get("cache_creation_input_tokens"),
    )


def _cost(value: AnyValue) -> Cost | None:
    told = as_object(to_payload(value))
    if told is None:
        return None
    dollars = {key: float(number) for key, number in _numbers(told, _DOLLARS_LIMIT).items()}
    if not dollars.keys() & _DOLLARS:
        return None
    inputs, outputs = dollars.get("input_cost", 0.0), dollars.get("output_cost", 0.0)
    return Cost(inputs, outputs, dollars.get("total_cost") or inputs + outputs)


def _numbers(told: dict[str, JsonValue], limit: float) -> dict[str, int | float]:
    """The members that are numbers below a limit: not infinity, nor what no double holds."""
    return {
        key: number
        for key, number in told.items()
        if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < limit
    }
