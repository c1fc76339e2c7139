"""Search of traces in the Delta tables, with the filters of the store and the same answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tracelake.lake.filters import ASSESSED, EXPERIMENT, SESSION, LakeCondition, compile_for_lake
from tracelake.lake.read import SPAN_COLUMNS, TRACE_COLUMNS, assessment_of, span_of, trace_of
from tracelake.lake.sql import LakeSql
from tracelake.model.entities import Assessment, Span, TraceInfo
from tracelake.model.errors import InvalidInput
from tracelake.model.filters.evaluate import SESSION_KEY, Evidence, matches
from tracelake.model.filters.parse import parse_filter

MAX_RESULTS: Final = 500
_CANDIDATES_A_PAGE: Final = 20_000
"""Traces looked at one by one for one page, when SQL alone cannot decide a filter."""
_BATCH: Final = 500

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last trace looked at."""

    request_time_us: int
    trace_id: str


@dataclass(frozen=True, slots=True)
class LakePage:
    traces: list[TraceInfo]
    after: Place | None
    """Where the next page begins; None at the end. A page may be short and not the last."""


def find_traces(
    lake: LakeSql,
    filter: str = "",
    *,
    experiment_ids: Sequence[str] | None = None,
    max_results: int = 100,
    after: Place | None = None,
) -> LakePage:
    """A page of traces that match, newest first; those that began together by id.

    Times are as the tables have them: microseconds, and durations in whole milliseconds. Raises
    InvalidFilter, InvalidInput.
    """
    if not 1 <= max_results <= MAX_RESULTS:
        raise InvalidInput(f"max_results is {max_results}; it must be between 1 and {MAX_RESULTS}")
    tree = parse_filter(filter)
    condition = compile_for_lake(tree)
    batch = max_results if condition.exact else _BATCH
    found: list[TraceInfo] = []
    for _ in range(0, _CANDIDATES_A_PAGE, batch):
        rows = _rows(lake, condition, experiment_ids, after, batch)
        told = _Told(lake, rows, condition)
        for row in rows:
            after = Place(row["request_time_us"], row["trace_id"])
            info = trace_of(row)
            if condition.exact or matches(tree, told.of(row, info)):
                found.append(info)
                if len(found) == max_results:
                    is_last = len(rows) < batch and row is rows[-1]
                    return LakePage(_counted(lake, found), None if is_last else after)
        if len(rows) < batch:
            after = None
            break
    return LakePage(_counted(lake, found), after)


class _Told:
    """Spans and session assessments of one batch of rows, read in one query each."""

    def __init__(self, lake: LakeSql, rows: list[Row], condition: LakeCondition) -> None:
        self._spans: dict[str, list[Span]] = {}
        self._of_session: dict[tuple[str, str], list[Assessment]] = {}
        if condition.exact or not rows:
            return
        if condition.needs_spans:
            query = f"SELECT {SPAN_COLUMNS} FROM spans s WHERE s.trace_id IN (SELECT unnest($ids))"
            ids = [row["trace_id"] for row in rows]
            for row in _select(lake, query, {"ids": ids}):
                self._spans.setdefault(row["trace_id"], []).append(span_of(row))
        query = (
            f"WITH {ASSESSED} SELECT experiment_id, session, a FROM assessed "
            f"WHERE a.valid AND a.metadata['{SESSION_KEY}'] = session "
            "AND session IN (SELECT unnest($sessions))"
        )
        sessions = sorted({row["session"] for row in rows if row["session"] is not None})
        for row in _select(lake, query, {"sessions": sessions}) if sessions else ():
            place = (row["experiment_id"], row["session"])
            self._of_session.setdefault(place, []).append(assessment_of(row["a"]))

    def of(self, row: Row, info: TraceInfo) -> Evidence:
        return Evidence(
            info,
            lambda: self._spans.get(row["trace_id"], []),
            lambda: self._of_session.get((row["experiment_id"], row["session"]), []),
        )


def _rows(
    lake: LakeSql,
    condition: LakeCondition,
    experiment_ids: Sequence[str] | None,
    after: Place | None,
    limit: int,
) -> list[Row]:
    parameters = dict(condition.parameters.values) | {"limit": limit}
    where = [condition.sql]
    if experiment_ids is not None:
        where.append(f"{EXPERIMENT} IN (SELECT unnest($experiments))")
        parameters["experiments"] = list(experiment_ids)
    if after is not None:
        where.append(
            "t.request_time <= make_timestamptz($after_us) AND (t.request_time < "
            "make_timestamptz($after_us) OR t.trace_id > $after_id)"
        )
        parameters |= {"after_us": after.request_time_us, "after_id": after.trace_id}
    statement = (
        f"WITH {ASSESSED} SELECT {TRACE_COLUMNS}, {EXPERIMENT} AS experiment_id, "
        f"{SESSION} AS session FROM traces t WHERE {' AND '.join(where)} "
        "ORDER BY t.request_time DESC, t.trace_id LIMIT $limit"
    )
    return _select(lake, statement, parameters)


def _counted(lake: LakeSql, infos: list[TraceInfo]) -> list[TraceInfo]:
    """The infos with the numbers of their spans, which the table of traces does not have."""
    if not infos:
        return infos
    query = (
        "SELECT trace_id, count(*) AS spans, count(*) FILTER (status = 'ERROR') AS errors "
        "FROM spans WHERE trace_id IN (SELECT unnest($ids)) GROUP BY trace_id"
    )
    counts = {
        row["trace_id"]: row
        for row in _select(lake, query, {"ids": [info.trace_id for info in infos]})
    }
    return [
        replace(
            info,
            span_count=counts[info.trace_id]["spans"],
            error_count=counts[info.trace_id]["errors"],
        )
        for info in infos
        if info.trace_id in counts
    ]


def _select(lake: LakeSql, statement: str, parameters: dict[str, Any]) -> list[Row]:
    answer = lake.query(statement, parameters)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
