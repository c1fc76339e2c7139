"""What a trace is found by, as bytes: a letter for the field, then its parts.

A term without its last part says that the trace has the field at all: `t` env is "has tag env".
"""

import hashlib
from enum import Enum
from typing import Final

PART_CHARS: Final = 120
"""A longer part is cut, and closed by a digest of the whole."""
_CUT_MARK: Final = "\x01"
_DIGEST_CHARS: Final = 24
_SEPARATOR: Final = b"\0"
NOTHING: Final = "\x02"
"""Stands in a shape where the span has no such part."""


class Field(Enum):
    EXPERIMENT = b"e"
    STATE = b"s"
    NAME = b"n"
    USER = b"u"
    SESSION = b"S"
    CLIENT_REQUEST_ID = b"c"
    TAG = b"t"
    METADATA = b"m"
    SHAPE = b"p"
    """A span's name, type, status, model, provider and tool, together."""
    ERROR = b"x"
    """What went wrong in a span."""
    FEEDBACK = b"f"
    """An assessment: its name, value and source, and how many alike the trace has."""
    EXPECTATION = b"g"
    ISSUE = b"i"
    SESSION_FEEDBACK = b"F"
    """Feedback that speaks of a whole session: its name and value, the session, the experiment."""
    SESSION_EXPECTATION = b"G"
    WORD = b"w"
    LONG_WORD = b"W"
    """The trace has a word too long to be kept whole."""

    # Enum's own is a Python function, which a twentieth of indexing went into.
    __hash__ = object.__hash__


def term(field: Field, *parts: str) -> bytes:
    """The term of a field with these parts. No part holds a NUL: the store's text never does."""
    return _SEPARATOR.join([field.value, *(shorten(part).encode() for part in parts)])


def term_of_parts(field: Field, *parts: str) -> bytes:
    """The term of parts that are as `shorten` leaves them."""
    return _SEPARATOR.join([field.value, *(part.encode() for part in parts)])


def parts_of(found: bytes) -> list[str]:
    """The parts of a term, as `shorten` left them."""
    return found[2:].decode().split("\0") if len(found) > 1 else []


def shorten(text: str) -> str:
    """The text itself, or its beginning with a digest of all of it."""
    if len(text) <= PART_CHARS:
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=_DIGEST_CHARS // 2).hexdigest()
    return text[:PART_CHARS] + _CUT_MARK + digest


def is_cut(part: str) -> bool:
    """Whether a part of a term is only the beginning of what it stands for."""
    return len(part) == PART_CHARS + 1 + _DIGEST_CHARS and part[PART_CHARS] == _CUT_MARK


def range_of(prefix: bytes) -> tuple[bytes, bytes]:
    """The half-open range of all terms that go on after a prefix."""
    return prefix + _SEPARATOR, prefix + b"\x01"
