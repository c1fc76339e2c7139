"""A metric from all its sources: segments of the index, and the tables for the rest."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tracelake.model.filters.tree import EVERYTHING
from tracelake.store.api import MetricPoint, MetricQuery
from tracelake.store.index.docs import Mask
from tracelake.store.index.view import Segment
from tracelake.store.matching import Matching
from tracelake.store.metrics.frames import (
    NO_BUCKET,
    Dictionary,
    Frame,
    Groups,
    group,
    join,
    percentiles,
)
from tracelake.store.metrics.segment_frames import SegmentFrames, can_be_taken_away
from tracelake.store.metrics.spec import Spec, View
from tracelake.store.metrics.table_frames import TableFrames


class MetricRun:
    """One query, on the traces that match its filter."""

    def __init__(self, matching: Matching, spec: Spec) -> None:
        self._matching = matching
        self._spec = spec
        self._dictionaries = [Dictionary() for _ in spec.dimensions]

    def points(self, query: MetricQuery) -> list[MetricPoint]:
        """The points, by bucket and then by dimensions."""
        found = [groups for groups in self._groups() if len(groups.keys)]
        if not found:
            return []
        joined = join(found, self._spec)
        if self._spec.metric.distinct is not None:
            joined = _count_last(joined, self._spec)
        return self._told(query, joined)

    def _groups(self) -> Iterator[Groups]:
        for segment, chosen in self._matching.by_segment():
            frames = SegmentFrames(
                self._matching.connection, segment, self._spec, self._dictionaries
            )
            match self._spec.metric.view:
                case View.TRACES:
                    yield group(frames.of_traces(chosen), self._spec)
                case View.ASSESSMENTS:
                    yield group(frames.of_assessments(chosen), self._spec)
                case View.SPANS:
                    for frame in self._of_spans(frames, segment, chosen):
                        yield group(frame, self._spec)
        yield from self._of_tables()

    def _of_spans(self, frames: SegmentFrames, segment: Segment, chosen: Mask) -> Iterator[Frame]:
        """The spans of a segment; of all of them, as sums of hours without those of traces that are
        gone, and the spans of hours that the query takes a part of."""
        cells = (
            frames.of_cells(self._matching.experiments)
            if self._matching.tree == EVERYTHING
            else None
        )
        gone = ~self._matching.view.alive(segment)
        if cells is None or (gone.any() and not can_be_taken_away(self._spec)):
            yield frames.of_spans(chosen)
            return
        yield cells
        if gone.any():
            yield frames.of_gone_spans(gone, self._matching.experiments)
        edges = frames.of_edges(chosen)
        if edges is not None:
            yield edges

    def _of_tables(self) -> Iterator[Groups]:
        frames = TableFrames(self._matching.connection, self._spec, self._dictionaries)
        for rows in self._matching.beyond_index():
            yield group(frames.of(rows), self._spec)

    def _told(self, query: MetricQuery, groups: Groups) -> list[MetricPoint]:
        scale = 1e-6 if self._spec.metric.column in ("duration_ns", "start_ns") else 1.0
        columns: dict[str, Any] = {
            "COUNT": groups.count,
            "SUM": groups.total * scale,
            "AVG": groups.total * scale / np.maximum(groups.count, 1),
            "MIN": groups.least * scale,
            "MAX": groups.most * scale,
        }
        if self._spec.percents:
            found = percentiles(groups, [percent for _, percent in self._spec.percents]) * scale
            columns |= {name: found[:, n] for n, (name, _) in enumerate(self._spec.percents)}
        numbers = {name: columns[name].astype(float).tolist() for name in query.aggregations}
        values = [dictionary.values() for dictionary in self._dictionaries]
        points: list[MetricPoint] = []
        keys: list[list[int]] = groups.keys.tolist()
        for n, (bucket, *codes) in enumerate(keys):
            told = [words[code] for words, code in zip(values, codes, strict=False)]
            points.append(
                MetricPoint(
                    time_ms=None if bucket == NO_BUCKET else bucket // 1_000_000,
                    dimensions=dict(zip(query.dimensions, told, strict=True)),
                    values={name: found[n] for name, found in numbers.items()},
                )
            )
        points.sort(key=_place)
        return points


def _count_last(groups: Groups, spec: Spec) -> Groups:
    """How many values the last dimension has in each group of the others, None not counted."""
    there = groups.keys[groups.keys[:, -1] != 0, :-1]
    if not len(there):
        none = np.empty(0, dtype=np.int64)
        return Groups(there, none, none, none, none, [])
    ones = np.ones(len(there), dtype=np.int64)
    return join([Groups(there, ones, ones, ones, ones, [])], spec)


def _place(point: MetricPoint) -> tuple[Any, ...]:
    parts = (point.time_ms, *point.dimensions.values())
    return tuple((part is not None, part) for part in parts)
