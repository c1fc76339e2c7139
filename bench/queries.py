"""The questions of the search benchmark: each with its bar, and its truth from the generator."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from genai_prices import Usage, calc_price

import words
from otlp_traces import PERIOD_NS, START_NS, Facts, TraceSource
from search_store import FEEDBACK, feedback_of
from trace_template import CHANNELS, MODELS, TOOLS

FILTER_BAR_MS: Final = 60.0
TEXT_BAR_MS: Final = 300.0
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter, and whether a trace matches it by what the generator knows and sent."""

    filter: str
    holds: Callable[[Facts, bytes], bool]


@dataclass(frozen=True, slots=True)
class Question:
    """`ask` draws other values each time. Without a bar it is measured and not judged."""

    name: str
    bar_ms: float | None
    ask: Callable[[random.Random, Facts], Asked]


def filters() -> list[Question]:
    """The twelve that have a bar."""
    return [
        _of("status", lambda _c, _f: Asked("status = 'ERROR'", lambda f, _b: f.kind.failed)),
        _of("tag", _tag),
        _of("metadata", _metadata),
        _of("time range, an hour", _time_range),
        _of("user", lambda _c, f: Asked(f"user = '{f.user}'", lambda g, _b: g.user == f.user)),
        _of("session", _session),
        _of("span type and status on one span", _failed_tool_span),
        _of("model", _model),
        _of("feedback value", _feedback),
        _of("duration", _duration),
        _of("OR of two", _either),
        _of("NOT", _neither),
    ]


def first_class() -> list[Question]:
    """Other fields that a filter may name, held to the same bar."""
    return [
        _of("tool", _tool),
        _of("error", lambda _c, _f: Asked("error IS NOT NULL", lambda f, _b: f.kind.failed)),
        _of("tokens", _tokens),
        _of("cost", _cost),
        _of("agent version, and a tool that failed", _version_and_failure),
    ]


def texts() -> list[Question]:
    """Full text: `trace.text LIKE '%…%'`."""
    return [
        _text("text: a common word", words.COMMON_WORD),
        _text("text: a rare word", words.RARE_WORD),
        _text("text: an absent word", words.ABSENT_WORD),
        _text("text: Chinese", words.CHINESE_WORD),
        _text("text: Arabic", words.ARABIC_WORD),
        _text("text: two words", words.RARE_WORD, words.COMMON_WORD),
        Question("text: a word of one trace", TEXT_BAR_MS, lambda _c, f: _says(f.code)),
    ]


def random_facts(chooser: random.Random, source: TraceSource, traces: int) -> Facts:
    return source.facts(chooser.randrange(traces))


def _of(name: str, ask: Callable[[random.Random, Facts], Asked]) -> Question:
    return Question(name, FILTER_BAR_MS, ask)


def _tag(chooser: random.Random, _facts: Facts) -> Asked:
    wanted = chooser.choice(("canary", "shadow"))
    return Asked(f"tags.deploy = '{wanted}'", lambda f, _b: f.deploy == wanted)


def _metadata(_chooser: random.Random, facts: Facts) -> Asked:
    return Asked(f"metadata.tenant = '{facts.tenant}'", lambda f, _b: f.tenant == facts.tenant)


def _time_range(chooser: random.Random, _facts: Facts) -> Asked:
    begin = START_NS // 10**6 + chooser.randrange(PERIOD_NS // 10**6 - _HOUR_MS)
    end = begin + _HOUR_MS
    return Asked(
        f"timestamp_ms >= {begin} AND timestamp_ms < {end}",
        lambda f, _b: begin <= f.start_ns // 10**6 < end,
    )


def _session(_chooser: random.Random, facts: Facts) -> Asked:
    return Asked(f"session = '{facts.session}'", lambda f, _b: f.session == facts.session)


def _failed_tool_span(_chooser: random.Random, _facts: Facts) -> Asked:
    return Asked(
        "span.type = 'TOOL' AND span.status = 'ERROR'", lambda f, _b: f.failed_tool is not None
    )


def _model(chooser: random.Random, _facts: Facts) -> Asked:
    model = chooser.choice(MODELS)[0]
    return Asked(f"model = '{model}'", lambda f, _b: f.kind.model == model)


def _feedback(chooser: random.Random, _facts: Facts) -> Asked:
    least = chooser.choice((0.7, 0.8, 0.9))

    def holds(facts: Facts, _body: bytes) -> bool:
        value = feedback_of(facts.number)
        return value is not None and value >= least

    return Asked(f"feedback.{FEEDBACK} >= {least}", holds)


def _duration(chooser: random.Random, _facts: Facts) -> Asked:
    least_ms = chooser.randrange(15_000, 30_000)
    return Asked(f"execution_time_ms > {least_ms}", lambda f, _b: f.duration_ns / 10**6 > least_ms)


def _either(_chooser: random.Random, facts: Facts) -> Asked:
    return Asked(
        f"user = '{facts.user}' OR metadata.tenant = '{facts.tenant}'",
        lambda f, _b: f.user == facts.user or f.tenant == facts.tenant,
    )


def _neither(chooser: random.Random, _facts: Facts) -> Asked:
    channel = chooser.choice(CHANNELS)
    return Asked(
        f"NOT (tags.deploy = 'stable' OR metadata.channel = '{channel}')",
        lambda f, _b: f.deploy != "stable" and f.channel != channel,
    )


def _tool(chooser: random.Random, _facts: Facts) -> Asked:
    tool = chooser.choice(TOOLS)
    return Asked(f"tool = '{tool}'", lambda f, _b: tool in f.tools)


def _tokens(chooser: random.Random, _facts: Facts) -> Asked:
    least = chooser.randrange(20_000, 40_000)
    return Asked(f"tokens > {least}", lambda f, _b: f.tokens > least)


def _cost(chooser: random.Random, _facts: Facts) -> Asked:
    least = chooser.randrange(50, 90) / 1000
    return Asked(f"cost > {least}", lambda f, _b: _dollars(f) > least)


def _dollars(facts: Facts) -> float:
    usage = Usage(input_tokens=facts.input_tokens, output_tokens=facts.output_tokens)
    price = calc_price(usage, model_ref=facts.kind.model, provider_id=facts.kind.provider)
    return float(price.total_price)


def _version_and_failure(_chooser: random.Random, facts: Facts) -> Asked:
    version = facts.kind.agent_version
    return Asked(
        f"tags.`tracelake.agent_version` = '{version}' AND span.status = 'ERROR'",
        lambda f, _b: f.kind.agent_version == version and f.kind.failed,
    )


def _text(name: str, *wanted: str) -> Question:
    return Question(name, TEXT_BAR_MS, lambda _c, _f: _says(*wanted))


def _says(*wanted: str) -> Asked:
    clauses = " AND ".join(f"trace.text LIKE '%{word}%'" for word in wanted)
    encoded = [word.encode() for word in wanted]
    return Asked(clauses, lambda _f, body: all(word in body for word in encoded))
