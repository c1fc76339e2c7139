"""Which identifiers a filter may name, what each compares, and which operators it takes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum, auto
from typing import Final

from tracelake.model.entities import SpanStatus, TraceState
from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.tree import Entity, Op

_COMPARE: Final = frozenset({Op.EQ, Op.NE, Op.GT, Op.GE, Op.LT, Op.LE})
_MATCH: Final = frozenset({Op.LIKE, Op.ILIKE, Op.RLIKE})
_EQUAL: Final = frozenset({Op.EQ, Op.NE})
_ONE_OF: Final = frozenset({Op.IN, Op.NOT_IN})
_NULL: Final = frozenset({Op.IS_NULL, Op.IS_NOT_NULL})


class Kind(Enum):
    """What values an identifier has, and so which operators it takes."""

    INTEGER = auto()
    DECIMAL = auto()
    TEXT = auto()
    STATUS = auto()
    """One of a few words, in any case."""
    VALUES = auto()
    """What all spans of the trace say: any number of texts."""
    LABEL = auto()
    """A text of anything but a trace: no regular expressions."""
    CONTENT = auto()
    PROMPT = auto()
    ASSESSED = auto()
    ISSUE = auto()


OPERATORS: Final = {
    Kind.INTEGER: _COMPARE | _NULL,
    Kind.DECIMAL: _COMPARE | _NULL,
    Kind.TEXT: _EQUAL | _ONE_OF | _MATCH | _NULL,
    Kind.STATUS: _EQUAL | _ONE_OF | _MATCH | _NULL,
    Kind.VALUES: _EQUAL | _ONE_OF | _MATCH | _NULL,
    Kind.LABEL: _EQUAL | _ONE_OF | frozenset({Op.LIKE, Op.ILIKE}) | _NULL,
    Kind.CONTENT: frozenset({Op.LIKE, Op.ILIKE}),
    Kind.PROMPT: frozenset({Op.EQ}),
    Kind.ASSESSED: _COMPARE | _MATCH | _NULL,
    Kind.ISSUE: frozenset({Op.EQ}),
}

TRACE_FIELDS: Final = {
    "timestamp_ms": Kind.INTEGER,
    "execution_time_ms": Kind.INTEGER,
    "end_time_ms": Kind.INTEGER,
    "tokens": Kind.INTEGER,
    "input_tokens": Kind.INTEGER,
    "output_tokens": Kind.INTEGER,
    "cost": Kind.DECIMAL,
    "status": Kind.STATUS,
    "name": Kind.TEXT,
    "request_id": Kind.TEXT,
    "run_id": Kind.TEXT,
    "client_request_id": Kind.TEXT,
    "user": Kind.TEXT,
    "session": Kind.TEXT,
    "model": Kind.VALUES,
    "provider": Kind.VALUES,
    "tool": Kind.VALUES,
    "error": Kind.VALUES,
    "text": Kind.CONTENT,
    "prompt": Kind.PROMPT,
}
SPAN_FIELDS: Final = {
    "name": Kind.TEXT,
    "type": Kind.TEXT,
    "status": Kind.STATUS,
    "model": Kind.TEXT,
    "provider": Kind.TEXT,
    "tool": Kind.TEXT,
    "error": Kind.TEXT,
    "duration_ms": Kind.DECIMAL,
    "tokens": Kind.INTEGER,
    "input_tokens": Kind.INTEGER,
    "output_tokens": Kind.INTEGER,
    "cost": Kind.DECIMAL,
    "content": Kind.CONTENT,
}
_TRACE_ALIASES: Final = {
    "timestamp": "timestamp_ms",
    "execution_time": "execution_time_ms",
    "execution_duration": "execution_time_ms",
    "execution_duration_ms": "execution_time_ms",
    "duration": "execution_time_ms",
    "duration_ms": "execution_time_ms",
    "end_time": "end_time_ms",
    "total_tokens": "tokens",
    "total_cost": "cost",
    "state": "status",
    "trace_id": "request_id",
    "user_id": "user",
    "session_id": "session",
}
_SPAN_ALIASES: Final = {
    "duration": "duration_ms",
    "total_tokens": "tokens",
    "total_cost": "cost",
    "span_type": "type",
}
_PREFIXES: Final = {
    "attribute": Entity.ATTRIBUTE,
    "attributes": Entity.ATTRIBUTE,
    "trace": Entity.ATTRIBUTE,
    "tag": Entity.TAG,
    "tags": Entity.TAG,
    "metadata": Entity.METADATA,
    "request_metadata": Entity.METADATA,
    "span": Entity.SPAN,
    "feedback": Entity.FEEDBACK,
    "expectation": Entity.EXPECTATION,
    "issue": Entity.ISSUE,
}
STATE_UNSPECIFIED: Final = "STATE_UNSPECIFIED"
"""Clients know it from the protocol; no trace here has it."""
STATUS_WORDS: Final = {
    Entity.ATTRIBUTE: (*map(str, TraceState), STATE_UNSPECIFIED),
    Entity.SPAN: tuple(map(str, SpanStatus)),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One name of a dotted identifier, and where it stands."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the identifiers of a filter mean."""

    resolve: Callable[[Sequence[Part]], tuple[Entity, str]]
    """The entity and canonical key that a dotted identifier names. Raises InvalidFilter."""
    kind_of: Callable[[Entity, str], Kind]
    """What a resolved identifier compares."""


