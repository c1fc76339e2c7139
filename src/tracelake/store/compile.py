"""A filter's tree to SQL, for both engines.

SQL decides what it can decide alike on SQLite and PostgreSQL. What it cannot (payloads, regular
expressions, assessment values) is left open so that the SQL lets through at least every trace that
matches; `evaluate` then decides. `Compiled.exact` says whether that second look is needed.
How one comparison looks in SQL stands in `comparisons.py`.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, and_, exists, false, func, literal, not_, or_, select, true

from tracelake.model.filters.evaluate import SESSION_KEY
from tracelake.model.filters.fields import TRACE_FIELDS, Kind
from tracelake.model.filters.tree import And, Clause, Entity, Node, Not, OnSpan, Op, Or
from tracelake.model.ids import TRACE_PREFIX
from tracelake.store.comparisons import (
    Comparisons,
    Condition,
    compare_decimal,
    compare_integer,
    json_text,
    null_check,
)
from tracelake.store.rows import SCHEMA_VERSION
from tracelake.store.schema import assessments, spans, traces

_MS: Final = 1_000_000
_NO_NS: Final = literal(0, BigInteger)

_TEXT_COLUMNS: Final = {
    "status": traces.c.state,
    "name": traces.c.name,
    "client_request_id": traces.c.client_request_id,
    "user": traces.c.user_id,
    "session": traces.c.session_id,
    "run_id": traces.c.trace_metadata["mlflow.sourceRun"].as_string(),
}
_LINKED_PROMPTS: Final = traces.c.tags["mlflow.linkedPrompts"].as_string()
_INTEGER_COLUMNS: Final = {
    "tokens": traces.c.total_tokens,
    "input_tokens": traces.c.input_tokens,
    "output_tokens": traces.c.output_tokens,
    "end_time_ms": traces.c.start_ns // _MS
    + func.coalesce(traces.c.end_ns - traces.c.start_ns, _NO_NS) // _MS,
}
_MS_COLUMNS: Final = {
    "timestamp_ms": traces.c.start_ns,
    "execution_time_ms": traces.c.end_ns - traces.c.start_ns,
}
_SPAN_TEXTS: Final = {
    "name": spans.c.name,
    "type": spans.c.span_type,
    "status": spans.c.status,
    "model": spans.c.model,
    "provider": spans.c.provider,
    "tool": spans.c.tool,
    "error": spans.c.error,
}
_SPAN_INTEGERS: Final = {
    "tokens": spans.c.total_tokens,
    "input_tokens": spans.c.input_tokens,
    "output_tokens": spans.c.output_tokens,
}
_SPAN_DECIMALS: Final = {
    "duration_ms": (spans.c.end_ns - spans.c.start_ns) / literal(1e6),
    "cost": spans.c.total_cost,
}
# Keys that `rows.trace_of` answers from columns.
_COLUMN_METADATA: Final = {
    "mlflow.trace.session": traces.c.session_id,
    "mlflow.trace.user": traces.c.user_id,
    "mlflow.trace_schema.version": literal(SCHEMA_VERSION),
}
_COMPUTED_METADATA: Final = {
    "mlflow.trace.tokenUsage": traces.c.total_tokens,
    "mlflow.trace.cost": traces.c.total_cost,
}


@dataclass(frozen=True, slots=True)
class Compiled:
    condition: Condition
    exact: bool
    """False when traces that pass `condition` must still be evaluated one by one."""


class Compiler:
    """Compiles for one engine."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._comparisons = Comparisons(is_sqlite=is_sqlite)

    def compile(self, node: Node) -> Compiled:
        open_clauses: list[Clause] = []
        return Compiled(self._node(node, True, open_clauses), not open_clauses)

    def _node(self, node: Node, positive: bool, still_open: list[Clause]) -> Condition:
        """A condition that is true wherever the node may be (false wherever it may not, when
        `positive` is False), so that what is left open never hides a trace that matches."""
        match node:
            case And(items):
                return and_(true(), *(self._node(item, positive, still_open) for item in items))
            case Or(items):
                return or_(false(), *(self._node(item, positive, still_open) for item in items))
            # NOT goes down to single comparisons: SQLite's parser gives up on deep expressions.
            case Not(Not(item)):
                return self._node(item, positive, still_open)
            case Not(And(items)):
                return self._node(Or(tuple(map(Not, items))), positive, still_open)
            case Not(Or(items)):
                return self._node(And(tuple(map(Not, items))), positive, still_open)
            case Not(item):
                inside = self._node(item, not positive, still_open)
                return not_(func.coalesce(inside, false()))
            case OnSpan(item):
                return _some_span(self._node(item, positive, still_open))
            case Clause():
                condition = self._clause(node)
                if condition is not None:
                    return condition
                still_open.append(node)
                return self._most(node) if positive else self._least(node)

    def _clause(self, clause: Clause) -> Condition | None:
        """The clause in SQL, exactly; None where SQL cannot tell."""
        match clause.entity:
            case Entity.ATTRIBUTE:
                return self._attribute(clause)
            case Entity.METADATA if clause.key in _COMPUTED_METADATA:
                column = _COMPUTED_METADATA[clause.key]
                return null_check(column, clause.op)
            case Entity.SPAN if clause.key in _SPAN_INTEGERS:
                return compare_integer(_SPAN_INTEGERS[clause.key], clause)
            case Entity.SPAN if clause.key in _SPAN_DECIMALS:
                return compare_decimal(_SPAN_DECIMALS[clause.key], clause)
            case Entity.FEEDBACK | Entity.EXPECTATION if clause.op is Op.IS_NOT_NULL:
                return _has_assessment(clause)
            case Entity.FEEDBACK | Entity.EXPECTATION if clause.op is Op.IS_NULL:
                return not_(_has_assessment(clause))
            case Entity.ISSUE:
                return _has_assessment(clause)
            case _:
                column = _text(clause)
                return None if column is None else self._text(column, clause)

    def _text(self, column: Any, clause: Clause) -> Condition | None:
        return self._comparisons.text(column, clause.op, clause.value)

    def _attribute(self, clause: Clause) -> Condition | None:
        key = clause.key
        if TRACE_FIELDS[key] is Kind.VALUES:
            return self._values(clause)
        if key == "request_id":
            return self._request_id(clause)
        if key in _MS_COLUMNS:
            return compare_integer(_MS_COLUMNS[key], clause, unit=_MS)
        if key in _INTEGER_COLUMNS:
            return compare_integer(_INTEGER_COLUMNS[key], clause)
        if key == "cost":
            return compare_decimal(traces.c.total_cost, clause)
        column = _text(clause)
        return None if column is None else self._text(column, clause)

    def _values(self, clause: Clause) -> Condition | None:
        """What any span says; != and NOT IN hold when something is said, and never that."""
        column, op = _SPAN_TEXTS[clause.key], clause.op
        if op is Op.IS_NULL:
            return not_(_some_span(column.is_not(None)))
        if op in _OPPOSITE:
            same = self._comparisons.text(column, _OPPOSITE[op], clause.value)
            if same is None:
                return None
            return and_(_some_span(column.is_not(None)), not_(_some_span(same)))
        inside = self._comparisons.text(column, op, clause.value)
        return None if inside is None else _some_span(inside)

    def _most(self, clause: Clause) -> Condition:
        """A condition that holds wherever an open clause may hold."""
        if clause.entity in (Entity.FEEDBACK, Entity.EXPECTATION):
            return _has_assessment(clause)
        if clause.entity is Entity.METADATA and clause.key in _COMPUTED_METADATA:
            return _COMPUTED_METADATA[clause.key].is_not(None)
        if clause.entity is Entity.ATTRIBUTE and clause.key == "prompt":
            return _LINKED_PROMPTS.is_not(None)
        if clause.entity is Entity.ATTRIBUTE and TRACE_FIELDS[clause.key] is Kind.VALUES:
            column = _SPAN_TEXTS[clause.key]
            return _some_span(self._comparisons.most(column, clause.op, clause.value))
        column = _text(clause)
        if column is None:
            return true()
        return self._comparisons.most(column, clause.op, clause.value)

    def _least(self, clause: Clause) -> Condition:
        """A condition that holds only where an open clause holds."""
        if clause.entity is Entity.ATTRIBUTE and TRACE_FIELDS[clause.key] is Kind.VALUES:
            column = _SPAN_TEXTS[clause.key]
            return _some_span(self._comparisons.least(column, clause.op, clause.value))
        column = _text(clause)
        if column is None:
            return false()
        return self._comparisons.least(column, clause.op, clause.value)

    def _request_id(self, clause: Clause) -> Condition | None:
        if clause.op in (Op.IS_NULL, Op.IS_NOT_NULL):
            return null_check(traces.c.trace_id, clause.op)
        if clause.op not in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN):
            return None
        wanted = clause.value if isinstance(clause.value, tuple) else (str(clause.value),)
        found = [raw for raw in map(_trace_id_bytes, wanted) if raw is not None]
        inside = traces.c.trace_id.in_(found)
        return inside if clause.op in (Op.EQ, Op.IN) else not_(inside)


