"""Rows of a segment of the index as frames."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, select

from tracelake.store.index.columns import NO_NUMBER, Column
from tracelake.store.index.docs import Docs, Mask, Positions
from tracelake.store.index.facts import value_of_part, value_part
from tracelake.store.index.search import in_experiments_mask
from tracelake.store.index.span_numbers import HOUR_NS
from tracelake.store.index.terms import Field, is_cut, term
from tracelake.store.index.view import Segment
from tracelake.store.index.whole import SPAN_PARTS, Read, of_spans, whole
from tracelake.store.metrics.frames import Dictionary, Frame, Ints
from tracelake.store.metrics.spec import (
    ASSESSMENT_DIMENSIONS,
    METADATA,
    SPAN_DIMENSIONS,
    TAG,
    Spec,
    View,
)
from tracelake.store.metrics.values import value_number, value_text
from tracelake.store.rows import AnyRow, trace_of
from tracelake.store.schema import assessments

_FIELDS: Final = {
    "experiment": Field.EXPERIMENT,
    "trace_name": Field.NAME,
    "trace_status": Field.STATE,
    "session": Field.SESSION,
    "user": Field.USER,
}
# Keys that `rows.trace_of` answers from columns.
_COLUMN_KEYS: Final = {
    "mlflow.traceName": Field.NAME,
    "mlflow.trace.session": Field.SESSION,
    "mlflow.trace.user": Field.USER,
}
_WHOLE_TRACE: Final[dict[str, Callable[[AnyRow], str | None]]] = {
    "trace_name": lambda row: row.name,
    "session": lambda row: row.session_id,
    "user": lambda row: row.user_id,
}
_STATUS_PART: Final = SPAN_DIMENSIONS.index("span_status")


class SegmentFrames:
    """Makes the frames of one segment for one query."""

    def __init__(
        self, connection: Connection, segment: Segment, spec: Spec, dictionaries: list[Dictionary]
    ) -> None:
        self._connection = connection
        self._segment = segment
        self._spec = spec
        self._hours = _whole_hours(spec)
        self._dictionaries = dictionaries

    def of_traces(self, chosen: Mask) -> Frame:
        """The traces at the chosen positions."""
        metric = self._spec.metric
        is_error = self._segment.mask(term(Field.STATE, "ERROR"))
        if metric.only_errors:
            chosen = chosen & is_error
        value: Any = None
        if metric.column == "is_error":
            value = is_error.astype(np.int64)
        elif metric.column == "duration_ms":
            duration_ns = self._segment.column("duration_ns")
            chosen = chosen & _is_there(duration_ns)
            value = duration_ns // 1_000_000
        elif metric.column is not None:
            value = self._segment.column(metric.column)
            chosen = chosen & _is_there(value)
        docs = np.flatnonzero(chosen & _in_range(self._segment.column("start_ns"), self._spec))
        return self._frame(docs, None if value is None else value[docs], {})

    def of_assessments(self, chosen: Mask) -> Frame:
        """The assessments of the traces at the chosen positions. Their time is their trace's."""
        chosen = chosen & _in_range(self._segment.column("start_ns"), self._spec)
        names = [name for name in self._spec.dimensions if name in ASSESSMENT_DIMENSIONS]
        told: list[list[str | None]] = [[] for _ in names]
        numbers: list[float] = []
        found: list[Ints] = []
        for parts, docs in self._segment.assessments():
            number = 0.0
            if self._spec.metric.column is not None:
                of_value = None if is_cut(parts[1]) else value_number(value_of_part(parts[1]))
                if of_value is None:
                    continue
                number = of_value
            found.append(np.repeat(docs[chosen[docs]].astype(np.int64), int(parts[4])))
            numbers.append(number)
            for values, name in zip(told, names, strict=True):
                values.append(self._of_assessment(name, parts, docs))
        sizes = [len(docs) for docs in found]
        own = {
            self._spec.dimensions.index(name): np.repeat(
                self._dictionaries[self._spec.dimensions.index(name)].codes(values), sizes
            )
            for name, values in zip(names, told, strict=True)
        }
        docs = np.concatenate([np.empty(0, dtype=np.int64), *found])
        value = np.repeat(np.array(numbers, dtype=np.float64), sizes)
        return self._frame(docs, None if self._spec.metric.column is None else value, own)

    def _frame(self, docs: Ints, value: Any, own: dict[int, Ints]) -> Frame:
        """A frame of rows that belong to the traces at `docs`. `own` has the codes of dimensions
        that are not those of traces or spans, by number."""
        rows, shared = self._shared_dimensions(docs)
        dimensions: list[Ints] = []
        for n in range(len(self._dictionaries)):
            if n in shared:
                dimensions.append(shared[n])
            else:
                dimensions.append(own[n][rows] if n in own else self._of_docs(n)[docs[rows]])
        times = self._segment.column("start_ns")[docs[rows]]
        return Frame(times, dimensions, None if value is None else value[rows])

    def _shared_dimensions(self, docs: Ints) -> tuple[Ints, dict[int, Ints]]:
        """Which of some rows to take, each once for every group that a span of its trace is in;
        and the codes of the shared dimensions for each of these, by number."""
        numbers = [self._spec.dimensions.index(name) for name in self._spec.shared_dimensions]
        if not numbers:
            return np.arange(len(docs)), {}
        groups = self._segment.shape_groups(
            tuple(SPAN_DIMENSIONS.index(name) for name in self._spec.shared_dimensions)
        )
        told = [
            self._dictionaries[number].codes(
                [self._of_group(number, values[n], docs) for values, docs in groups]
            )
            for n, number in enumerate(numbers)
        ]
        masks = [self._segment.mask_of(docs) for _, docs in groups]
        for n, (values, _) in enumerate(groups):
            if len(groups) > 1 and all(value is None for value in values):
                others = np.logical_or.reduce([m for at, m in enumerate(masks) if at != n])
                masks[n] = masks[n] & ~others
        rows = [np.flatnonzero(mask[docs]) for mask in masks]
        sizes = np.array([len(some) for some in rows], dtype=np.int64)
        return np.concatenate([np.empty(0, dtype=np.int64), *rows]), {
            number: np.repeat(codes, sizes) for number, codes in zip(numbers, told, strict=True)
        }

    def _of_group(self, n: int, value: str | None, docs: Docs) -> str | None:
        """What one of `shape_groups` has in a dimension of spans."""
        if value is None:
            return None
        part = SPAN_DIMENSIONS.index(self._spec.dimensions[n])
        return self._whole(value, docs, of_spans(self._connection, SPAN_PARTS[part]))

    def of_spans(self, chosen: Mask) -> Frame:
        """The spans of the traces at the chosen positions, one row a span."""
        return self._of_spans(chosen, slice(None))

    def of_gone_spans(self, gone: Mask, experiments: Sequence[int] | None) -> Frame:
        """Of the spans that `of_cells` tells, those of traces that are gone, to be taken away."""
        inside = in_experiments_mask(self._segment, experiments)
        at = self._segment.spans_of_gone(gone)
        at = at[_in_range(self._column("span_start_ns")[at], self._hours)]
        return self._of_spans(inside, at).taken_away()

    def of_edges(self, chosen: Mask) -> Frame | None:
        """Of the spans of the traces at the chosen positions, those in hours that the query takes
        a part of, which `of_cells` leaves out. None where there are none."""
        edges = [
            edge // HOUR_NS * HOUR_NS
            for edge in (self._spec.start_ns, self._spec.end_ns)
            if edge is not None and edge % HOUR_NS
        ]
        if not np.isin(self._column("cell_start_ns"), edges).any():
            return None
        start_ns = self._column("span_start_ns")
        rows = _in_range(start_ns, self._spec) & ~_in_range(start_ns, self._hours)
        return self._of_spans(chosen, np.flatnonzero(rows))

    def _of_spans(self, chosen: Mask, among: Any) -> Frame:
        """Of the spans at `among`, those of the traces at the chosen positions."""
        docs = self._column("span_doc")[among]
        shape = self._column("span_shape")[among]
        start_ns = self._column("span_start_ns")[among]
        rows = chosen[docs] & _in_range(start_ns, self._spec)
        metric = self._spec.metric
        is_error = self._error_shapes()[shape]
        if metric.only_errors:
            rows &= is_error
        value: Any = None
        if metric.column == "is_error":
            value = is_error.astype(np.int64)
        elif metric.column is not None:
            value = self._column(f"span_{metric.column}")[among]
            rows &= _is_there(value)
        at = np.flatnonzero(rows)
        dimensions = [
            self._of_shapes(n)[shape[at]] if name in SPAN_DIMENSIONS else self._of_docs(n)[docs[at]]
            for n, name in enumerate(self._spec.dimensions)
        ]
        return Frame(
            start_ns[at].astype(np.int64), dimensions, None if value is None else _wide(value[at])
        )

    def of_cells(self, experiments: Sequence[int] | None) -> Frame | None:
        """All spans of some experiments in whole hours as sums; None where rows are needed."""
        starts = self._segment.span_column("cell_start_ns")
        if starts is None or not can_use_cells(self._spec):
            return None
        metric = self._spec.metric
        shape = self._column("cell_shape")
        experiment = self._column("cell_experiment")
        rows = _in_range(starts, self._hours)
        if experiments is not None:
            rows &= np.isin(experiment, experiments)
        is_error = self._error_shapes()[shape]
        if metric.only_errors:
            rows &= is_error
        count = self._column("cell_spans")
        value = least = most = None
        if metric.column == "is_error":
            value = np.where(is_error, count, 0).astype(np.int64)
            least = most = is_error.astype(np.int64)
        elif metric.column is not None:
            count, value, least, most = (
                self._column(f"cell_{metric.column}_{kind}")
                for kind in ("count", "sum", "min", "max")
            )
            rows &= count > 0
        dimensions = [
            self._of_shapes(n)[shape]
            if name in SPAN_DIMENSIONS
            else self._dictionaries[n].codes([str(number) for number in experiment.tolist()])
            for n, name in enumerate(self._spec.dimensions)
        ]
        value = None if value is None else _wide(value)
        return Frame(_wide(starts), dimensions, value, _wide(count), least, most).where(rows)

    def _column(self, name: str) -> Column:
        column = self._segment.span_column(name)
        assert column is not None, "kept together with the columns asked for before"
        return column

    def _of_docs(self, n: int) -> Ints:
        """Codes of a dimension of traces, for every position."""
        name = self._spec.dimensions[n]
        codes, values = self._segment.codes(present_term(name))
        told: list[str | None] = [None]
        for code, value in enumerate(values, 1):
            told.append(
                self._whole(value, np.flatnonzero(codes == code), _reader_of(name))
                if is_cut(value)
                else value
            )
        return self._dictionaries[n].codes(told)[codes]

    def _of_shapes(self, n: int) -> Ints:
        """Codes of a dimension of spans, for every shape."""
        part = SPAN_DIMENSIONS.index(self._spec.dimensions[n])
        read = of_spans(self._connection, SPAN_PARTS[part])
        told: list[str | None] = []
        for shape, docs in self._segment.shapes():
            value = shape[part]
            told.append(None if value is None else self._whole(value, docs, read))
        return self._dictionaries[n].codes(told) if told else np.zeros(1, dtype=np.int64)

    def _error_shapes(self) -> Mask:
        found = [shape[_STATUS_PART] == "ERROR" for shape, _ in self._segment.shapes()]
        return np.array(found or [False], dtype=np.bool_)

    def _of_assessment(self, name: str, parts: list[str], docs: Positions) -> str | None:
        """What a term says of assessments."""
        part = parts[ASSESSMENT_DIMENSIONS.index(name)]
        if name != "assessment_value":
            return self._whole(part, docs, self._assessed_names)
        # A part that stays cut is of versions that are gone, which nothing is told of.
        whole_part = self._whole(part, docs, self._assessed_values)
        return part if is_cut(whole_part) else value_text(value_of_part(whole_part))

    def _assessed_names(self, row: AnyRow) -> Iterable[str]:
        query = select(assessments.c.name).where(assessments.c.trace_key == row.trace_key)
        return self._connection.scalars(query)

    def _assessed_values(self, row: AnyRow) -> Iterable[str]:
        query = select(assessments.c.value).where(assessments.c.trace_key == row.trace_key)
        return map(value_part, self._connection.scalars(query))

    def _whole(self, part: str, docs: Any, read: Read) -> str:
        if not is_cut(part):
            return part
        return whole(self._connection, part, self._segment.column("seq")[docs].tolist(), read)


