"""One comparison of a filter in DuckDB's SQL."""

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final

from tracelake.model.filters.tree import Clause, Op

_INT64: Final = 2**63 - 1
_LETTERS: Final = re.compile(r"[A-Za-z]{3,}")
_SAME_IN_JSON: Final = r"-?[0-9]+|true|false|null|-?[0-9]+\.[0-9]*[1-9]"
"""JSON that reads the same as the text which a filter compares."""


@dataclass(slots=True)
class Parameters:
    values: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, value: Any) -> str:
        """Its name in the statement."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison, and the condition under which DuckDB makes it as `evaluate` does."""

    sql: str
    sure: str | None = None

    @property
    def exact(self) -> bool:
        return self.sure is None

    @property
    def most(self) -> str:
        return f"(NOT {self.sure} OR coalesce({self.sql}, false))"

    @property
    def least(self) -> str:
        return f"({self.sure} AND coalesce({self.sql}, false))"


@dataclass(frozen=True, slots=True)
class Text:
    """A text expression, and the condition under which it is the text that is meant."""

    sql: str
    sure: str | None = None

    @classmethod
    def of_json(cls, sql: str) -> "Text":
        """The text of a JSON value: of a string what it holds, of anything else its JSON."""
        is_string = f"(starts_with({sql}, '\"') AND NOT contains({sql}, '\\u'))"
        text = (
            f"CASE WHEN {is_string} THEN json_extract_string({sql}, '$') "
            f"WHEN {sql} = 'null' THEN NULL ELSE {sql} END"
        )
        same = f"regexp_full_match({sql}, '{_SAME_IN_JSON}')"
        return cls(text, f"coalesce({is_string} OR {same}, true)")

    def compare(self, op: Op, value: Any, parameters: Parameters) -> Compared:
        """The comparison. IN and NOT IN take a tuple of texts."""
        column = self.sql
        match op:
            case Op.IS_NULL | Op.IS_NOT_NULL:
                return Compared(f"{column} {op}")
            case Op.IN | Op.NOT_IN:
                listed = ", ".join(parameters.add(item) for item in value)
                return Compared(f"{column} {op} ({listed})", self.sure)
            case Op.LIKE:
                pattern = parameters.add(_like_in_sql(value))
                return Compared(f"{column} LIKE {pattern} ESCAPE '\\'", self.sure)
            case Op.ILIKE:
                # Outside ASCII every engine has its own lower().
                pattern = parameters.add(_like_in_sql(value.lower()))
                ascii_only = f"coalesce(strlen({column}) = length({column}), true)"
                sure = ascii_only if self.sure is None else f"({self.sure} AND {ascii_only})"
                return Compared(f"lower({column}) LIKE {pattern} ESCAPE '\\'", sure)
            case Op.RLIKE:
                return Compared(f"regexp_matches({column}, {parameters.add(value)})", self.sure)
            case _:
                return Compared(f"{column} {op} {parameters.add(value)}", self.sure)


def compare_number(column: str, clause: Clause, parameters: Parameters) -> str:
    value: Any = clause.value
    if value is None:
        return f"{column} {clause.op}"
    if isinstance(value, int) and abs(value) > _INT64:
        value = math.copysign(1e30, value)  # beyond every number there is
    return f"{column} {clause.op} {parameters.add(value)}"


def compare_time(column: str, clause: Clause, parameters: Parameters) -> str:
    """An order comparison of a time in whole milliseconds, so that files can be left unread."""
    value: Any = clause.value
    whole_ms = math.ceil(value) if clause.op in (Op.GE, Op.LT) else math.floor(value) + 1
    op = ">=" if clause.op in (Op.GE, Op.GT) else "<"
    # Far beyond the times a trace can have, and within those that DuckDB has.
    bound_us = max(min(whole_ms * 1000, 2**62), -(2**62))
    return f"{column} {op} make_timestamptz({parameters.add(bound_us)})"


def content_most(clause: Clause, parameters: Parameters) -> str:
    """A condition on `spans s` that holds wherever a pattern may be found in the span's content.

    A run of letters in the pattern is a run of letters in some column, however its JSON is written.
    """
    runs = _LETTERS.findall(re.sub(r"\\[%_]", " ", str(clause.value)))
    if not runs:
        return "true"
    run = parameters.add(max(runs, key=len).lower())
    everything = (
        "concat_ws(' ', s.name, s.span_type, s.model, s.status_message, s.inputs, s.outputs, "
        "CAST(s.attributes AS VARCHAR), CAST(s.events AS VARCHAR))"
    )
    # These two are no letters of ASCII, and their lower case begins with one.
    return f"(contains(lower({everything}), {run}) OR regexp_matches({everything}, '[İ\u212a]'))"


def _like_in_sql(pattern: str) -> str:
    """The same pattern where a backslash escapes whatever follows, itself too."""
    return re.sub(r"\\(?![%_])", r"\\\\", pattern)
