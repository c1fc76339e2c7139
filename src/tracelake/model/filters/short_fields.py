"""The fields of the short form, and what each stands for in a tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.fields import SPAN_FIELDS, TRACE_FIELDS, nearest
from tracelake.model.filters.fields import Kind as FieldKind
from tracelake.model.filters.tree import Entity

RELEASE_TAG: Final = "service.version"
ENVIRONMENT_TAG: Final = "deployment.environment.name"
"""Attributes of resources, which become tags:
https://opentelemetry.io/docs/specs/semconv/resource/"""


class Reads(Enum):
    """How the values of a field are written."""

    TEXT = auto()
    STATUS = auto()
    NUMBER = auto()
    DURATION = auto()
    TIME = auto()
    ASSESSED = auto()


@dataclass(frozen=True, slots=True)
class ShortField:
    name: str
    """As it is written: of a keyed field, with the dot before its key."""
    entity: Entity
    key: str
    reads: Reads
    meaning: str

    @property
    def is_keyed(self) -> bool:
        return self.name.endswith(".")

    @property
    def facet(self) -> str | None:
        """What lists its values in a query of facets or, of a keyed field, its keys."""
        match self.entity:
            case Entity.ATTRIBUTE | Entity.SPAN if self.reads is not Reads.TEXT:
                return None
            case Entity.ATTRIBUTE:
                return self.key if self.key in _FACETS else None
            case Entity.SPAN:
                return f"span.{self.key}" if self.key in ("name", "type") else self.key
            case Entity.TAG | Entity.METADATA:
                kind = _KEYED_FACETS[self.entity]
                return kind if self.is_keyed else f"{kind}.{self.key}"
            case _:
                return _KEYED_FACETS.get(self.entity)


_FACETS: Final = ("user", "session", "name", "model", "provider", "tool", "error")
_KEYED_FACETS: Final = {
    Entity.TAG: "tags",
    Entity.METADATA: "metadata",
    Entity.FEEDBACK: "feedback",
    Entity.EXPECTATION: "expectation",
}


def _trace(name: str, key: str, reads: Reads, meaning: str) -> ShortField:
    assert key in TRACE_FIELDS
    return ShortField(name, Entity.ATTRIBUTE, key, reads, meaning)


def _span(name: str, key: str, reads: Reads, meaning: str) -> ShortField:
    assert key in SPAN_FIELDS
    return ShortField(name, Entity.SPAN, key, reads, meaning)


_ATTRIBUTES: Final = ShortField(
    "attr.", Entity.SPAN_ATTRIBUTE, "", Reads.TEXT, "an attribute of one span"
)

TRACE_SHORT: Final[Sequence[ShortField]] = (
    _trace("status", "status", Reads.STATUS, "failed, errors, ok or running"),
    _trace("user", "user", Reads.TEXT, "who asked"),
    _trace("session", "session", Reads.TEXT, "the conversation"),
    _trace("name", "name", Reads.TEXT, "name of the trace"),
    _trace("model", "model", Reads.TEXT, "a model that was called"),
    _trace("tool", "tool", Reads.TEXT, "a tool that was called"),
    _trace("error", "error", Reads.TEXT, "what went wrong in a span"),
    _trace("latency", "execution_time_ms", Reads.DURATION, "how long it took: >2s, 100ms..1s"),
    _trace("cost", "cost", Reads.NUMBER, "US dollars"),
    _trace("tokens", "tokens", Reads.NUMBER, "all tokens: >4k"),
    _trace("input_tokens", "input_tokens", Reads.NUMBER, "tokens that were read"),
    _trace("output_tokens", "output_tokens", Reads.NUMBER, "tokens that were written"),
    ShortField("release", Entity.TAG, RELEASE_TAG, Reads.TEXT, f"tag {RELEASE_TAG}"),
    ShortField("environment", Entity.TAG, ENVIRONMENT_TAG, Reads.TEXT, f"tag {ENVIRONMENT_TAG}"),
    ShortField("tag.", Entity.TAG, "", Reads.TEXT, "a tag"),
    ShortField("meta.", Entity.METADATA, "", Reads.TEXT, "metadata of the trace"),
    ShortField("feedback.", Entity.FEEDBACK, "", Reads.ASSESSED, "a score or feedback"),
    ShortField("expect.", Entity.EXPECTATION, "", Reads.ASSESSED, "an expectation"),
    _trace("provider", "provider", Reads.TEXT, "who serves a model"),
    _span("span", "name", Reads.TEXT, "name of a span"),
    _span("type", "type", Reads.TEXT, "type of a span: TOOL, LLM, RETRIEVER …"),
    _ATTRIBUTES,
    _trace("time", "timestamp_ms", Reads.TIME, "when it began: >=2026-11-20"),
    _trace("id", "request_id", Reads.TEXT, "the trace's id"),
    _trace("request", "client_request_id", Reads.TEXT, "the id that your code gave it"),
    _trace("run", "run_id", Reads.TEXT, "a run that it belongs to"),
)
"""The order is that in which they are suggested."""

SPAN_SHORT: Final[Sequence[ShortField]] = (
    _span("name", "name", Reads.TEXT, "name of the span"),
    _span("type", "type", Reads.TEXT, "TOOL, LLM, RETRIEVER …"),
    _span("status", "status", Reads.STATUS, "error or ok"),
    _span("tool", "tool", Reads.TEXT, "the tool that it called"),
    _span("model", "model", Reads.TEXT, "the model that it called"),
    _span("provider", "provider", Reads.TEXT, "who serves the model"),
    _span("error", "error", Reads.TEXT, "what went wrong"),
    _span("latency", "duration_ms", Reads.DURATION, "how long it took: >2s"),
    _span("tokens", "tokens", Reads.NUMBER, "all tokens"),
    _span("input_tokens", "input_tokens", Reads.NUMBER, "tokens that were read"),
    _span("output_tokens", "output_tokens", Reads.NUMBER, "tokens that were written"),
    _span("cost", "cost", Reads.NUMBER, "US dollars"),
    _ATTRIBUTES,
)
_ALIASES: Final[Mapping[str, str]] = {
    "duration": "latency",
    "env": "environment",
    "version": "release",
    "tags": "tag",
    "metadata": "meta",
    "score": "feedback",
    "expectation": "expect",
    "attributes": "attr",
    "trace": "id",
    "trace_id": "id",
    "state": "status",
}


def resolve(name: str, column: int, *, in_span: bool) -> ShortField:
    """The field that a name means, its key filled in. Raises InvalidFilter."""
    head, dot, key = name.partition(".")
    lowered = head.lower()
    wanted = _ALIASES.get(lowered, lowered)
    fields = SPAN_SHORT if in_span else TRACE_SHORT
    for field in fields:
        if field.name == wanted and not dot:
            return field
        if field.is_keyed and field.name == wanted + ".":
            if not key:
                raise InvalidFilter(f"{head!r} needs a key: {field.name}<key>:value", column)
            return ShortField(field.name, field.entity, key, field.reads, field.meaning)
    known = [field.name.rstrip(".") for field in fields]
    hint = nearest(head, [*known, *_ALIASES])
    raise InvalidFilter(
        f"{name!r} is no field{hint}; text that has a colon stands in quotes", column
    )


def is_whole_number(field: ShortField) -> bool:
    """Whether the tree compares it with whole numbers only."""
    kinds = {Entity.SPAN: SPAN_FIELDS, Entity.ATTRIBUTE: TRACE_FIELDS}.get(field.entity, {})
    return kinds.get(field.key) is FieldKind.INTEGER
