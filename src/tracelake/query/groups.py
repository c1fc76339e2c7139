"""Groups of traces with several numbers each: users by cost, models by errors, releases."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tracelake.model.permissions import Permission, requires
from tracelake.query import shapes
from tracelake.store.api import Analytics, GroupQuery, Measure
from tracelake.web.answer import JsonAnswer


class MeasureShape(shapes.Request):
    metric: str
    """Of `POST /metrics`."""
    aggregation: str


class GroupSearch(shapes.Filtered):
    measures: Annotated[list[MeasureShape], Field(min_length=1, max_length=20)]
    dimensions: Annotated[list[str], Field(min_length=1, max_length=5)]
    start_time_ms: shapes.Milliseconds | None = None
    end_time_ms: shapes.Milliseconds | None = None
    max_groups: Annotated[int, Field(ge=1, le=1000)] = 100
    smallest_first: bool = False


class GroupShape(BaseModel):
    dimensions: dict[str, str | None]
    values: list[float | None]
    """In the order of the measures; null where there is nothing to measure."""


class GroupList(BaseModel):
    groups: list[GroupShape]
    group_count: int
    """Of all groups, told or not."""


def add_group_routes(routes: APIRouter, analytics: Analytics) -> None:
    @routes.post("/traces/groups", response_model=GroupList, tags=["analytics"])
    @requires(Permission.READ_TRACES)
    def find_groups(body: GroupSearch) -> JsonAnswer:
        """Groups of the traces that match, the one with most of the first measure first."""
        page = analytics.find_groups(
            GroupQuery(
                measures=tuple(Measure(each.metric, each.aggregation) for each in body.measures),
                dimensions=tuple(body.dimensions),
                experiment_ids=body.experiments,
                filter=body.both,
                start_time_ms=body.start_time_ms,
                end_time_ms=body.end_time_ms,
                max_groups=body.max_groups,
                smallest_first=body.smallest_first,
            )
        )
        return JsonAnswer(
            {
                "groups": [
                    {"dimensions": group.dimensions, "values": group.values}
                    for group in page.groups
                ],
                "group_count": page.group_count,
            }
        )
