"""LIKE and RLIKE patterns, on RE2: no pattern that a user writes can take more than linear time."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import re2

_PIECES = re.compile(r"\\[%_]|.", re.DOTALL)

Matcher = Callable[[str], bool]
_re2 = cast("Any", re2)


@lru_cache(maxsize=256)
def like(pattern: str) -> Matcher:
    """A LIKE pattern: % is any text, _ one character; \\% and \\_ are these characters."""
    marks = {"%": ".*", "_": "."}
    pieces: list[str] = _PIECES.findall(pattern)
    expression = "".join(
        marks.get(piece) or _re2.escape(piece[-1] if len(piece) == 2 else piece) for piece in pieces
    )
    compiled = _compile(f"(?s){expression}")
    return lambda text: compiled.fullmatch(text) is not None


def literal_pieces(pattern: str) -> list[str]:
    """The texts between the wildcards of a LIKE pattern; what matches it has all of them."""
    pieces = [""]
    for piece in _PIECES.findall(pattern):
        if piece in ("%", "_"):
            pieces.append("")
        else:
            pieces[-1] += piece[-1] if len(piece) == 2 else piece
    return [piece for piece in pieces if piece]


@lru_cache(maxsize=256)
def regular(pattern: str) -> Matcher:
    """A regular expression, found anywhere in the text. Raises ValueError where it is not one."""
    compiled = _compile(pattern)
    return lambda text: compiled.search(text) is not None


def _compile(expression: str) -> Any:
    options = _re2.Options()
    options.log_errors = False
    try:
        return _re2.compile(expression, options)
    except _re2.error as error:
        reason = error.args[0] if error.args else "not a regular expression"
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from error
