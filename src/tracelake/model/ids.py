"""How ids look outside: traces `tr-` + 32 hex, spans 16 hex, assessments `a-` + 32 hex."""

import re
import uuid
from collections.abc import Iterable, Sequence

from tracelake.model.errors import InvalidInput

TRACE_PREFIX = "tr-"
_TRACE = re.compile(r"(?:tr-)?([0-9a-fA-F]{32})\Z")
_SPAN = re.compile(r"[0-9a-fA-F]{16}\Z")


def format_trace_id(raw: bytes) -> str:
    """16 bytes of an OpenTelemetry trace id to `tr-` and 32 lower-case hex digits."""
    return TRACE_PREFIX + raw.hex()


def parse_trace_id(text: str) -> bytes:
    """The 16 bytes of a trace id, with or without its `tr-`. Raises InvalidInput otherwise."""
    match = _TRACE.match(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not a trace id: it is 'tr-' and 32 hex digits")
    return bytes.fromhex(match[1])


def trace_ids_in(texts: Iterable[str]) -> list[bytes]:
    """The bytes of those that are trace ids. Any other text is the id of no trace."""
    return [bytes.fromhex(match[1]) for text in texts if (match := _TRACE.match(text))]


def parse_span_id(text: str) -> bytes:
    """The 8 bytes of a span id. Raises InvalidInput for anything but 16 hex digits."""
    if _SPAN.match(text) is None:
        raise InvalidInput(f"{text!r} is not a span id: it is 16 hex digits")
    return bytes.fromhex(text)


def parse_experiment_ids(texts: Sequence[str] | None) -> tuple[int, ...] | None:
    """The numbers that experiment ids are; None, which means all, for None. Raises InvalidInput."""
    if texts is None:
        return None
    wrong = [text for text in texts if not text.isdecimal() or len(text) > 18]
    if wrong:
        raise InvalidInput(f"experiment id {wrong[0]!r}: ids are whole numbers")
    return tuple(int(text) for text in texts)


def new_assessment_id() -> str:
    return "a-" + uuid.uuid4().hex
