"""Rows in columns, and their groups: what every source of metrics is turned into."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracelake.store.index.columns import sum_fits
from tracelake.store.metrics.spec import Spec

Ints = NDArray[np.int64]
Numbers = NDArray[Any]

NO_BUCKET: Final = np.int64(-(2**62))
DAY_NS: Final = 86_400_000_000_000
_DENSE: Final = 4
"""Groups are counted in a table while it is at most so many times as long as the rows."""


class Dictionary:
    """Values of one dimension as numbers, alike in all frames of a query. None is 0."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: 0}

    def code(self, value: str | None) -> int:
        return self._codes.setdefault(value, len(self._codes))

    def codes(self, values: Sequence[str | None]) -> Ints:
        return np.array([self.code(value) for value in values], dtype=np.int64)

    def values(self) -> list[str | None]:
        return list(self._codes)


@dataclass(slots=True)
class Frame:
    """Rows, or sums of rows. Of sums, `count` says how many rows each stands for; where they are to
    be taken away from others, it is negative."""

    time_ns: Ints
    dimensions: list[Ints]
    """Codes, one array a dimension."""
    value: Numbers | None
    """The number of each row, or the sum of the rows; None where rows are only counted."""
    count: Ints | None = None
    least: Numbers | None = None
    most: Numbers | None = None

    def taken_away(self) -> "Frame":
        """These rows as what is to be taken away from sums that hold them."""
        ones = np.ones(len(self.time_ns), dtype=np.int64)
        value = None if self.value is None else -self.value
        return Frame(self.time_ns, self.dimensions, value, -ones)

    def where(self, chosen: Any) -> "Frame":
        def some(column: Numbers | None) -> Numbers | None:
            return None if column is None else column[chosen]

        return Frame(
            self.time_ns[chosen],
            [codes[chosen] for codes in self.dimensions],
            some(self.value),
            some(self.count),
            some(self.least),
            some(self.most),
        )


@dataclass(slots=True)
class Groups:
    """Sums by group. Column 0 of `keys` is the bucket's start, the others are codes."""

    keys: Ints
    count: Ints
    total: Numbers
    least: Numbers
    most: Numbers
    rows: list[tuple[Ints, Numbers]]
    """For percentiles: the group of each row, and its number."""


def buckets_of(time_ns: Ints, spec: Spec) -> Ints:
    """The start of each row's bucket in nanoseconds."""
    if spec.by_month:
        months = time_ns.astype("datetime64[ns]").astype("datetime64[M]")
        return months.astype("datetime64[ns]").astype(np.int64)
    if spec.bucket_ns is None:
        return np.full(len(time_ns), NO_BUCKET)
    return time_ns - time_ns % spec.bucket_ns


def group(frame: Frame, spec: Spec) -> Groups:
    """The groups of one frame."""
    key_columns = [buckets_of(frame.time_ns, spec), *frame.dimensions]
    keys, of_row = _distinct(key_columns, _bucket_step(spec))
    size = len(keys)
    count = _sum(of_row, frame.count, size)
    if frame.value is None:
        zeros = np.zeros(size)
        return Groups(keys, count, zeros, zeros, zeros, [])
    wants_range = "MIN" in spec.simple or "MAX" in spec.simple
    least, most = _range(of_row, frame, size) if wants_range else (np.zeros(size), np.zeros(size))
    rows = [(of_row, frame.value)] if spec.percents else []
    return Groups(keys, count, _sum(of_row, frame.value, size), least, most, rows)


def join(all_groups: Sequence[Groups], spec: Spec) -> Groups:
    """The groups of all frames together; those that come to nothing are left out."""
    old_keys = np.concatenate([g.keys for g in all_groups])
    keys, of_old = _distinct([*old_keys.T], _bucket_step(spec))
    size = len(keys)
    least = np.full(size, np.inf)
    most = np.full(size, -np.inf)
    np.minimum.at(least, of_old, np.concatenate([g.least for g in all_groups]))
    np.maximum.at(most, of_old, np.concatenate([g.most for g in all_groups]))
    rows: list[tuple[Ints, Numbers]] = []
    offset = 0
    for groups in all_groups:
        moved = of_old[offset : offset + len(groups.keys)]
        rows += [(moved[of_row], values) for of_row, values in groups.rows]
        offset += len(groups.keys)
    count = _sum(of_old, np.concatenate([g.count for g in all_groups]), size)
    total = _sum(of_old, np.concatenate([g.total for g in all_groups]), size)
    if not (count == 0).any():
        return Groups(keys, count, total, least, most, rows)
    # Sums from which all was taken away again; there are no percentiles of sums.
    left = count != 0
    return Groups(keys[left], count[left], total[left], least[left], most[left], [])


