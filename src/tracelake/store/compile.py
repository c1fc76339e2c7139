"""A filter's tree to SQL, for both engines.

SQL decides what it can decide alike on SQLite and PostgreSQL. What it cannot (payloads, regular
expressions, assessment values) is left open so that the SQL lets through at least every trace that
matches; `evaluate` then decides. `Compiled.exact` says whether that second look is needed.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, false, func, not_, or_, select, true

from tracelake.model.filters.tree import And, Clause, Entity, Node, Not, OnSpan, Op, Or
from tracelake.model.ids import TRACE_PREFIX
from tracelake.store.schema import assessments, spans, traces

Condition = ColumnElement[bool]

_TEXT_COLUMNS: Final = {
    "status": traces.c.state,
    "name": traces.c.name,
    "client_request_id": traces.c.client_request_id,
    "user": traces.c.user_id,
    "session": traces.c.session_id,
}
_SPAN_COLUMNS: Final = {
    "name": spans.c.name,
    "type": spans.c.span_type,
    "status": spans.c.status,
}
# Keys that `rows.trace_of` answers from columns.
_COLUMN_METADATA: Final = {
    "mlflow.trace.session": traces.c.session_id,
    "mlflow.trace.user": traces.c.user_id,
}
_COMPUTED_METADATA: Final = frozenset(
    {"mlflow.trace.tokenUsage", "mlflow.trace.cost", "mlflow.trace_schema.version"}
)
_MS: Final = 1_000_000
_INT64: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Compiled:
    condition: Condition
    exact: bool
    """False when traces that pass `condition` must still be evaluated one by one."""


class Compiler:
    """Compiles for one engine."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite

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
            case Not(item):
                inside = self._node(item, not positive, still_open)
                return not_(func.coalesce(inside, false()))
            case OnSpan(item):
                found: list[Clause] = []
                inside = self._node(item, positive, found)
                still_open.extend(found)
                return exists(
                    select(spans.c.span_id).where(spans.c.trace_key == traces.c.trace_key, inside)
                )
            case Clause():
                condition = self._clause(node)
                if condition is not None:
                    return condition
                still_open.append(node)
                return self._guess(node) if positive else false()

    def _clause(self, clause: Clause) -> Condition | None:
        """The clause in SQL, exactly; None where SQL cannot tell."""
        match clause.entity:
            case Entity.ATTRIBUTE if clause.key == "request_id":
                return self._request_id(clause)
            case Entity.ATTRIBUTE if clause.key in _TEXT_COLUMNS:
                return self._text(_TEXT_COLUMNS[clause.key], clause)
            case Entity.ATTRIBUTE if clause.key == "timestamp_ms":
                return _whole_ms(traces.c.start_ns, clause)
            case Entity.ATTRIBUTE if clause.key == "execution_time_ms":
                return _whole_ms(traces.c.end_ns - traces.c.start_ns, clause)
            case Entity.ATTRIBUTE if clause.key == "end_time_ms":
                return None
            case Entity.ATTRIBUTE if clause.key == "run_id":
                return self._text(self._json(traces.c.trace_metadata, "mlflow.sourceRun"), clause)
            case Entity.TAG if clause.key == "mlflow.traceName":
                return self._text(traces.c.name, clause)
            case Entity.TAG:
                return self._text(self._json(traces.c.tags, clause.key), clause)
            case Entity.METADATA if clause.key in _COLUMN_METADATA:
                return self._text(_COLUMN_METADATA[clause.key], clause)
            case Entity.METADATA if clause.key not in _COMPUTED_METADATA:
                return self._text(self._json(traces.c.trace_metadata, clause.key), clause)
            case Entity.SPAN if clause.key in _SPAN_COLUMNS:
                return self._text(_SPAN_COLUMNS[clause.key], clause)
            case Entity.FEEDBACK | Entity.EXPECTATION if clause.op is Op.IS_NOT_NULL:
                return _has_assessment(clause)
            case Entity.FEEDBACK | Entity.EXPECTATION if clause.op is Op.IS_NULL:
                return not_(_has_assessment(clause))
            case _:
                return None

    def _guess(self, clause: Clause) -> Condition:
        """A condition that holds wherever an open clause may hold."""
        if clause.entity in (Entity.FEEDBACK, Entity.EXPECTATION):
            return _has_assessment(clause)
        return true()

    def _text(self, column: ColumnElement[Any] | None, clause: Clause) -> Condition | None:
        if column is None:
            return None
        value: Any = clause.value
        if isinstance(value, str) and "\0" in value:
            # PostgreSQL takes no NUL in a parameter, and no column holds one.
            return None
        match clause.op:
            case Op.EQ:
                return column == value
            case Op.NE:
                return column != value
            case Op.IN:
                return column.in_(value) if not any("\0" in item for item in value) else None
            case Op.NOT_IN:
                return column.not_in(value) if not any("\0" in item for item in value) else None
            case Op.LIKE:
                return column.like(_like_in_sql(value), escape="\\")
            case Op.ILIKE if self._is_sqlite:
                # There lower() is Python's own; PostgreSQL's depends on the locale of the database.
                return func.lower(column).like(_like_in_sql(value.lower()), escape="\\")
            case Op.IS_NULL:
                return column.is_(None)
            case Op.IS_NOT_NULL:
                return column.is_not(None)
            case _:
                return None

    def _json(self, column: Any, key: str) -> ColumnElement[Any] | None:
        """The text at `key` of a JSON column. None for keys that SQLite's paths cannot name."""
        if '"' in key or "\\" in key or "\0" in key:
            return None
        return column[key].as_string()

    def _request_id(self, clause: Clause) -> Condition | None:
        if clause.op not in (Op.EQ, Op.NE, Op.IN, Op.NOT_IN):
            return None
        wanted = clause.value if isinstance(clause.value, tuple) else (str(clause.value),)
        found = [raw for raw in map(_trace_id_bytes, wanted) if raw is not None]
        inside = traces.c.trace_id.in_(found)
        return inside if clause.op in (Op.EQ, Op.IN) else not_(inside)


