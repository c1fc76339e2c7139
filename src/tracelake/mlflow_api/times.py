"""Times as protobuf's JSON writes them: RFC 3339 in UTC, and durations in seconds."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from tracelake.model.errors import InvalidInput

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)\Z"
)
_MOST_NS: Final = 2**63 - 1


def parse_time(text: str) -> int:
    """Nanoseconds since 1970. Raises InvalidInput."""
    match = _TIME.match(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not a time such as 2026-11-22T07:00:46.101Z")
    zone = "+00:00" if match[3] in "Zz" else match[3]
    try:
        seconds = int(datetime.fromisoformat(match[1] + zone).timestamp())
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not a time: {error}") from error
    time_ns = seconds * 10**9 + int((match[2] or "").ljust(9, "0"))
    if not 0 <= time_ns <= _MOST_NS:
        raise InvalidInput(f"{text!r} is not between 1970 and 2262")
    return time_ns


def format_time(time_ns: int) -> str:
    """With milliseconds, as MLflow's server does."""
    return format_time_ms(time_ns // 1_000_000)


def format_time_ms(time_ms: int) -> str:
    seconds, rest_ms = divmod(time_ms, 1000)
    moment = datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ms:03d}Z"


def parse_time_ms(text: str) -> int:
    return parse_time(text) // 1_000_000


def parse_duration(text: str) -> int:
    """Nanoseconds. Raises InvalidInput."""
    try:
        duration_ns = int(Decimal(text.removesuffix("s")) * 10**9)
    except (InvalidOperation, ValueError, OverflowError):
        duration_ns = -1
    if not text.endswith("s") or not 0 <= duration_ns <= _MOST_NS:
        raise InvalidInput(f"{text!r} is not a duration such as 1.5s")
    return duration_ns


def format_duration(duration_ns: int) -> str:
    """Whole milliseconds, as clients keep them."""
    seconds, rest_ms = divmod(duration_ns // 1_000_000, 1000)
    return f"{seconds}.{rest_ms:03d}s" if rest_ms else f"{seconds}s"
