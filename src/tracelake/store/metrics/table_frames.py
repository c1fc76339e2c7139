"""Rows of the tables as frames: those that no segment of the index covers."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, select

from tracelake.store.metrics.frames import Dictionary, Frame
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
from tracelake.store.schema import assessments, spans

_LOOK_UP: Final = 500
_TRACE: Final[dict[str, Callable[[AnyRow], str | None]]] = {
    "experiment": lambda row: str(row.experiment_id),
    "trace_name": lambda row: row.name,
    "trace_status": lambda row: row.state,
    "session": lambda row: row.session_id,
    "user": lambda row: row.user_id,
}
_SPAN: Final[dict[str, Callable[[AnyRow], str | None]]] = {
    "span_name": lambda row: row.name,
    "span_type": lambda row: row.span_type,
    "span_status": lambda row: row.status,
    "model": lambda row: row.model,
    "provider": lambda row: row.provider,
    "tool": lambda row: row.tool,
}
_ASSESSMENT: Final[dict[str, Callable[[AnyRow], str | None]]] = {
    "assessment_name": lambda row: row.name,
    "assessment_value": lambda row: value_text(row.value),
    "assessment_source": lambda row: row.source_type,
    "assessment_kind": lambda row: row.kind,
}
_NUMBERS: Final[dict[str, Callable[[AnyRow], float | None]]] = {
    "start_ns": lambda row: row.start_ns,
    "input_tokens": lambda row: row.input_tokens,
    "output_tokens": lambda row: row.output_tokens,
    "tokens": lambda row: row.total_tokens,
    "cache_read_input_tokens": lambda row: row.cache_read_input_tokens,
    "cache_creation_input_tokens": lambda row: row.cache_creation_input_tokens,
    "cost": lambda row: row.total_cost,
    "input_cost": lambda row: row.input_cost,
    "output_cost": lambda row: row.output_cost,
}
_DECIMAL: Final = ("cost", "input_cost", "output_cost", "value")


_Values = tuple[str | None, ...]


class TableFrames:
    """Makes frames of trace rows, for one query."""

    def __init__(self, connection: Connection, spec: Spec, dictionaries: list[Dictionary]) -> None:
        self._connection = connection
        self._spec = spec
        self._dictionaries = dictionaries

    def of(self, rows: Sequence[AnyRow]) -> Frame:
        """The frame of some traces: of themselves, their spans or their assessments."""
        shared = self._shared_values(rows)
        match self._spec.metric.view:
            case View.TRACES:
                return self._frame(((row, row) for row in rows), shared)
            case View.SPANS:
                return self._frame(self._joined(rows, spans, spans.c.trace_key), shared)
            case View.ASSESSMENTS:
                pairs = self._joined(rows, assessments, assessments.c.trace_key)
                return self._frame(pairs, shared)

    def _shared_values(self, rows: Sequence[AnyRow]) -> dict[int, set[_Values]]:
        """By trace, the values that its spans have of the shared dimensions."""
        names = self._spec.shared_dimensions
        if not names:
            return {}
        found: dict[int, set[_Values]] = {row.trace_key: set() for row in rows}
        for trace, span in self._joined(rows, spans, spans.c.trace_key):
            found[trace.trace_key].add(tuple(_SPAN[name](span) for name in names))
        for values in found.values():
            if len(values) != 1:
                values.discard((None,) * len(names))
        return found

    def _joined(
        self, rows: Sequence[AnyRow], table: Any, key: Any
    ) -> Iterable[tuple[AnyRow, AnyRow]]:
        by_key = {row.trace_key: row for row in rows}
        keys = list(by_key)
        for at in range(0, len(keys), _LOOK_UP):
            query = select(table).where(key.in_(keys[at : at + _LOOK_UP]))
            if table is assessments:
                query = query.where(assessments.c.valid)
            for row in self._connection.execute(query):
                yield by_key[row.trace_key], row

    def _frame(
        self, pairs: Iterable[tuple[AnyRow, AnyRow]], shared: dict[int, set[_Values]]
    ) -> Frame:
        """A frame of rows, each beside the row of its trace."""
        shared_names = self._spec.shared_dimensions
        times: list[int] = []
        numbers: list[float] = []
        told: list[list[str | None]] = [[] for _ in self._dictionaries]
        for trace, row in pairs:
            # Assessments are told of the time their trace ran, whenever they were made.
            time_ns = row.start_ns if self._spec.metric.view is View.SPANS else trace.start_ns
            number = self._number(row)
            if number is None or not self._is_wanted(time_ns, row):
                continue
            for some in shared.get(trace.trace_key, ((),)):
                known = dict(zip(shared_names, some, strict=True))
                times.append(time_ns)
                numbers.append(number)
                for values, name in zip(told, self._spec.dimensions, strict=True):
                    is_known = name in known
                    values.append(known[name] if is_known else _dimension(name, trace, row))
        is_whole = self._spec.metric.column not in _DECIMAL
        value = np.array(numbers, dtype=np.int64 if is_whole else np.float64)
        return Frame(
            np.array(times, dtype=np.int64),
            [d.codes(v) for d, v in zip(self._dictionaries, told, strict=True)],
            None if self._spec.metric.column is None else value,
        )

    def _is_wanted(self, time_ns: int, row: AnyRow) -> bool:
        spec = self._spec
        if spec.metric.only_errors and not self._is_error(row):
            return False
        after = spec.start_ns is None or time_ns >= spec.start_ns
        return after and (spec.end_ns is None or time_ns < spec.end_ns)

    def _is_error(self, row: AnyRow) -> bool:
        return (row.state if self._spec.metric.view is View.TRACES else row.status) == "ERROR"

    def _number(self, row: AnyRow) -> float | None:
        match self._spec.metric.column:
            case None:
                return 0
            case "is_error":
                return int(self._is_error(row))
            case "duration_ns":
                return _duration_ns(row)
            case "duration_ms":
                duration_ns = _duration_ns(row)
                return None if duration_ns is None else duration_ns // 1_000_000
            case "value":
                return value_number(row.value)
            case column:
                return _NUMBERS[column](row)


def _duration_ns(row: AnyRow) -> int | None:
    return None if row.end_ns is None else max(row.end_ns - row.start_ns, 0)


def _dimension(name: str, trace: AnyRow, row: AnyRow) -> str | None:
    if name in SPAN_DIMENSIONS:
        return _SPAN[name](row)
    if name in ASSESSMENT_DIMENSIONS:
        return _ASSESSMENT[name](row)
    if name.startswith(TAG):
        return trace_of(trace).tags.get(name.removeprefix(TAG))
    if name.startswith(METADATA):
        return trace_of(trace).trace_metadata.get(name.removeprefix(METADATA))
    return _TRACE[name](trace)
