"""Numbers of a segment's traces as bytes: the bytes of equal weight together, then zstd.

The high bytes of neighbouring times and counts are alike, so this order compresses far better.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

Column = NDArray[Any]
NamedColumn = tuple[str, Column]

NO_NUMBER: Final = -1
"""Stands in a column of whole numbers where there is none. No real one is negative. Doubles have
NaN."""

_TYPES: Final = {
    kind: np.dtype(f"<{kind.decode()}") for kind in (b"i1", b"i2", b"i4", b"i8", b"f8")
}


def whole_numbers(values: Iterable[int | None]) -> Column:
    return np.array([NO_NUMBER if value is None else value for value in values], dtype=np.int64)


def doubles(values: Iterable[float | None]) -> Column:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def pack_column(values: Column) -> bytes:
    """An array of whole numbers, in as few bytes a number as they need, or of doubles."""
    kind = b"f8" if values.dtype.kind == "f" else _narrowest(values)
    packed = np.ascontiguousarray(values, dtype=_TYPES[kind])
    by_weight = packed.view(np.uint8).reshape(-1, packed.itemsize).T.tobytes()
    return kind + zstandard.ZstdCompressor(level=3).compress(by_weight)


def pack_columns(columns: Iterable[NamedColumn]) -> dict[str, bytes]:
    """Each by its name, packed before the next is asked for."""
    return {name: pack_column(values) for name, values in columns}


def unpack_column(stored: bytes) -> Column:
    """The array again, whole numbers as narrow as they were stored."""
    kind = _TYPES[stored[:2]]
    plain = zstandard.ZstdDecompressor().decompress(stored[2:])
    by_weight = np.frombuffer(plain, dtype=np.uint8).reshape(kind.itemsize, -1)
    return np.ascontiguousarray(by_weight.T).view(kind).reshape(-1)


def _narrowest(values: Column) -> bytes:
    if not len(values):
        return b"i1"
    low, high = int(values.min()), int(values.max())
    for kind in (b"i1", b"i2", b"i4"):
        bounds = np.iinfo(_TYPES[kind])
        if bounds.min <= low and high <= bounds.max:
            return kind
    return b"i8"


def pack_words(lines: bytes | bytearray) -> bytes:
    """Words, one a line, the last line ended, too. Stored is a line end before them."""
    return zstandard.ZstdCompressor(level=3).compress(b"\n" + lines)


def unpack_words(stored: bytes) -> bytes:
    """The lines, as one text to search."""
    return zstandard.ZstdDecompressor().decompress(stored)


def sum_fits(values: Column) -> bool:
    """Whether 64 bits hold any sum of some of these whole numbers: a year of many long spans, or a
    single one with an end in the far future, comes to more nanoseconds."""
    if not len(values):
        return True
    largest = max(abs(int(values.max())), abs(int(values.min())))
    return largest * len(values) < 2**63
