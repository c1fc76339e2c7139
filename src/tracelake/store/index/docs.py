"""Sets of positions in a segment, as they are stored: a few as plain numbers, many as a roaring
bitmap (https://github.com/RoaringBitmap/RoaringFormatSpec)."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

Positions = NDArray[np.uint32]
Mask = NDArray[np.bool_]

_FEW: Final = 8


def encode(positions: Sequence[int]) -> bytes:
    """Positions that ascend, none twice."""
    if len(positions) <= _FEW:
        return np.array(positions, dtype="<u4").tobytes()
    found = BitMap(positions)
    found.run_optimize()
    return found.serialize()


def decode(count: int, stored: bytes) -> Positions:
    """The positions of a stored set of `count`."""
    if count <= _FEW:
        return np.frombuffer(stored, dtype="<u4")
    whole: Any = BitMap.deserialize(stored).to_array()
    return np.frombuffer(whole, dtype=np.uint32)
