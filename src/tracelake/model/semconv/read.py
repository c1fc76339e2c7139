"""Read a span's attributes into the model: type, inputs, outputs, model, tokens, trace-level facts.

A key of an earlier convention in `CONVENTIONS` wins over one of a later convention. The walk is one
pass over the span's attributes with one dict lookup a key: it runs for every span of every request.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from tracelake.model.anyvalue import COUNT_LIMIT, to_count, to_json_value, to_payload, to_text
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
_DOLLARS_LIMIT: Final = 1e12
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
(
    _KIND,
    _INPUTS,
    _OUTPUTS,
    _MODEL,
    _PROVIDER,
    _TOOL,
    _ERROR_TYPE,
    _ERROR_MESSAGE,
    _INPUT_TOKENS,
    _OUTPUT_TOKENS,
    _TOTAL_TOKENS,
    _CACHE_READ,
    _CACHE_WRITE,
    _USAGE,
    _COST,
    _SESSION,
    _USER,
) = range(len(_ROLES))


def _index_keys() -> dict[str, tuple[int, int, Convention]]:
    """Attribute key to (role, rank, convention); a lower rank wins its role."""
    assert {f.name for f in fields(Convention)} >= set(_ROLES)
    index: dict[str, tuple[int, int, Convention]] = {}
    for role, name in enumerate(_ROLES):
        rank = 0
        for convention in CONVENTIONS:
            keys: Keys = getattr(convention, name)
            for key in keys:
                index.setdefault(key, (role, rank, convention))
                rank += 1
    return index


_KEYS: Final = _index_keys()


@dataclass(slots=True)
class SpanFacts:
    """What a span's attributes say. `inputs` and `outputs` stay undecoded until someone asks."""

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
    inputs: AnyValue | None = None
    outputs: AnyValue | None = None
    trace_attributes: dict[str, str] = field(default_factory=dict[str, str])
    """The `mlflow.traceTag.` and `tracelake.trace.` attributes, under their whole keys."""


def read_attributes(attributes: Iterable[KeyValue]) -> SpanFacts:
    """The facts in one span's attributes."""
    best: list[AnyValue | None] = [None] * len(_ROLES)
    ranks = [10_000] * len(_ROLES)
    facts = SpanFacts()
    for pair in attributes:
        key = pair.key
        known = _KEYS.get(key)
        if known is not None:
            role, rank, convention = known
            if rank < ranks[role]:
                value = pair.value
                if role == _KIND:
                    span_type = _span_type(value, convention)
                    if span_type is None:
                        continue
                    facts.span_type = span_type
                best[role] = value
                ranks[role] = rank
        elif key.startswith(_PREFIXES):
            text = to_text(pair.value)
            if text is not None:
                facts.trace_attributes[key] = text
    facts.inputs = best[_INPUTS]
    facts.outputs = best[_OUTPUTS]
    facts.model = _word(best[_MODEL])
    facts.provider = _word(best[_PROVIDER])
    facts.tool = _word(best[_TOOL])
    facts.error_type = _word(best[_ERROR_TYPE])
    facts.error_message = _word(best[_ERROR_MESSAGE])
    facts.session = _word(best[_SESSION])
    facts.user = _word(best[_USER])
    facts.usage = _usage(best)
    facts.cost = _cost(best[_COST])
    return facts


def read_inputs(span: OtlpSpan, facts: SpanFacts) -> JsonValue:
    """The span's inputs: its inputs attribute, else its indexed messages, else message events."""
    return _payload(span, facts.inputs, "input_messages", "input_events")


def read_outputs(span: OtlpSpan, facts: SpanFacts) -> JsonValue:
    """The span's outputs, found the same way."""
    return _payload(span, facts.outputs, "output_messages", "output_events")


def _payload(span: OtlpSpan, value: AnyValue | None, messages: str, events: str) -> JsonValue:
    if value is not None:
        return to_payload(value)
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


def _word(value: AnyValue | None) -> str | None:
    return (to_text(value) or None) if value is not None else None


def _usage(best: list[AnyValue | None]) -> TokenUsage | None:
    whole = best[_USAGE]
    if whole is not None:
        told = as_object(to_payload(whole))
        if told is not None:
            return _usage_of_object(told)
    counts = [
        to_count(value) if value is not None else None
        for value in best[_INPUT_TOKENS : _CACHE_WRITE + 1]
    ]
    if counts[0] is None and counts[1] is None and counts[2] is None:
        return None
    inputs, outputs = counts[0] or 0, counts[1] or 0
    total = counts[2] if counts[2] is not None else inputs + outputs
    return TokenUsage(inputs, outputs, total, counts[3] or 0, counts[4] or 0)


def _usage_of_object(told: dict[str, JsonValue]) -> TokenUsage | None:
    def count(key: str) -> int:
        number = told.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float):
            return 0
        return int(number) if 0 <= number < COUNT_LIMIT else 0

    inputs, outputs = count("input_tokens"), count("output_tokens")
    return TokenUsage(
        inputs,
        outputs,
        count("total_tokens") or inputs + outputs,
        count("cache_read_input_tokens"),
        count("cache_creation_input_tokens"),
    )


def _cost(value: AnyValue | None) -> Cost | None:
    if value is None:
        return None
    told = as_object(to_payload(value))
    if told is None:
        return None

    def dollars(key: str) -> float:
        number = told.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float):
            return 0.0
        # Neither infinity nor an integer that no double holds is a price.
        return float(number) if 0 <= number < _DOLLARS_LIMIT else 0.0

    inputs, outputs = dollars("input_cost"), dollars("output_cost")
    return Cost(inputs, outputs, dollars("total_cost") or inputs + outputs)
