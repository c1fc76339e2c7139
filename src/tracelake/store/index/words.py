"""Text to words, and a search pattern to the words that a match must have.

A word is a run of letters, digits and underscores, folded in case. Scripts written without spaces
give overlapping pairs of characters instead. Folding is per character (Unicode's full case folding
has no context), so a piece of a text stays a piece of the folded text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from tracelake.model.filters.patterns import literal_pieces
from tracelake.model.filters.tree import Clause, Entity, Op

WORD_CHARS: Final = 40
"""A longer word is kept by its beginning, and its document marked as one that has a long word."""

# Thai, Lao, Myanmar, Khmer; Chinese and Japanese, with their extensions and compatibility forms.
_SPACELESS: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN: Final = re.compile(f"[{_SPACELESS}]+|[^\\W{_SPACELESS}]+")
_FIRST_SPACELESS: Final = "\u0e00"
_IS_SPACELESS: Final = re.compile(f"[{_SPACELESS}]")
_ASCII_WORDS: Final = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() or chr(code) == "_" else 0x20
    for code in range(128)
) + bytes([0x20] * 128)


def words_of(text: str) -> set[bytes]:
    """The distinct words of a text, none of them cut."""
    if text.isascii():
        # The plain case at the speed of C: one pass that folds and blanks, one that splits.
        return set(text.encode().translate(_ASCII_WORDS).split())
    found: set[bytes] = set()
    for token in _TOKEN.findall(text.casefold()):
        if token[0] >= _FIRST_SPACELESS and _IS_SPACELESS.match(token):
            found.update(pair.encode("utf-8", "replace") for pair in _pairs(token))
        else:
            found.add(token.encode("utf-8", "replace"))
    return found


def cut_word(word: bytes) -> bytes:
    """A word as the index keeps it."""
    if len(word) <= WORD_CHARS:
        return word
    return word.decode("utf-8", "replace")[:WORD_CHARS].encode()


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for at in range(len(run) - 1):
        yield run[at : at + 2]


class Fit(Enum):
    """How a wanted word lies in a word of the text."""

    WHOLE = "whole"
    BEGINS = "begins"
    ENDS = "ends"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class WantedWord:
    word: bytes
    fit: Fit


def wanted_words(clause: Clause) -> frozenset[WantedWord] | None:
    """Words that every text has for which the clause holds; None where none can be told."""
    match clause.entity:
        case Entity.ATTRIBUTE if clause.key == "text":
            found = _of_pattern(clause)
        case Entity.SPAN if clause.key == "content":
            found = _of_pattern(clause)
        case Entity.SPAN_ATTRIBUTE:
            found = _of_attribute(clause)
        case _:
            found = frozenset[WantedWord]()
    return found or None


def _of_pattern(clause: Clause) -> frozenset[WantedWord]:
    if clause.op not in (Op.LIKE, Op.ILIKE):
        return frozenset()
    pieces = literal_pieces(str(clause.value))
    return frozenset(word for piece in pieces for word in _words_of_piece(piece))


def _of_attribute(clause: Clause) -> frozenset[WantedWord]:
    if clause.op is Op.IS_NULL:
        return frozenset()
    key = frozenset(WantedWord(cut_word(word), Fit.WHOLE) for word in words_of(clause.key))
    value: Any = clause.value
    # Within JSON text a backslash begins an escape, which the words of the value do not have.
    if clause.op in (Op.LIKE, Op.ILIKE) and "\\" not in value:
        return key | _of_pattern(clause)
    if clause.op is Op.EQ and "\\" not in value:
        return key | frozenset(_words_of_piece(value))
    return key


def _words_of_piece(piece: str) -> Iterator[WantedWord]:
    """What words a text has in which this piece stands somewhere."""
    folded = piece.casefold()
    for match in _TOKEN.finditer(folded):
        token = match.group()
        opens, closes = match.start() == 0, match.end() == len(folded)
        if _IS_SPACELESS.match(token):
            fit = Fit.INSIDE if len(token) == 1 else Fit.WHOLE
            for pair in _pairs(token):
                yield WantedWord(pair.encode(), fit)
        elif opens and closes:
            yield WantedWord(cut_word(token.encode()), Fit.INSIDE)
        elif opens:
            yield WantedWord(token[-WORD_CHARS:].encode(), Fit.ENDS)
        elif closes:
            yield WantedWord(cut_word(token.encode()), Fit.BEGINS)
        else:
            yield WantedWord(cut_word(token.encode()), Fit.WHOLE)