def _like_in_sql(pattern: str) -> str:
    """The same pattern where a backslash escapes whatever follows, itself too."""
    return re.sub(r"\\(?![%_])", r"\\\\", pattern)


def _trace_id_bytes(text: str) -> bytes | None:
    digits = text.removeprefix(TRACE_PREFIX)
    if len(digits) != 32 or digits != digits.lower():
        return None
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def _has_assessment(clause: Clause) -> Condition:
    return exists(
        select(assessments.c.assessment_id).where(
            assessments.c.trace_key == traces.c.trace_key,
            assessments.c.kind == str(clause.entity),
            assessments.c.name == clause.key.replace("\0", "\ufffd"),
            assessments.c.valid,
        )
    )


def _whole_ms(column: ColumnElement[int], clause: Clause) -> Condition:
    """Compare whole milliseconds of a nanosecond column, as ranges that an index can serve."""
    value: Any = clause.value
    low = math.ceil(value) * _MS
    above = (math.floor(value) + 1) * _MS
    is_whole = value == math.floor(value)
    match clause.op:
        case Op.GE:
            return _at_least(column, low)
        case Op.GT:
            return _at_least(column, above)
        case Op.LT:
            return _below(column, low)
        case Op.LE:
            return _below(column, above)
        case Op.EQ:
            return and_(_at_least(column, low), _below(column, above)) if is_whole else false()
        case _:
            if not is_whole:
                return column.is_not(None)
            return or_(_below(column, low), _at_least(column, above))


def _at_least(column: ColumnElement[int], bound: int) -> Condition:
    return column >= bound if bound <= _INT64 else and_(column.is_not(None), false())


def _below(column: ColumnElement[int], bound: int) -> Condition:
    return column < bound if -_INT64 <= bound <= _INT64 else _outside(column, bound)


def _outside(column: ColumnElement[int], bound: int) -> Condition:
    return column.is_not(None) if bound > 0 else false()