def percentiles(groups: Groups, percents: Sequence[float]) -> Numbers:
    """One row a group, one column a percent: linear between the two nearest ranks."""
    of_row = np.concatenate([of for of, _ in groups.rows])
    values = _sorted_in_groups(of_row, np.concatenate([v for _, v in groups.rows]))
    counts = np.bincount(of_row, minlength=len(groups.keys))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    found = np.empty((len(groups.keys), len(percents)))
    for n, percent in enumerate(percents):
        rank = (counts - 1) * percent / 100
        below = np.floor(rank).astype(np.int64)
        above = np.ceil(rank).astype(np.int64)
        low, high = values[first + below], values[first + above]
        found[:, n] = low + (high - low) * (rank - below)
    return found


def _sorted_in_groups(of_row: Ints, values: Numbers) -> Numbers:
    """The values by group, and within a group ascending."""
    if values.dtype.kind == "i" and len(values) and int(values.min()) >= 0:
        bits = int(values.max()).bit_length()
        if bits + int(of_row.max()).bit_length() < 63:
            # Sorting plain numbers is many times faster than sorting by two keys.
            return np.sort((of_row << bits) | values) & ((1 << bits) - 1)
    return values[np.lexsort((values, of_row))].astype(np.float64)


def _bucket_step(spec: Spec) -> int:
    """What divides the distances between buckets."""
    return DAY_NS if spec.by_month else spec.bucket_ns or 1


def _distinct(columns: Sequence[Ints], first_step: int) -> tuple[Ints, Ints]:
    """The distinct rows of some columns, ascending, and for each row which of them it is.

    Values of the first column are multiples of `first_step` apart.
    """
    length = len(columns[0])
    if not length:
        return np.empty((0, len(columns)), dtype=np.int64), np.empty(0, dtype=np.int64)
    packed = np.zeros(length, dtype=np.int64)
    spans: list[tuple[int, int, int]] = []
    size = 1
    for column, step in zip(columns, [first_step] + [1] * (len(columns) - 1), strict=True):
        low = int(column.min())
        width = (int(column.max()) - low) // step + 1
        size *= width
        if size >= 2**62:
            keys, of_row = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
            return keys, of_row.reshape(-1)
        packed = packed * width + (column - low) // step
        spans.append((low, step, width))
    if size <= _DENSE * length + 1024:
        used = np.flatnonzero(np.bincount(packed, minlength=size))
        place = np.zeros(size, dtype=np.int64)
        place[used] = np.arange(len(used))
        of_row = place[packed]
    else:
        used, of_row = np.unique(packed, return_inverse=True)
    keys = np.empty((len(used), len(columns)), dtype=np.int64)
    rest = used
    for n in range(len(columns) - 1, -1, -1):
        low, step, width = spans[n]
        keys[:, n] = rest % width * step + low
        rest = rest // width
    return keys, of_row


def _sum(of_row: Ints, weights: Numbers | None, size: int) -> Numbers:
    if weights is None:
        return np.bincount(of_row, minlength=size)
    if weights.dtype.kind == "f" or not sum_fits(weights):
        return np.bincount(of_row, weights=weights, minlength=size)
    found = np.zeros(size, dtype=np.int64)
    # bincount adds in doubles, which are not exact for nanoseconds of many spans.
    np.add.at(found, of_row, weights)
    return found


def _range(of_row: Ints, frame: Frame, size: int) -> tuple[Numbers, Numbers]:
    least = np.full(size, np.inf)
    most = np.full(size, -np.inf)
    low = frame.least if frame.least is not None else frame.value
    high = frame.most if frame.most is not None else frame.value
    assert low is not None
    assert high is not None
    np.minimum.at(least, of_row, low)
    np.maximum.at(most, of_row, high)
    return least, most
