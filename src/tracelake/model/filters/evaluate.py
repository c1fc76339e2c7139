"""What a filter means: whether one trace, whole in memory, matches a tree.

A comparison with something that is not there is false, and NOT is the opposite of its inside.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracelake.model.anyvalue import parse_json_text
from tracelake.model.entities import Assessment, JsonValue, Span, TraceInfo
from tracelake.model.filters.fields import TRACE_FIELDS, Kind
from tracelake.model.filters.patterns import like, regular
from tracelake.model.filters.tree import (
    And,
    Clause,
    Entity,
    Node,
    Not,
    OnSpan,
    Op,
    Or,
    clauses_of,
)
from tracelake.model.ids import TRACE_PREFIX
from tracelake.model.jsonvalue import as_list, as_object, objects_in
from tracelake.model.text import storable

SESSION_KEY: Final = "mlflow.trace.session"
"""An assessment whose metadata names its trace's session under this key speaks of all of it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a filter is decided on. What costs a read is a function, called only when needed."""

    info: TraceInfo
    """With its valid assessments."""
    spans: Callable[[], Sequence[Span]]
    of_session: Callable[[], Sequence[Assessment]]
    """Valid assessments, of any trace of this one's session, that speak of the whole session."""
    known: Mapping[Clause, bool] = field(default_factory=dict[Clause, bool])
    """Clauses on `trace.text` whose verdict a quicker way has told."""


def matches(node: Node, told: Evidence) -> bool:
    """Whether the trace matches."""
    match node:
        case And(items):
            return all(matches(item, told) for item in items)
        case Or(items):
            return any(matches(item, told) for item in items)
        case Not(item):
            return not matches(item, told)
        case OnSpan(item):
            return any(_span_matches(item, span) for span in told.spans())
        case Clause():
            return _clause_matches(node, told)


def needs_spans(node: Node) -> bool:
    """Whether the spans of a trace may have to be read to decide it."""
    return any(
        clause.entity in (Entity.SPAN, Entity.SPAN_ATTRIBUTE)
        or (
            clause.entity is Entity.ATTRIBUTE
            and TRACE_FIELDS[clause.key] in (Kind.VALUES, Kind.CONTENT)
        )
        for clause in clauses_of(node)
    )


def compare(op: Op, found: Any, wanted: Any) -> bool:
    """One comparison; False when `found` is None or cannot be compared."""
    if op is Op.IS_NULL:
        return found is None
    if op is Op.IS_NOT_NULL:
        return found is not None
    if found is None:
        return False
    match op:
        case Op.EQ:
            return found == wanted
        case Op.NE:
            return found != wanted
        case Op.IN:
            return found in wanted
        case Op.NOT_IN:
            return found not in wanted
        case Op.GT:
            return found > wanted
        case Op.GE:
            return found >= wanted
        case Op.LT:
            return found < wanted
        case Op.LE:
            return found <= wanted
        case Op.LIKE:
            return like(wanted)(found)
        case Op.ILIKE:
            return like(wanted.lower())(found.lower())
        case _:
            return regular(wanted)(found)


def compare_any(op: Op, found: Collection[str], wanted: Any) -> bool:
    """One comparison with a set: one value is enough, but != and NOT IN speak of all of them."""
    match op:
        case Op.IS_NULL:
            return not found
        case Op.IS_NOT_NULL:
            return bool(found)
        case Op.NE | Op.NOT_IN:
            return bool(found) and all(compare(op, value, wanted) for value in found)
        case _:
            return any(compare(op, value, wanted) for value in found)


def _clause_matches(clause: Clause, told: Evidence) -> bool:
    info = told.info
    match clause.entity:
        case Entity.TAG:
            return compare(clause.op, info.tags.get(clause.key), clause.value)
        case Entity.METADATA:
            return compare(clause.op, info.trace_metadata.get(clause.key), clause.value)
        case Entity.FEEDBACK | Entity.EXPECTATION | Entity.ISSUE:
            return _assessed(clause, told)
        case Entity.ATTRIBUTE if TRACE_FIELDS[clause.key] is Kind.VALUES:
            found = {getattr(span.head, clause.key) for span in told.spans()}
            return compare_any(clause.op, found - {None}, clause.value)
        case Entity.ATTRIBUTE if clause.key == "text":
            if (verdict := told.known.get(clause)) is not None:
                return verdict
            return any(compare(clause.op, content_of(span), clause.value) for span in told.spans())
        case Entity.ATTRIBUTE if clause.key == "prompt":
            return _links_prompt(info, str(clause.value))
        case Entity.ATTRIBUTE:
            wanted = clause.value
            if clause.key == "request_id":
                wanted = _with_prefix(clause.op, wanted)
            return compare(clause.op, _attribute(info, clause.key), wanted)
        case _:
            return False


