"""What goes wrong: errors that differ in numbers and ids only as one, and what became of them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tracelake.model.error_groups import ErrorGroup, group_of
from tracelake.model.filters.parse import parse_filter, quoted
from tracelake.model.permissions import Permission, requires
from tracelake.query import shapes
from tracelake.store.api import (
    Analytics,
    FacetQuery,
    Facets,
    GroupQuery,
    Measure,
    MetricQuery,
)
from tracelake.store.error_states import OPEN, RESOLVED, STATUSES, ErrorState, ErrorStates
from tracelake.web.answer import JsonAnswer
from tracelake.web.bounded import bounded

_MOST_ERRORS: Final = 5_000
"""Different texts that are looked at; of more, the rarest are left out."""
_COUNTS: Final = (Measure("trace_count", "COUNT"), Measure("user_count", "COUNT"))
_TIMES: Final = (Measure("request_time", "MIN"), Measure("request_time", "MAX"))

Status = Literal["open", "resolved", "muted"]


class ErrorSearch(shapes.Filters):
    experiment_id: str
    status: Status | None = None
    """Only groups that have it now; one that was resolved and came again is open."""
    start_time_ms: shapes.Milliseconds | None = None
    end_time_ms: shapes.Milliseconds | None = None
    bucket_seconds: Annotated[int, Field(ge=1, le=10**8)] | None = None
    """Tell as well how many traces each has in every piece of time."""
    max_groups: Annotated[int, Field(ge=1, le=100)] = 30


class ActivityShape(BaseModel):
    time_ms: int
    trace_count: int


class ErrorGroupShape(BaseModel):
    title: str
    """With a mark for every word that varies."""
    pattern: str
    """In RE2's syntax: `error:/pattern/` finds its traces."""
    trace_count: int
    user_count: int
    first_time_ms: float
    """Of all traces, whatever the filter and the times: when it was met first."""
    last_time_ms: float
    status: Status
    is_back: bool
    """Whether it was resolved, and came again."""
    activity: list[ActivityShape]


class StatusCounts(BaseModel):
    open: int
    resolved: int
    muted: int


class ErrorGroupList(BaseModel):
    groups: list[ErrorGroupShape]
    group_count: int
    """Of all that have the status, told or not."""
    status_counts: StatusCounts
    """Groups of each, whatever status was asked for."""


class ErrorStatus(shapes.Request):
    experiment_id: str
    pattern: shapes.Text
    status: Status


class ErrorStatusAnswer(BaseModel):
    status: Status
    changed_ms: int


def router(
    facets: Facets, analytics: Analytics, states: ErrorStates, timeout_s: float
) -> APIRouter:
    routes = APIRouter(prefix="/api/v1", tags=["errors"], route_class=bounded(timeout_s))

    @routes.post("/errors/search", response_model=ErrorGroupList)
    @requires(Permission.READ_TRACES)
    def find_errors(body: ErrorSearch) -> JsonAnswer:
        """Groups of the errors of the traces that match, the most frequent first."""
        both = body.both
        parse_filter(both)  # what is joined to it must not change what it means
        known = states.find(body.experiment_id)
        seen = [
            _seen(analytics, body, group, known.get(group.pattern))
            for group in _groups(facets, body, both)
        ]
        wanted = [each for each in seen if body.status in (None, each.status)]
        told = [_told(analytics, body, both, each) for each in wanted[: body.max_groups]]
        told.sort(key=lambda each: -each["trace_count"])
        counts = Counter(each.status for each in seen)
        return JsonAnswer(
            {
                "groups": told,
                "group_count": len(wanted),
                "status_counts": {status: counts[status] for status in STATUSES},
            }
        )

    @routes.put("/errors/status", response_model=ErrorStatusAnswer)
    @requires(Permission.WRITE_TRACES)
    def set_error_status(body: ErrorStatus) -> JsonAnswer:
        """Resolve a group of errors, mute it, or open it again."""
        state = states.set(body.experiment_id, body.pattern, body.status)
        return JsonAnswer({"status": state.status, "changed_ms": state.changed_ms})

    return routes


@dataclass(frozen=True, slots=True)
class _Seen:
    group: ErrorGroup
    status: str
    is_back: bool


def _groups(facets: Facets, body: ErrorSearch, both: str) -> list[ErrorGroup]:
    """The most frequent first, as far as the sums of their texts tell."""
    [errors] = facets.find(
        FacetQuery(
            ("error",),
            both,
            (body.experiment_id,),
            body.start_time_ms,
            body.end_time_ms,
            max_values=_MOST_ERRORS,
        )
    )
    counts: Counter[ErrorGroup] = Counter()
    for error in errors.values:
        counts[group_of(error.value)] += error.count
    return [group for group, _ in counts.most_common()]


def _seen(
    analytics: Analytics, body: ErrorSearch, group: ErrorGroup, state: ErrorState | None
) -> _Seen:
    if state is None or state.status != RESOLVED:
        return _Seen(group, OPEN if state is None else state.status, False)
    _first_ms, last_ms = _measured(analytics, body, _TIMES, _own(group))
    is_back = (last_ms or 0) > state.changed_ms
    return _Seen(group, OPEN if is_back else RESOLVED, is_back)


def _told(analytics: Analytics, body: ErrorSearch, both: str, seen: _Seen) -> dict[str, Any]:
    own = _own(seen.group)
    narrowed = f"({both}) AND {own}" if both else own
    traces, users = _measured(
        analytics, body, _COUNTS, narrowed, (body.start_time_ms, body.end_time_ms)
    )
    first_ms, last_ms = _measured(analytics, body, _TIMES, own)
    return {
        "title": seen.group.title,
        "pattern": seen.group.pattern,
        "trace_count": int(traces or 0),
        "user_count": int(users or 0),
        "first_time_ms": first_ms or 0,
        "last_time_ms": last_ms or 0,
        "status": seen.status,
        "is_back": seen.is_back,
        "activity": [*_activity(analytics, body, narrowed)] if body.bucket_seconds else [],
    }


def _own(group: ErrorGroup) -> str:
    return f"error RLIKE {quoted(group.pattern)}"


def _measured(
    analytics: Analytics,
    body: ErrorSearch,
    measures: tuple[Measure, ...],
    filter: str,
    times_ms: tuple[int | None, int | None] = (None, None),
) -> list[float | None]:
    query = GroupQuery(measures, ("experiment",), (body.experiment_id,), filter, *times_ms)
    groups = analytics.find_groups(query).groups
    return groups[0].values if groups else [None] * len(measures)


def _activity(analytics: Analytics, body: ErrorSearch, filter: str) -> Iterator[dict[str, int]]:
    query = MetricQuery(
        "trace_count",
        ("COUNT",),
        (),
        (body.experiment_id,),
        filter,
        body.bucket_seconds,
        start_time_ms=body.start_time_ms,
        end_time_ms=body.end_time_ms,
    )
    for point in analytics.query_metric(query):
        yield {"time_ms": point.time_ms or 0, "trace_count": int(point.values["COUNT"])}
