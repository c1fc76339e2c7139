"""Terms and who has them, many in a block, which is a row of the store.

A row for each term had cost PostgreSQL 95 bytes and SQLite 22 beside the term and its documents;
most terms are words of a single trace, so that was most of what text took on disk.

A block is a zstd frame. In it, little-endian: how many terms (u4), their lengths (u2 each), in how
many documents each is (u4 each), the documents of terms with few (u4 each, all first bytes first),
the lengths of the bitmaps of the others (u4 each), the terms, the bitmaps (`docs.pack_bitmap`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from tracelake.store.index.docs import Positions, pack_bitmap, unpack_bitmap

BLOCK_BYTES: Final = 2000
"""A block is closed when it holds so much, which zstd halves. Smaller ones would cost more in rows,
larger ones fill the pages of SQLite worse, and each look-up reads one."""
_FEW: Final = 8
"""More documents than this are a bitmap."""
_POSITION_BYTES: Final = 4

Posting = tuple[bytes, Sequence[int] | Positions]
"""A term, and the documents that have it, ascending, none twice, at least one."""


def pack_blocks(postings: Iterable[Posting], block_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """The last term of each block and its content, from postings in ascending order."""
    compressor = zstandard.ZstdCompressor(level=3)
    terms: list[bytes] = []
    counts: list[int] = []
    few: list[int] = []
    bitmaps: list[bytes] = []
    size = 0

    def packed() -> tuple[bytes, bytes]:
        content = (
            np.array([len(terms)], "<u4").tobytes(),
            np.array([len(term) for term in terms], "<u2").tobytes(),
            np.array(counts, "<u4").tobytes(),
            _by_weight(np.array(few, "<u4")),
            np.array([len(bitmap) for bitmap in bitmaps], "<u4").tobytes(),
            *terms,
            *bitmaps,
        )
        return terms[-1], compressor.compress(b"".join(content))

    for term, docs in postings:
        terms.append(term)
        counts.append(len(docs))
        size += len(term) + _POSITION_BYTES
        if len(docs) <= _FEW:
            few.extend(docs)
            size += _POSITION_BYTES * len(docs)
        else:
            bitmaps.append(pack_bitmap(docs))
            # Nothing makes them smaller still.
            size += 2 * len(bitmaps[-1])
        if size >= block_bytes:
            yield packed()
            terms, counts, few, bitmaps, size = [], [], [], [], 0
    if terms:
        yield packed()


class Block:
    """A block that was read. Terms are numbered from 0."""

    def __init__(self, content: bytes, decompressor: zstandard.ZstdDecompressor) -> None:
        data = decompressor.decompress(content)
        count = int.from_bytes(data[:4], "little")
        at = 4
        lengths = np.frombuffer(data, "<u2", count, at)
        at += 2 * count
        self._counts = np.frombuffer(data, "<u4", count, at)
        at += 4 * count
        self._is_few = self._counts <= _FEW
        self._few_ends = np.cumsum(self._counts * self._is_few).tolist()
        end = at + _POSITION_BYTES * self._few_ends[-1]
        self.few = _from_weight(data[at:end])
        """The documents of all terms that have few, one term after the other."""
        at = end
        sizes = np.frombuffer(data, "<u4", count - int(self._is_few.sum()), at)
        at += sizes.nbytes
        self._term_ends = (at + np.cumsum(lengths, dtype=np.int64)).tolist()
        self._terms_at = at
        # Of each term where its bitmap ends: with those that have none where the one before does.
        ends = np.zeros(count, dtype=np.int64)
        ends[~self._is_few] = sizes
        self._bitmap_ends = (self._term_ends[-1] + np.cumsum(ends)).tolist()
        self._data = data

    def __len__(self) -> int:
        return len(self._term_ends)

    def term(self, number: int) -> bytes:
        begin = self._term_ends[number - 1] if number else self._terms_at
        return self._data[begin : self._term_ends[number]]

    def first_at(self, term: bytes) -> int:
        """The number of the first term that is not below this one."""
        return bisect_left(range(len(self)), term, key=self.term)

    def docs(self, number: int) -> Positions:
        """The documents that have a term."""
        if self._is_few[number]:
            return self.few[slice(*self.few_range(number))]
        return unpack_bitmap(self._bitmap(number))

    def docs_of(self, term: bytes) -> Positions | None:
        """The documents that have a term; None where it is not in the block."""
        number = self.first_at(term)
        return self.docs(number) if number < len(self) and self.term(number) == term else None

    def few_range(self, number: int) -> tuple[int, int]:
        """Where in `few` the documents of a term are; an empty range where they are a bitmap."""
        return self._few_ends[number - 1] if number else 0, self._few_ends[number]

    def _bitmap(self, number: int) -> bytes:
        begin = self._bitmap_ends[number - 1] if number else self._term_ends[-1]
        return self._data[begin : self._bitmap_ends[number]]


def _by_weight(positions: NDArray[np.uint32]) -> bytes:
    """High bytes are alike, so together they compress to next to nothing."""
    return positions.view(np.uint8).reshape(-1, _POSITION_BYTES).T.tobytes()


def _from_weight(stored: bytes) -> Positions:
    by_weight = np.frombuffer(stored, dtype=np.uint8).reshape(_POSITION_BYTES, -1)
    return np.ascontiguousarray(by_weight.T).view("<u4").reshape(-1)
