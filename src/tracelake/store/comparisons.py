"""One comparison of a filter in SQL, on both engines: texts, integers, decimals."""

import math
import re
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, collate, false, func, or_

from tracelake.model.filters.tree import Clause, Op

Condition = ColumnElement[bool]

_INT64: Final = 2**63 - 1


class Comparisons:
    """How texts compare on one engine."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite

    def text(self, column: ColumnElement[Any], op: Op, value: Any) -> Condition | None:
        """The comparison in SQL, exactly; None where this engine cannot make it."""
        if _holds_nul(value):
            # PostgreSQL takes no NUL in a parameter, and no column holds one.
            return None
        match op:
            case Op.EQ:
                return column == value
            case Op.NE:
                return column != value
            case Op.IN:
                return column.in_(value)
            case Op.NOT_IN:
                return column.not_in(value)
            case Op.LIKE:
                return column.like(_like_in_sql(value), escape="\\")
            case Op.ILIKE if self._is_sqlite:
                # There lower() is Python's own.
                return func.lower(column).like(_like_in_sql(value.lower()), escape="\\")
            case _:
                return null_check(column, op)

    def label(self, column: ColumnElement[Any], op: Op, value: Any) -> Condition | None:
        """As `text`, where PostgreSQL may follow the database's locale in what is upper and lower
        case. None for a NUL, which no column holds."""
        if op is Op.ILIKE and not self._is_sqlite and not _holds_nul(value):
            return column.ilike(_like_in_sql(value), escape="\\")
        return self.text(column, op, value)

    def most(self, column: ColumnElement[Any], op: Op, value: Any) -> Condition:
        """Holds wherever a comparison that `text` cannot make may hold."""
        if op is Op.ILIKE and "\0" not in value:
            return or_(_beyond_ascii(column), _ilike_in_ascii(column, value))
        return column.is_not(None)

    def least(self, column: ColumnElement[Any], op: Op, value: Any) -> Condition:
        """Holds only where a comparison that `text` cannot make holds."""
        if op is Op.ILIKE and "\0" not in value:
            return and_(~_beyond_ascii(column), _ilike_in_ascii(column, value))
        return false()


def null_check(column: ColumnElement[Any], op: Op) -> Condition | None:
    """IS NULL and IS NOT NULL; None for every other operator."""
    match op:
        case Op.IS_NULL:
            return column.is_(None)
        case Op.IS_NOT_NULL:
            return column.is_not(None)
        case _:
            return None


def _holds_nul(value: Any) -> bool:
    return value is not None and "\0" in "".join(value)


def json_text(column: Any, key: str) -> ColumnElement[Any] | None:
    """The text at `key` of a JSON column. None for keys that SQLite's paths cannot name."""
    if '"' in key or "\\" in key or "\0" in key:
        return None
    return column[key].as_string()


def compare_integer(column: ColumnElement[Any], clause: Clause, unit: int = 1) -> Condition:
    """Compare whole `unit`s of an integer column, as ranges that an index can serve."""
    if (null := null_check(column, clause.op)) is not None:
        return null
    value: Any = clause.value
    low = math.ceil(value) * unit
    above = (math.floor(value) + 1) * unit
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


def compare_decimal(column: ColumnElement[Any], clause: Clause) -> Condition:
    if (null := null_check(column, clause.op)) is not None:
        return null
    return column.op(clause.op.value, is_comparison=True)(clause.value)


def _like_in_sql(pattern: str) -> str:
    """The same pattern where a backslash escapes whatever follows, itself too."""
    return re.sub(r"\\(?![%_])", r"\\\\", pattern)


def _beyond_ascii(column: ColumnElement[Any]) -> Condition:
    return func.octet_length(column) > func.char_length(column)


def _ilike_in_ascii(column: ColumnElement[Any], pattern: str) -> Condition:
    """PostgreSQL's lower() depends on the locale; in "C" it knows ASCII, where all agree."""
    lowered = func.lower(collate(column, "C"))
    return lowered.like(_like_in_sql(pattern.lower()), escape="\\")


def _at_least(column: ColumnElement[int], bound: int) -> Condition:
    if abs(bound) <= _INT64:
        return column >= bound
    return column.is_not(None) if bound < 0 else false()


def _below(column: ColumnElement[int], bound: int) -> Condition:
    if abs(bound) <= _INT64:
        return column < bound
    return column.is_not(None) if bound > 0 else false()
