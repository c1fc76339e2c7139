"""Numbers of a segment's traces as bytes: the bytes of equal weight together, then zstd.

The high bytes of neighbouring times and counts are alike, so this order compresses far better.
"""

from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

Column = NDArray[Any]

_TYPES: Final = {b"i": np.dtype("<i8"), b"f": np.dtype("<f8")}


def pack_column(values: Column) -> bytes:
    """An array of int64 or float64."""
    kind = b"f" if values.dtype.kind == "f" else b"i"
    wide = np.ascontiguousarray(values, dtype=_TYPES[kind])
    by_weight = wide.view(np.uint8).reshape(-1, 8).T.tobytes()
    return kind + zstandard.ZstdCompressor(level=3).compress(by_weight)


def unpack_column(stored: bytes) -> Column:
    """The array again."""
    plain = zstandard.ZstdDecompressor().decompress(stored[1:])
    by_weight = np.frombuffer(plain, dtype=np.uint8).reshape(8, -1)
    return np.ascontiguousarray(by_weight.T).view(_TYPES[stored[:1]]).reshape(-1)


def pack_words(words: list[bytes]) -> bytes:
    """Words, one a line, each between line ends."""
    return zstandard.ZstdCompressor(level=3).compress(b"\n" + b"\n".join(words) + b"\n")


def unpack_words(stored: bytes) -> bytes:
    """The lines, as one text to search."""
    return zstandard.ZstdDecompressor().decompress(stored)