def _attribute(info: TraceInfo, key: str) -> JsonValue:
    start_ms = info.request_time_ns // 1_000_000
    duration_ns = info.execution_duration_ns
    duration_ms = duration_ns // 1_000_000 if duration_ns is not None else None
    match key:
        case "timestamp_ms":
            return start_ms
        case "execution_time_ms":
            return duration_ms
        case "end_time_ms":
            return start_ms + (duration_ms or 0)
        case "tokens":
            return info.token_usage and info.token_usage.total_tokens
        case "input_tokens" | "output_tokens":
            return info.token_usage and getattr(info.token_usage, key)
        case "cost":
            return info.cost and info.cost.total_cost
        case "status":
            return str(info.state)
        case "request_id":
            return info.trace_id
        case "run_id":
            return info.trace_metadata.get("mlflow.sourceRun")
        case "session":
            return info.session_id
        case _:
            return getattr(info, key)


def _with_prefix(op: Op, wanted: Any) -> Any:
    """Trace ids may be written without their prefix, save in patterns."""
    if op in (Op.IN, Op.NOT_IN):
        return tuple(TRACE_PREFIX + item.removeprefix(TRACE_PREFIX) for item in wanted)
    return TRACE_PREFIX + wanted.removeprefix(TRACE_PREFIX) if op in (Op.EQ, Op.NE) else wanted


def _span_matches(node: Node, span: Span) -> bool:
    match node:
        case And(items):
            return all(_span_matches(item, span) for item in items)
        case Or(items):
            return any(_span_matches(item, span) for item in items)
        case Clause(entity=Entity.SPAN_ATTRIBUTE, key=key, op=op, value=value):
            return compare(op, as_text(span.attributes.get(key)), value)
        case Clause(key=key, op=op, value=value):
            return compare(op, _span_field(span, key), value)
        case _:
            return False


def _span_field(span: Span, key: str) -> JsonValue:
    head = span.head
    match key:
        case "type":
            return head.span_type
        case "status":
            return str(head.status)
        case "duration_ms":
            end_ns = head.end_time_ns
            return None if end_ns is None else (end_ns - head.start_time_ns) / 1e6
        case "tokens":
            return head.token_usage and head.token_usage.total_tokens
        case "input_tokens" | "output_tokens":
            return head.token_usage and getattr(head.token_usage, key)
        case "cost":
            return head.cost and head.cost.total_cost
        case "content":
            return content_of(span)
        case _:
            return getattr(head, key)


def content_of(span: Span) -> str:
    """Everything a person can read in the span, one piece a line."""
    told = [span.head.name, span.head.span_type, span.head.model, span.status_message]
    told += [span.inputs, span.outputs, span.attributes]
    told += [[event.name, event.attributes] for event in span.events]
    return storable("\n".join(leaves(told)))


def leaves(value: JsonValue) -> Iterator[str]:
    """Every key and every value in it, as text. A text that is JSON with characters written as
    codes says what they stand for, too."""
    if isinstance(value, str):
        yield value
        if "\\u" in value and (read := parse_json_text(value)) != value:
            yield from leaves(read)
    elif isinstance(value, list):
        for item in as_list(value) or ():
            yield from leaves(item)
    elif isinstance(value, dict):
        for key, item in (as_object(value) or {}).items():
            yield key
            yield from leaves(item)
    elif value is not None:
        yield json.dumps(value)


def as_text(value: JsonValue) -> str | None:
    """A value as the text it is compared as: a string itself, anything else its JSON.

    Keys are in order, and a whole number is written whole, so that no engine's JSON shows.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return storable(value)
    return storable(json.dumps(_plain(value), ensure_ascii=False, sort_keys=True))


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if (items := as_list(value)) is not None:
        return [_plain(item) for item in items]
    if (members := as_object(value)) is not None:
        return {key: _plain(item) for key, item in members.items()}
    return value


def _assessed(clause: Clause, told: Evidence) -> bool:
    name = clause.value if clause.entity is Entity.ISSUE else clause.key
    named = [
        item
        for item in (*told.info.assessments, *told.of_session())
        if item.valid and item.kind == clause.entity and item.name == name
    ]
    if clause.entity is Entity.ISSUE:
        return bool(named)
    if clause.op is Op.IS_NULL:
        return not named
    if clause.op is Op.IS_NOT_NULL:
        return bool(named)
    return any(value_matches(clause, item.value) for item in named)


def value_matches(clause: Clause, value: JsonValue) -> bool:
    """Whether a clause on an assessment holds for its value."""
    if clause.op in (Op.GT, Op.GE, Op.LT, Op.LE):
        if isinstance(value, bool):
            value = int(value)
        return isinstance(value, int | float) and compare(clause.op, value, clause.value)
    wanted = clause.value
    if isinstance(wanted, int | float) and isinstance(value, int | float):
        return compare(clause.op, value, wanted)
    return compare(clause.op, as_text(value), as_text(wanted))


def _links_prompt(info: TraceInfo, wanted: str) -> bool:
    name, _, version = wanted.rpartition("/")
    try:
        linked = json.loads(info.tags.get("mlflow.linkedPrompts", "[]"))
    except ValueError:
        return False
    return any(
        prompt.get("name") == name and str(prompt.get("version")) == version
        for prompt in objects_in(linked)
    )
