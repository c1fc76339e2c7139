"""Numbers of the spans of a segment's traces, and their sums by the hour.

Spans lie sorted by cell: experiment, hour of start, shape; within a cell by duration. A segment
whose cells are few enough to pay keeps the sums of each, and metrics over whole hours add these up.
Shapes are numbered as `Segment.shapes` lists them, from 0.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from tracelake.store.index.columns import (
    NO_NUMBER,
    Column,
    NamedColumn,
    doubles,
    sum_fits,
    whole_numbers,
)
from tracelake.store.rows import AnyRow

HOUR_NS: Final = 3_600_000_000_000
_COSTS: Final = ("cost", "input_cost", "output_cost")
NUMBERS: Final = ("duration_ns", "input_tokens", "output_tokens", "tokens", *_COSTS)
SUMS: Final = ("count", "sum", "min", "max")
_FEW_ENOUGH: Final = 4
"""Cells are kept where there are so many times fewer of them than spans."""


class SpanNumbers:
    """Gathers spans while a segment is made."""

    def __init__(self) -> None:
        self._docs: list[int] = []
        self._shapes: list[bytes] = []
        self._numbers: dict[str, list[Column]] = {name: [] for name in ("start_ns", *NUMBERS)}

    def add(
        self,
        docs: Sequence[int],
        shapes: Sequence[bytes],
        start_ns: Sequence[int],
        end_ns: Sequence[int | None],
        tokens: Sequence[Sequence[int | None]],
        costs: Sequence[Sequence[float | None]],
    ) -> None:
        """Spans of the traces at positions `docs`; tokens are the input, output and total of all,
        costs the total, input and output.

        A span that ends before it starts has a duration of 0.
        """
        self._docs += docs
        self._shapes += shapes
        start, end = np.array(start_ns, dtype=np.int64), whole_numbers(end_ns)
        duration = np.where(end == NO_NUMBER, NO_NUMBER, np.maximum(end - start, 0))
        found = (start, duration, *map(whole_numbers, tokens), *map(doubles, costs))
        for column, values in zip(self._numbers.values(), found, strict=True):
            column.append(values)

    def columns(self, rows: Sequence[AnyRow]) -> Iterator[NamedColumn]:
        """The columns of a segment with these traces."""
        code_of = {term: n for n, term in enumerate(sorted(set(self._shapes)))}
        experiments = np.array([row.experiment_id for row in rows], dtype=np.int64)
        docs = np.array(self._docs, dtype=np.int64)
        found: dict[str, Column] = {
            "doc": docs,
            "shape": np.array([code_of[term] for term in self._shapes], dtype=np.int64),
            "experiment": experiments[docs] if len(docs) else docs,
        }
        for name, parts in self._numbers.items():
            kind = np.float64 if name in _COSTS else np.int64
            found[name] = np.concatenate([np.empty(0, dtype=kind), *parts])
        return arranged(found.__getitem__)


def arranged(column_of: Callable[[str], Column]) -> Iterator[NamedColumn]:
    """Spans sorted by cell, under `span_…`, and where it pays the sums of cells, under `cell_…`.

    `column_of` is asked for one column at a time, and each is given before the next is made: those
    of a segment take 50 MB together.
    """
    # Stored columns are as narrow as their numbers, and an hour fits into few of them.
    hour = (column_of("start_ns").astype(np.int64) // HOUR_NS).astype(np.int32)
    order = np.lexsort(
        (column_of("duration_ns"), column_of("shape"), hour, column_of("experiment"))
    )
    hour = hour[order]
    shape, experiment = column_of("shape")[order], column_of("experiment")[order]
    first = _first_of_cells(hour, shape, experiment)
    keeps_cells = 0 < len(first) * _FEW_ENOUGH <= len(hour)
    if keeps_cells:
        yield "cell_start_ns", hour[first].astype(np.int64) * HOUR_NS
        yield "cell_shape", shape[first]
        yield "cell_experiment", experiment[first]
        yield "cell_spans", np.diff(np.append(first, len(hour)))
    yield "span_shape", shape
    yield "span_experiment", experiment
    del hour, shape, experiment
    for name in ("doc", "start_ns"):
        yield f"span_{name}", column_of(name)[order]
    for name in NUMBERS:
        values = column_of(name)[order]
        if keeps_cells:
            for kind, sums in zip(SUMS, _sums(values, first), strict=True):
                yield f"cell_{name}_{kind}", sums
        yield f"span_{name}", values


def _first_of_cells(*columns: Column) -> Column:
    """Where each cell begins: where any of these columns changes."""
    differs = np.ones(len(columns[0]), dtype=np.bool_)
    differs[1:] = False
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(differs)


def _sums(values: Column, first: Column) -> tuple[Column, Column, Column, Column]:
    """How many numbers each cell has, their sum, the least and the most, as `SUMS` names them."""
    if values.dtype.kind == "i":
        values = values.astype(np.int64)
    is_there = ~np.isnan(values) if values.dtype.kind == "f" else values != NO_NUMBER
    zero = values.dtype.type(0)
    top = np.finfo(np.float64).max if values.dtype.kind == "f" else np.iinfo(np.int64).max
    there = np.where(is_there, values, zero)
    fits = there.dtype.kind == "f" or sum_fits(there)
    return (
        np.add.reduceat(is_there.astype(np.int64), first),
        np.add.reduceat(there if fits else there.astype(np.float64), first),
        np.minimum.reduceat(np.where(is_there, values, top), first),
        np.maximum.reduceat(there, first),
    )