_OPPOSITE: Final = {Op.NE: Op.EQ, Op.NOT_IN: Op.IN}


def _text(clause: Clause) -> Any | None:
    """The text expression that a clause compares; None where SQL has none."""
    match clause.entity:
        case Entity.ATTRIBUTE:
            return _TEXT_COLUMNS.get(clause.key)
        case Entity.TAG if clause.key == "mlflow.traceName":
            return traces.c.name
        case Entity.TAG:
            return json_text(traces.c.tags, clause.key)
        case Entity.METADATA if clause.key in _COLUMN_METADATA:
            return _COLUMN_METADATA[clause.key]
        case Entity.METADATA if clause.key not in _COMPUTED_METADATA:
            return json_text(traces.c.trace_metadata, clause.key)
        case Entity.SPAN:
            return _SPAN_TEXTS.get(clause.key)
        case _:
            return None


def _some_span(condition: Condition) -> Condition:
    return exists(select(spans.c.span_id).where(spans.c.trace_key == traces.c.trace_key, condition))


def _trace_id_bytes(text: str) -> bytes | None:
    digits = text.removeprefix(TRACE_PREFIX)
    if len(digits) != 32 or digits != digits.lower():
        return None
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def _has_assessment(clause: Clause) -> Condition:
    """Whether the trace, or its whole session through another of its traces, was assessed so."""
    name = str(clause.value) if clause.entity is Entity.ISSUE else clause.key
    named = and_(
        assessments.c.kind == str(clause.entity),
        assessments.c.name == name.replace("\0", "\ufffd"),
        assessments.c.valid,
    )
    other = traces.alias("of_session")
    own = exists(
        select(assessments.c.assessment_id).where(
            assessments.c.trace_key == traces.c.trace_key, named
        )
    )
    session = exists(
        select(assessments.c.assessment_id).where(
            other.c.session_id == traces.c.session_id,
            other.c.experiment_id == traces.c.experiment_id,
            assessments.c.trace_key == other.c.trace_key,
            assessments.c.assessment_metadata[SESSION_KEY].as_string() == traces.c.session_id,
            named,
        )
    )
    return or_(own, session)
