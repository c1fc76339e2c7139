"""Errors that differ in numbers and ids only are one: its name, and what matches it."""

import re
from typing import Final, NamedTuple

_VARYING: Final = re.compile(r"[0-9A-Za-z]*[0-9][0-9A-Za-z]*")
"""A word with a digit in it: a number, a part of an id, a date. Words end at anything but letters
and digits of ASCII, so that the same expression in a pattern finds the same words."""
_ANY_VARYING: Final = _VARYING.pattern
_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
_PLACE: Final = "#"


class ErrorGroup(NamedTuple):
    title: str
    """The text of its errors, with a mark for each word that varies."""
    pattern: str
    """In RE2's syntax: it matches the errors of the group, and no others."""


def group_of(error: str) -> ErrorGroup:
    """The group of an error's one line, `Type: message`."""
    pieces = _VARYING.split(error)
    escaped = [_SPECIAL.sub(lambda match: "\\" + match[0], piece) for piece in pieces]
    # A dot of RE2 matches no line break, but the anchors are those of the whole text.
    return ErrorGroup(_PLACE.join(pieces), f"^{_ANY_VARYING.join(escaped)}$")