def _reader_of(dimension: str) -> Read:
    """What reads a dimension of traces."""
    if dimension.startswith(TAG):
        return lambda row: [trace_of(row).tags.get(dimension.removeprefix(TAG))]
    if dimension.startswith(METADATA):
        return lambda row: [trace_of(row).trace_metadata.get(dimension.removeprefix(METADATA))]
    return lambda row: [_WHOLE_TRACE[dimension](row)]


def can_use_cells(spec: Spec) -> bool:
    """Whether sums of whole hours answer a query on all spans."""
    return (
        spec.metric.view is View.SPANS
        and not spec.percents
        and all(name in SPAN_DIMENSIONS or name == "experiment" for name in spec.dimensions)
        and (spec.bucket_ns is None or spec.bucket_ns % HOUR_NS == 0)
    )


def _whole_hours(spec: Spec) -> Spec:
    """The same for the whole hours within its range: none where it begins and ends in one."""
    return replace(
        spec,
        start_ns=None if spec.start_ns is None else -(-spec.start_ns // HOUR_NS) * HOUR_NS,
        end_ns=None if spec.end_ns is None else spec.end_ns // HOUR_NS * HOUR_NS,
    )


def can_be_taken_away(spec: Spec) -> bool:
    """Whether rows can be taken out of a sum again: not out of the least or the most of many."""
    return not {"MIN", "MAX"}.intersection(spec.simple)


def present_term(dimension: str) -> bytes:
    """The term of traces that have a dimension at all."""
    for prefix, field in ((TAG, Field.TAG), (METADATA, Field.METADATA)):
        if dimension.startswith(prefix):
            key = dimension.removeprefix(prefix)
            column = _COLUMN_KEYS.get(key)
            return term(column) if column is not None else term(field, key)
    return term(_FIELDS[dimension])


def _in_range(time_ns: Column, spec: Spec) -> Mask:
    chosen = np.ones(len(time_ns), dtype=np.bool_)
    if spec.start_ns is not None:
        chosen &= time_ns >= spec.start_ns
    if spec.end_ns is not None:
        chosen &= time_ns < spec.end_ns
    return chosen


def _is_there(value: Column) -> Mask:
    return ~np.isnan(value) if value.dtype.kind == "f" else value != NO_NUMBER


def _wide(column: Column) -> Column:
    return column.astype(np.int64) if column.dtype.kind == "i" else column