def trace_field(name: str) -> str | None:
    """The canonical name of a field of a trace; None for what is none."""
    lowered = name.lower()
    found = _TRACE_ALIASES.get(lowered, lowered)
    return found if found in TRACE_FIELDS else None


def _resolve(parts: Sequence[Part]) -> tuple[Entity, str]:
    first = parts[0]
    if len(parts) == 1:
        return Entity.ATTRIBUTE, _trace_field(first)
    entity = _PREFIXES.get(first.text.lower())
    if entity is None:
        raise InvalidFilter(
            f"{first.text!r} has no fields{nearest(first.text, _PREFIXES)}; use attributes, tags, "
            "metadata, span, feedback, expectation or issue",
            first.column,
        )
    rest = Part(".".join(part.text for part in parts[1:]), parts[1].column)
    match entity:
        case Entity.ATTRIBUTE:
            return entity, _trace_field(rest)
        case Entity.SPAN if parts[1].text.lower() in ("attributes", "attribute") and len(parts) > 2:
            return Entity.SPAN_ATTRIBUTE, ".".join(part.text for part in parts[2:])
        case Entity.SPAN:
            return entity, _span_field(rest)
        case Entity.ISSUE if rest.text != "id":
            raise InvalidFilter("of an issue only issue.id can be searched", rest.column)
        case _:
            return entity, rest.text


def _kind_of(entity: Entity, key: str) -> Kind:
    match entity:
        case Entity.ATTRIBUTE:
            return TRACE_FIELDS[key]
        case Entity.SPAN:
            return SPAN_FIELDS[key]
        case Entity.FEEDBACK | Entity.EXPECTATION:
            return Kind.ASSESSED
        case Entity.ISSUE:
            return Kind.ISSUE
        case _:
            return Kind.TEXT


TRACES: Final = Vocabulary(_resolve, _kind_of)
"""What a filter on traces may name."""


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the name that looks most like this one; empty without one."""
    lowered = {item.lower(): item for item in known}
    found = get_close_matches(name.lower(), lowered, n=1)
    return f" (did you mean {lowered[found[0]]!r}?)" if found else ""


def _trace_field(part: Part) -> str:
    found = trace_field(part.text)
    if found is None:
        if part.text.lower() in _PREFIXES:
            raise InvalidFilter(
                f"{part.text!r} needs a key or a field after a dot: {part.text}.…", part.column
            )
        hint = nearest(part.text, [*TRACE_FIELDS, *_TRACE_ALIASES])
        raise InvalidFilter(
            f"{part.text!r} is not a field of a trace{hint}; use one of "
            f"{', '.join(TRACE_FIELDS)}, or tags.<key>, metadata.<key>",
            part.column,
        )
    return found


def _span_field(part: Part) -> str:
    lowered = part.text.lower()
    found = _SPAN_ALIASES.get(lowered, lowered)
    if found in ("attribute", "attributes"):
        raise InvalidFilter("of span.attributes, say which: span.attributes.<key>", part.column)
    if found not in SPAN_FIELDS:
        hint = nearest(part.text, [*SPAN_FIELDS, *_SPAN_ALIASES, "attributes"])
        raise InvalidFilter(
            f"{part.text!r} is not a field of a span{hint}; use one of "
            f"{', '.join(SPAN_FIELDS)}, or attributes.<key>",
            part.column,
        )
    return found
