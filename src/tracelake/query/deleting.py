"""Deleting traces over REST."""

import time
from typing import Final

from fastapi import APIRouter

from tracelake.model.deadline import check_deadline
from tracelake.model.permissions import Permission, requires
from tracelake.query import shapes
from tracelake.store.operations import TraceDeletion, TraceScope
from tracelake.web.answer import JsonAnswer
from tracelake.web.bounded import bounded

_REQUEST_S: Final = 20.0
"""Below what clients and proxies commonly wait for an answer."""
_QUERY_S: Final = 30.0


def router(deletion: TraceDeletion) -> APIRouter:
    """It ends when its client goes; what was deleted until then stays deleted."""
    routes = APIRouter(prefix="/api/v1", tags=["traces"], route_class=bounded(_QUERY_S))

    @routes.post("/traces/delete", response_model=shapes.TracesDeleted)
    @requires(Permission.DELETE_TRACES)
    def delete_traces(body: shapes.TraceDeletionShape) -> JsonAnswer:
        """Delete traces, for at most 20 s; where it answers `more`, ask again for the rest."""
        ends = time.monotonic() + _REQUEST_S

        def keep_going() -> bool:
            check_deadline()
            return time.monotonic() < ends

        deleted = deletion.delete(_scope(body), keep_going)
        return JsonAnswer({"traces_deleted": deleted.traces, "more": not deleted.is_complete})

    return routes


def _scope(body: shapes.TraceDeletionShape) -> TraceScope:
    return TraceScope(
        trace_ids=None if body.trace_ids is None else tuple(body.trace_ids),
        experiment_ids=body.experiments,
        filter=body.both,
        until_ms=body.older_than_ms,
        max_traces=body.max_traces,
    )
