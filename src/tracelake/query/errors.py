"""What goes wrong: errors that differ in numbers and ids only as one, and what became of them."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tracelake.model.error_groups import ErrorGroup, group_of
from tracelake.model.filters.parse import quoted
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
from tracelake.store.error_states import OPEN, RESOLVED, ErrorState, ErrorStates
from tracelake.web.answer import JsonAnswer
from tracelake.web.bounded import bounded

_MOST_ERRORS: Final = 100_000
"""Different texts that are looked at; of more, the rarest are left out."""
_MEASURES: Final = (
    Measure("trace_count", "COUNT"),
    Measure("user_count", "COUNT"),
    Measure("request_time", "MIN"),
    Measure("request_time", "MAX"),
)

Status = Literal["open", "resolved", "muted"]


class ErrorSearch(shapes.Filtered):
    experiment_id: str
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
    last_time_ms: float
    status: Status
    is_back: bool
    """Whether it was resolved, and came again."""
    activity: list[ActivityShape]


class ErrorGroupList(BaseModel):
    groups: list[ErrorGroupShape]
    group_count: int


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
        known = states.find(body.experiment_id)
        groups = _groups(facets, body)
        told = [
            _told(analytics, body, group, known.get(group.pattern))
            for group in groups[: body.max_groups]
        ]
        told.sort(key=lambda each: -each["trace_count"])
        return JsonAnswer({"groups": told, "group_count": len(groups)})

    @routes.put("/errors/status", response_model=ErrorStatusAnswer)
    @requires(Permission.WRITE_TRACES)
    def set_error_status(body: ErrorStatus) -> JsonAnswer:
        """Resolve a group of errors, mute it, or open it again."""
        state = states.set(body.experiment_id, body.pattern, body.status)
        return JsonAnswer({"status": state.status, "changed_ms": state.changed_ms})

    return routes


def _groups(facets: Facets, body: ErrorSearch) -> list[ErrorGroup]:
    """The most frequent first, as far as the sums of their texts tell."""
    [errors] = facets.find(
        FacetQuery(
            ("error",),
            body.both,
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


def _told(
    analytics: Analytics, body: ErrorSearch, group: ErrorGroup, state: ErrorState | None
) -> dict[str, Any]:
    own = f"error RLIKE {quoted(group.pattern)}"
    both = f"({body.both}) AND {own}" if body.both else own
    page = analytics.find_groups(
        GroupQuery(
            _MEASURES,
            ("experiment",),
            (body.experiment_id,),
            both,
            body.start_time_ms,
            body.end_time_ms,
        )
    )
    traces, users, first_ms, last_ms = page.groups[0].values if page.groups else (0, 0, 0, 0)
    status = OPEN if state is None else state.status
    is_back = state is not None and status == RESOLVED and (last_ms or 0) > state.changed_ms
    return {
        "title": group.title,
        "pattern": group.pattern,
        "trace_count": int(traces or 0),
        "user_count": int(users or 0),
        "first_time_ms": first_ms or 0,
        "last_time_ms": last_ms or 0,
        "status": OPEN if is_back else status,
        "is_back": is_back,
        "activity": [*_activity(analytics, body, both)] if body.bucket_seconds else [],
    }


def _activity(analytics: Analytics, body: ErrorSearch, both: str) -> Iterator[dict[str, int]]:
    query = MetricQuery(
        "trace_count",
        ("COUNT",),
        (),
        (body.experiment_id,),
        both,
        body.bucket_seconds,
        start_time_ms=body.start_time_ms,
        end_time_ms=body.end_time_ms,
    )
    for point in analytics.query_metric(query):
        yield {"time_ms": point.time_ms or 0, "trace_count": int(point.values["COUNT"])}
