"""What the short form of a filter may name, for who completes what a person types."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel

from tracelake.model.filters.short_fields import SPAN_SHORT, TRACE_SHORT, ShortField
from tracelake.model.permissions import Permission, requires
from tracelake.web.answer import JsonAnswer


class FieldShape(BaseModel):
    name: str
    """With a dot at its end where a key follows."""
    reads: str
    """What its values are: text, status, number, duration, time or assessed."""
    meaning: str
    facet: str | None
    """Which field of `POST /traces/facets` lists its values; of one with keys, its keys, and
    `<facet>.<key>` the values."""


class FieldList(BaseModel):
    of_traces: list[FieldShape]
    of_spans: list[FieldShape]
    """Inside of `span( )`."""


def add_field_routes(routes: APIRouter) -> None:
    @routes.get("/fields", response_model=FieldList, tags=["traces"])
    @requires(Permission.READ_TRACES)
    def list_fields() -> JsonAnswer:
        """The fields of a filter in the short form, in the order in which to suggest them."""
        return JsonAnswer({"of_traces": _told(TRACE_SHORT), "of_spans": _told(SPAN_SHORT)})


def _told(fields: Sequence[ShortField]) -> list[dict[str, str | None]]:
    return [
        {
            "name": field.name,
            "reads": field.reads.name.lower(),
            "meaning": field.meaning,
            "facet": field.facet,
        }
        for field in fields
    ]
