"""Traces as clients before version 3 know them: `2.0/mlflow/traces`. Begun and ended by two calls;
their spans come as a file."""

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from tracelake.mlflow_api.route import Message, Tag, Text, from_map, said, to_map
from tracelake.mlflow_api.traces import Search, TraceSearcher, client_info, info_message
from tracelake.model.entities import TraceInfo, TraceState
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ClientInfos, TraceReader
from tracelake.web.answer import JsonAnswer

_BASE = "/2.0/mlflow/traces"
_STATES = {"OK": TraceState.OK, "ERROR": TraceState.ERROR}
Milliseconds = Annotated[int, Field(ge=0, lt=9 * 10**12)]


class Begin(Message):
    experiment_id: Text
    timestamp_ms: Milliseconds
    request_metadata: list[Tag] = []
    tags: list[Tag] = []


class End(Message):
    timestamp_ms: Milliseconds
    status: Literal["OK", "ERROR", "IN_PROGRESS", "TRACE_STATUS_UNSPECIFIED"] = "OK"
    request_metadata: list[Tag] = []
    tags: list[Tag] = []


def add_legacy_traces(
    routes: APIRouter, traces: TraceReader, infos: ClientInfos, searcher: TraceSearcher
) -> None:
    def answer(request: Request, trace_id: str) -> JsonAnswer:
        return JsonAnswer({"trace_info": _message(request, traces.get_trace(trace_id))})

    @routes.post(_BASE)
    @requires(Permission.WRITE_TRACES)
    def begin(request: Request, body: Begin) -> JsonAnswer:
        """The server names the trace."""
        trace_id = f"tr-{secrets.token_hex(16)}"
        infos.put(
            client_info(
                trace_id,
                body.experiment_id,
                body.timestamp_ms * 1_000_000,
                to_map(body.tags),
                to_map(body.request_metadata),
            )
        )
        return answer(request, trace_id)

    @routes.patch(_BASE + "/{trace_id}")
    @requires(Permission.WRITE_TRACES)
    def end(request: Request, trace_id: str, body: End) -> JsonAnswer:
        began = traces.get_trace(trace_id)
        ended_ns = body.timestamp_ms * 1_000_000
        infos.put(
            client_info(
                trace_id,
                began.experiment_id,
                began.request_time_ns,
                to_map(body.tags),
                to_map(body.request_metadata),
                duration_ns=max(ended_ns - began.request_time_ns, 0),
                state=_STATES.get(body.status),
            )
        )
        return answer(request, trace_id)

    @routes.get(_BASE + "/{trace_id}/info")
    @requires(Permission.READ_TRACES)
    def get_info(request: Request, trace_id: str) -> JsonAnswer:
        return answer(request, trace_id)

    @routes.get(_BASE)
    @requires(Permission.READ_TRACES)
    def search(
        request: Request,
        experiment_ids: Annotated[list[str], Query()],
        filter: str | None = None,
        max_results: Annotated[int, Query(ge=1, le=500)] = 100,
        order_by: Annotated[list[str] | None, Query()] = None,
        page_token: str | None = None,
    ) -> JsonAnswer:
        asked = Search(
            experiment_ids=experiment_ids,
            filter=filter,
            max_results=max_results,
            order_by=order_by or [],
            page_token=page_token,
        )
        page = searcher.find(asked)
        return JsonAnswer(
            said(
                traces=[_message(request, info) for info in page.traces],
                next_page_token=page.next_page_token,
            )
        )


def _message(request: Request, info: TraceInfo) -> dict[str, Any]:
    told = info_message(request, info, ())
    duration_ns = info.execution_duration_ns
    return said(
        request_id=info.trace_id,
        experiment_id=info.experiment_id,
        timestamp_ms=info.request_time_ns // 1_000_000,
        execution_time_ms=None if duration_ns is None else duration_ns // 1_000_000,
        status=told["state"],
        request_metadata=from_map(told["trace_metadata"]),
        tags=from_map(told["tags"]),
    )
