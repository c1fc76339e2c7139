"""How values are written in the short form: numbers with units, times, ranges, wildcards."""

import math
import re
from datetime import UTC, datetime
from typing import Final

from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.short_fields import Reads

_NUMBER: Final = re.compile(
    r"\$?(?P<number>-?\d+(?:\.\d+)?|-?\.\d+)(?P<unit>[a-zµ]*)", re.IGNORECASE
)
_DURATION_MS: Final = {"us": 0.001, "µs": 0.001, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
DAY_MS: Final = 86_400_000
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FACTORS: Final = {"": 1, "k": 1000, "m": 1_000_000}
_WILDCARD: Final = re.compile(r"([%_\\])")


def read_number(text: str, reads: Reads, column: int) -> float:
    """A number, a duration or a time in milliseconds. Raises InvalidFilter."""
    match reads:
        case Reads.DURATION:
            return _with_unit(
                text, _DURATION_MS, "a duration with its unit, as 300ms, 2s or 1.5m", column
            )
        case Reads.TIME:
            return _time_ms(text, column)
        case _:
            return _with_unit(text, _FACTORS, "a number, as 0.02, 4k or 1.5m", column)


def is_day(text: str) -> bool:
    """Whether a time is a day without an hour."""
    return _DAY.fullmatch(text) is not None


def whole(number: float, column: int) -> int:
    """Raises InvalidFilter for what has decimals."""
    if not number.is_integer():
        raise InvalidFilter("whole numbers only", column)
    return int(number)


def pattern(text: str) -> str | None:
    """A text with wildcards as a pattern of ILIKE; None for one without."""
    if "*" not in text:
        return None
    return _WILDCARD.sub(r"\\\1", text).replace("*", "%")


def containing(text: str) -> str:
    """The pattern of what has the text somewhere."""
    return f"%{_WILDCARD.sub(lambda match: chr(92) + match[1], text)}%"


def _with_unit(
    text: str, units: dict[str, float] | dict[str, int], wanted: str, column: int
) -> float:
    match = _NUMBER.fullmatch(text)
    factor = units.get(match["unit"].lower()) if match else None
    if match is None or factor is None:
        raise InvalidFilter(f"{text!r}: write {wanted}", column)
    number = float(match["number"]) * factor
    if not math.isfinite(number) or abs(number) > 1e15:
        raise InvalidFilter("the number is too large", column)
    return round(number, 9)


def _time_ms(text: str, column: int) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidFilter(
            f"{text!r}: write a day or a time, as 2026-11-20 or 2026-11-20T15:30", column
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() * 1000 // 1)
