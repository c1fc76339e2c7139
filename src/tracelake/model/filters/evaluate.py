"""What a filter means: whether one trace, whole in memory, matches a tree.

A comparison with something that is not there is false, and NOT is the opposite of its inside.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tracelake.model.entities import Assessment, JsonValue, Span, TraceInfo
from tracelake.model.filters.patterns import like, regular
from tracelake.model.filters.tree import And, Clause, Entity, Node, Not, OnSpan, Op, Or
from tracelake.model.ids import TRACE_PREFIX
from tracelake.model.jsonvalue import as_list, as_object, objects_in
from tracelake.model.text import storable

Spans = Callable[[], Sequence[Span]]


def matches(node: Node, info: TraceInfo, spans: Spans) -> bool:
    """Whether the trace matches. `spans` is called only when a clause needs the payloads."""
    match node:
        case And(items):
            return all(matches(item, info, spans) for item in items)
        case Or(items):
            return any(matches(item, info, spans) for item in items)
        case Not(item):
            return not matches(item, info, spans)
        case OnSpan(item):
            return any(_span_matches(item, span) for span in spans())
        case Clause():
            return _clause_matches(node, info, spans)


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


def _clause_matches(clause: Clause, info: TraceInfo, spans: Spans) -> bool:
    match clause.entity:
        case Entity.TAG:
            return compare(clause.op, info.tags.get(clause.key), clause.value)
        case Entity.METADATA:
            return compare(clause.op, info.trace_metadata.get(clause.key), clause.value)
        case Entity.FEEDBACK | Entity.EXPECTATION:
            return _assessed(clause, info.assessments)
        case Entity.ATTRIBUTE if clause.key == "text":
            return any(compare(clause.op, _content(span), clause.value) for span in spans())
        case Entity.ATTRIBUTE if clause.key == "prompt":
            return _links_prompt(info, str(clause.value))
        case Entity.ATTRIBUTE:
            wanted = clause.value
            if clause.key == "request_id":
                wanted = _with_prefix(wanted) if clause.op in (Op.EQ, Op.NE) else wanted
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


def _with_prefix(wanted: Any) -> Any:
    return wanted if wanted.startswith(TRACE_PREFIX) else TRACE_PREFIX + wanted


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


def _span_field(span: Span, key: str) -> str:
    match key:
        case "name":
            return span.head.name
        case "type":
            return span.head.span_type
        case "status":
            return str(span.head.status)
        case _:
            return _content(span)


def _content(span: Span) -> str:
    """Everything a person can read in the span, one piece a line."""
    told = [span.head.name, span.head.span_type, span.head.model, span.status_message]
    told += [span.inputs, span.outputs, span.attributes]
    told += [[event.name, event.attributes] for event in span.events]
    return storable("\n".join(leaves(told)))


def leaves(value: JsonValue) -> Iterator[str]:
    """Every key and every value in it, as text."""
    if isinstance(value, str):
        yield value
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
    """A value as filters compare it: text as it is, anything else as JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        return storable(value)
    return json.dumps(value, ensure_ascii=False)


def _assessed(clause: Clause, assessments: Sequence[Assessment]) -> bool:
    named = [
        item
        for item in assessments
        if item.valid and item.kind == clause.entity and item.name == clause.key
    ]
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
    return compare(clause.op, as_text(value), str(wanted))


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
