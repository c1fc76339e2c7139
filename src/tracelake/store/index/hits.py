"""Which traces may have the text that a clause asks for, by the text index."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracelake.model.filters.tree import Clause
from tracelake.store.index.docs import Mask
from tracelake.store.index.terms import Field
from tracelake.store.index.view import IndexView, Segment
from tracelake.store.index.words import WORD_CHARS, Fit, WantedWord, wanted_words

_MOST_WORDS: Final = 2000
"""A piece found in more words of a segment than this does not narrow the search."""

Seqs = NDArray[np.int64]


class TextHits:
    """Answers for one search. A segment of text is asked once for a clause."""

    def __init__(self, view: IndexView) -> None:
        self._view = view
        self._ends = [segment.last_seq for segment in view.text]
        self._wanted: dict[Clause, frozenset[WantedWord] | None] = {}
        self._known: dict[tuple[Clause, int], Seqs] = {}

    @property
    def known_seq(self) -> int:
        """The text of later versions is not in the index."""
        return self._view.text_seq

    def candidates(self, clause: Clause, first_seq: int, last_seq: int) -> Seqs | None:
        """Versions whose text may match, ascending: all from the first to the last, and others.

        None where the index cannot narrow them.
        """
        if clause not in self._wanted:
            self._wanted[clause] = wanted_words(clause)
        wanted = self._wanted[clause]
        if not wanted:
            return None
        found: list[Seqs] = []
        for segment in self._view.text[bisect_left(self._ends, first_seq) :]:
            if segment.first_seq > last_seq:
                break
            key = (clause, segment.segment_id)
            if key not in self._known:
                mask = _having_all(segment, wanted)
                seqs = segment.column("seq")
                self._known[key] = seqs if mask is None else seqs[mask]
            found.append(self._known[key])
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _having_all(segment: Segment, wanted: frozenset[WantedWord]) -> Mask | None:
    found: Mask | None = None
    for word in sorted(wanted, key=lambda item: -len(item.word)):
        mask = _having_word(segment, word)
        if mask is not None:
            found = mask if found is None else found & mask
            if not found.any():
                break
    return found


def _having_word(segment: Segment, wanted: WantedWord) -> Mask | None:
    if wanted.fit is Fit.WHOLE:
        return segment.mask(word_term(wanted.word))
    words = list(_lines_with(segment.words(), wanted))
    if len(words) > _MOST_WORDS:
        return None
    mask = segment.mask_of(*segment.terms.docs_of([word_term(word) for word in words]))
    if wanted.fit is not Fit.BEGINS:
        # Only the beginning of a long word is known, and this may stand in the rest of it.
        mask |= segment.mask(Field.LONG_WORD.value)
    return mask


def _lines_with(lines: bytes, wanted: WantedWord) -> Iterator[bytes]:
    """Lines that hold a word as it fits; one more than `_MOST_WORDS` at most."""
    before = b"\n" if wanted.fit is Fit.BEGINS else b""
    # A word that fills what is kept of a long one may go on after it.
    is_whole_end = wanted.fit is Fit.ENDS and len(wanted.word) < WORD_CHARS
    after = b"\n" if is_whole_end else b""
    needle = before + wanted.word + after
    at, count = lines.find(needle), 0
    while at >= 0 and count <= _MOST_WORDS:
        begin = lines.rfind(b"\n", 0, at + len(before)) + 1
        end = lines.find(b"\n", at + len(before))
        yield lines[begin:end]
        count += 1
        at = lines.find(needle, end)


def word_term(word: bytes) -> bytes:
    return Field.WORD.value + b"\0" + word
