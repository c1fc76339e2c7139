"""A filter's tree to DuckDB's SQL over the Delta tables, the third engine beside the store's two.

As there: what SQL cannot say exactly is left open, so that it lets through at least every trace
that matches, and `evaluate` decides. `t` is a row of `traces`, `s` one of `spans`, and `assessed`
has one row `a` an assessment.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from tracelake.lake.comparisons import Parameters, Text, compare_number, compare_time, content_most
from tracelake.model.filters.evaluate import SESSION_KEY
from tracelake.model.filters.fields import TRACE_FIELDS, Kind
from tracelake.model.filters.tree import And, Clause, Entity, Node, Not, OnSpan, Op, Or, clauses_of
from tracelake.model.ids import TRACE_PREFIX

EXPERIMENT: Final = "t.trace_location.mlflow_experiment.experiment_id"
SESSION: Final = f"t.trace_metadata['{SESSION_KEY}']"
ASSESSED: Final = (
    f"assessed AS (SELECT t.trace_id, {EXPERIMENT} AS experiment_id, {SESSION} AS session, "
    "unnest(t.assessments) AS a FROM traces t)"
)
_USAGE: Final = "t.trace_metadata['mlflow.trace.tokenUsage']"
_COST: Final = "t.trace_metadata['mlflow.trace.cost']"
_YEAR_9000_MS: Final = 221_845_392_000_000
_START_MS: Final = "(epoch_us(t.request_time) // 1000)"

_TEXTS: Final = {
    "status": "t.state",
    "name": "t.tags['mlflow.traceName']",
    "request_id": "t.trace_id",
    "run_id": "t.trace_metadata['mlflow.sourceRun']",
    "client_request_id": "t.client_request_id",
    "user": "t.trace_metadata['mlflow.trace.user']",
    "session": SESSION,
}
_NUMBERS: Final = {
    "timestamp_ms": _START_MS,
    "execution_time_ms": "t.execution_duration_ms",
    "end_time_ms": f"({_START_MS} + coalesce(t.execution_duration_ms, 0))",
    "tokens": f"CAST(json_extract_string({_USAGE}, '$.total_tokens') AS BIGINT)",
    "input_tokens": f"CAST(json_extract_string({_USAGE}, '$.input_tokens') AS BIGINT)",
    "output_tokens": f"CAST(json_extract_string({_USAGE}, '$.output_tokens') AS BIGINT)",
    "cost": f"CAST(json_extract_string({_COST}, '$.total_cost') AS DOUBLE)",
}
_SPAN_TEXTS: Final = {
    "name": "s.name",
    "type": "s.span_type",
    "status": "s.status",
    "model": "s.model",
    "provider": "s.provider",
    "tool": "s.tool",
    "error": "s.error",
}
_SPAN_NUMBERS: Final = {
    "duration_ms": "s.duration_ms",
    "tokens": "s.total_tokens",
    "input_tokens": "s.input_tokens",
    "output_tokens": "s.output_tokens",
    "cost": "s.total_cost",
}
_OPPOSITE: Final = {Op.NE: Op.EQ, Op.NOT_IN: Op.IN}


@dataclass(slots=True)
class LakeCondition:
    sql: str
    exact: bool
    """False when traces that pass must still be evaluated one by one."""
    needs_spans: bool
    """Whether evaluating takes the spans of a trace."""
    parameters: Parameters = field(default_factory=Parameters)


def compile_for_lake(node: Node) -> LakeCondition:
    """The condition of a filter on `traces t`, with its parameters."""
    compiler = _Compiler(_span_days(node))
    sql = compiler.node(node, True)
    needs_spans = any(_looks_at_spans(clause) for clause in clauses_of(node))
    return LakeCondition(sql, compiler.exact, needs_spans, compiler.parameters)


class _Compiler:
    def __init__(self, span_days: tuple[date | None, date | None]) -> None:
        self.parameters = Parameters()
        self.exact = True
        low, high = span_days
        self._days = ""
        # All spans of a trace lie in the partition of the day it began: others are not read.
        if low is not None:
            self._days += f" AND s.request_date >= DATE '{low}'"
        if high is not None:
            self._days += f" AND s.request_date <= DATE '{high}'"

    def node(self, node: Node, positive: bool) -> str:
        """SQL that is never NULL; what is left open is true where the node may hold when
        `positive`, and true only where it must when not."""
        match node:
            case And(items):
                return _joined(" AND ", [self.node(item, positive) for item in items], "true")
            case Or(items):
                return _joined(" OR ", [self.node(item, positive) for item in items], "false")
            case Not(item):
                return f"NOT {self.node(item, not positive)}"
            case OnSpan(item):
                return self._some_span(self.node(item, positive))
            case Clause():
                return f"coalesce({self._clause(node, positive)}, false)"

    def _clause(self, clause: Clause, positive: bool) -> str:
        match clause.entity:
            case Entity.ATTRIBUTE:
                return self._attribute(clause, positive)
            case Entity.TAG:
                column = f"t.tags[{self.parameters.add(clause.key)}]"
                return self._text(Text(column), clause.op, clause.value, positive)
            case Entity.METADATA:
                column = f"t.trace_metadata[{self.parameters.add(clause.key)}]"
                return self._text(Text(column), clause.op, clause.value, positive)
            case Entity.SPAN if clause.key in _SPAN_TEXTS:
                column = Text(_SPAN_TEXTS[clause.key])
                return self._text(column, clause.op, clause.value, positive)
            case Entity.SPAN if clause.key in _SPAN_NUMBERS:
                return compare_number(_SPAN_NUMBERS[clause.key], clause, self.parameters)
            case Entity.SPAN:
                self.exact = False
                return content_most(clause, self.parameters) if positive else "false"
            case Entity.SPAN_ATTRIBUTE:
                column = Text.of_json(f"s.attributes[{self.parameters.add(clause.key)}]")
                return self._text(column, clause.op, clause.value, positive)
            case Entity.FEEDBACK | Entity.EXPECTATION:
                return self._assessed(clause, positive)
            case Entity.ISSUE | Entity.PARAM | Entity.METRIC | Entity.DATASET:
                return "false"  # the tables have none

    def _attribute(self, clause: Clause, positive: bool) -> str:
        key, value = clause.key, clause.value
        if key == "timestamp_ms" and clause.op in (Op.GE, Op.GT, Op.LT, Op.LE):
            return compare_time("t.request_time", clause, self.parameters)
        if key in _NUMBERS:
            return compare_number(_NUMBERS[key], clause, self.parameters)
        if TRACE_FIELDS[key] is Kind.VALUES:
            return self._values(clause, positive)
        if key == "text":
            self.exact = False
            if not positive:
                return "false"
            return self._some_span(content_most(clause, self.parameters))
        if key == "prompt":
            self.exact = False
            return "t.tags['mlflow.linkedPrompts'] IS NOT NULL" if positive else "false"
        if key == "request_id":
            value = _with_prefix(clause.op, value)
        return self._text(Text(_TEXTS[key]), clause.op, value, positive)

    def _values(self, clause: Clause, positive: bool) -> str:
        """What any span says; != and NOT IN hold when something is said, and never that."""
        column, op = _SPAN_TEXTS[clause.key], clause.op
        said = self._some_span(f"{column} IS NOT NULL")
        if op is Op.IS_NULL:
            return f"NOT {said}"
        if op in _OPPOSITE:
            same = self._text(Text(column), _OPPOSITE[op], clause.value, positive)
            return f"({said} AND NOT {self._some_span(same)})"
        return self._some_span(self._text(Text(column), op, clause.value, positive))

    def _text(self, text: Text, op: Op, value: Any, positive: bool) -> str:
        compared = text.compare(op, value, self.parameters)
        if compared.exact:
            return compared.sql
        self.exact = False
        return compared.most if positive else compared.least

    def _assessed(self, clause: Clause, positive: bool) -> str:
        is_open = clause.op not in (Op.IS_NULL, Op.IS_NOT_NULL)
        if is_open:
            self.exact = False
            if not positive:
                return "false"
        named = f"a.valid AND a.name = {self.parameters.add(clause.key)}"
        named += f" AND a.{clause.entity} IS NOT NULL"
        there = (
            f"coalesce(t.trace_id IN (SELECT trace_id FROM assessed WHERE {named}) OR "
            f"({EXPERIMENT}, {SESSION}) IN (SELECT (experiment_id, session) FROM assessed "
            f"WHERE session IS NOT NULL AND a.metadata['{SESSION_KEY}'] = session "
            f"AND {named}), false)"
        )
        return f"NOT {there}" if clause.op is Op.IS_NULL else there

    def _some_span(self, condition: str) -> str:
        return (
            "EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id"
            f"{self._days} AND {condition})"
        )


def _joined(word: str, parts: list[str], empty: str) -> str:
    return f"({word.join(parts)})" if parts else empty


def _with_prefix(op: Op, value: Any) -> Any:
    """Whole ids may be written without their prefix."""
    if op in (Op.IN, Op.NOT_IN):
        return tuple(TRACE_PREFIX + item.removeprefix(TRACE_PREFIX) for item in value)
    return TRACE_PREFIX + value.removeprefix(TRACE_PREFIX) if op in (Op.EQ, Op.NE) else value


def _looks_at_spans(clause: Clause) -> bool:
    if clause.entity is Entity.ATTRIBUTE:
        return TRACE_FIELDS[clause.key] in (Kind.VALUES, Kind.CONTENT)
    return clause.entity in (Entity.SPAN, Entity.SPAN_ATTRIBUTE)


def _span_days(node: Node) -> tuple[date | None, date | None]:
    """First and last day that a trace may have begun on."""
    low: date | None = None
    high: date | None = None
    for clause in node.items if isinstance(node, And) else (node,):
        if not isinstance(clause, Clause) or clause.key != "timestamp_ms":
            continue
        value: Any = clause.value
        if clause.entity is not Entity.ATTRIBUTE or value is None or not 0 <= value < _YEAR_9000_MS:
            continue
        day = date(1970, 1, 1) + timedelta(days=int(value // 86_400_000))
        if clause.op in (Op.EQ, Op.GE, Op.GT):
            low = day if low is None else max(low, day)
        if clause.op in (Op.EQ, Op.LE, Op.LT):
            high = day if high is None else min(high, day)
    return low, high
