"""What there is to filter by: values of fields with counts, and how many traces match."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tracelake.model.permissions import Permission, requires
from tracelake.query import shapes
from tracelake.store.api import FacetQuery, Facets
from tracelake.web.answer import JsonAnswer


class CountSearch(shapes.Filtered):
    start_time_ms: shapes.Milliseconds | None = None
    end_time_ms: shapes.Milliseconds | None = None


class FacetSearch(CountSearch):
    fields: Annotated[list[str], Field(min_length=1, max_length=20)]
    prefix: shapes.Text = ""
    max_values: Annotated[int, Field(ge=1, le=1000)] = 20


class ValueShape(BaseModel):
    value: str
    count: int


class FacetShape(BaseModel):
    field: str
    values: list[ValueShape]
    value_count: int
    is_exact: bool


class FacetList(BaseModel):
    facets: list[FacetShape]


class TotalShape(BaseModel):
    count: int
    is_exact: bool


def add_facet_routes(routes: APIRouter, facets: Facets) -> None:
    @routes.post("/traces/facets", response_model=FacetList, tags=["traces"])
    @requires(Permission.READ_TRACES)
    def find_facets(body: FacetSearch) -> JsonAnswer:
        """Values of fields among the traces that match, the most frequent first: `status`, `name`,
        `user`, `session`, `model`, `provider`, `tool`, `error`, `span.name`, `span.type`,
        `span.status`, `experiment`, `tags.<key>`, `metadata.<key>`; and the keys and names that
        there are: `tags`, `metadata`, `feedback`, `expectation`."""
        return JsonAnswer(
            {
                "facets": [
                    {
                        "field": facet.field,
                        "values": [{"value": v.value, "count": v.count} for v in facet.values],
                        "value_count": facet.value_count,
                        "is_exact": facet.is_exact,
                    }
                    for facet in facets.find(_query(body, body))
                ]
            }
        )

    @routes.post("/traces/count", response_model=TotalShape, tags=["traces"])
    @requires(Permission.READ_TRACES)
    def count_traces(body: CountSearch) -> JsonAnswer:
        """How many traces match, or, where `is_exact` is false, how many it is at most."""
        total = facets.count(_query(body))
        return JsonAnswer({"count": total.count, "is_exact": total.is_exact})


def _query(body: CountSearch, wanted: FacetSearch | None = None) -> FacetQuery:
    return FacetQuery(
        fields=tuple(wanted.fields) if wanted else (),
        filter=body.both,
        experiment_ids=body.experiments,
        start_time_ms=body.start_time_ms,
        end_time_ms=body.end_time_ms,
        prefix=wanted.prefix if wanted else "",
        max_values=wanted.max_values if wanted else 0,
    )
