"""Traces, version 3 of the protocol, and what is done to them: `2.0|3.0/mlflow/traces/…`."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from tracelake.mlflow_api.assessments import AssessmentMessage, assessment_message
from tracelake.mlflow_api.flavour import artifact_root, is_of_workspace
from tracelake.mlflow_api.route import Message, Payload, Text, said
from tracelake.mlflow_api.spans import span_message
from tracelake.mlflow_api.times import format_duration, format_time, parse_duration, parse_time
from tracelake.mlflow_api.trace_files import REFUSED, trace_folder
from tracelake.model.anyvalue import parse_json_text
from tracelake.model.entities import Assessment, TraceInfo, TraceState
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.fields import TRACES
from tracelake.model.filters.parse import parse_conjunction
from tracelake.model.jsontexts import KEPT
from tracelake.model.jsonvalue import as_object
from tracelake.model.keys import check_key
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import (
    Assessments,
    ClientInfo,
    ClientInfos,
    TraceEditor,
    TracePage,
    TraceReader,
    WholeTrace,
)
from tracelake.store.open import Store
from tracelake.store.operations import TraceDeletion, TraceScope
from tracelake.web.answer import JsonAnswer

_MOST_TRACES: Final = 500
_MOST_IDS: Final = 100
_WAIT_S: Final = 3.0
"""How long a reader that wants all spans waits for those that are on their way."""
_SHORT_WAIT_S: Final = 0.5
"""How long a client that tells of a trace is let wait for its own spans."""
_LAST_MS: Final = 9 * 10**12 - 1
"""What still counts in nanoseconds."""
_STATES: Final = {"OK": TraceState.OK, "ERROR": TraceState.ERROR}
_NAME: Final = "mlflow.traceName"
_LOCATION: Final = "mlflow.trace.spansLocation"
_ARTIFACTS: Final = "mlflow.artifactLocation"
_SESSION: Final = "mlflow.trace.session"
_USER: Final = "mlflow.trace.user"
_FINALISED: Final = "mlflow.trace.infoFinalized"
_SIZE: Final = "mlflow.trace.sizeStats"
_OURS: Final = "tracelake."
_KEPT_BY_SERVER: Final = (_LOCATION, _ARTIFACTS)

Ids = Annotated[list[Text], Field(min_length=1, max_length=_MOST_IDS)]


class ExperimentLocation(Message):
    experiment_id: Text


class Location(Message):
    type: Text = "MLFLOW_EXPERIMENT"
    mlflow_experiment: ExperimentLocation | None = None

    @property
    def experiment_id(self) -> str:
        if self.mlflow_experiment is None:
            raise InvalidInput("locations: only MLFLOW_EXPERIMENT is known here")
        return self.mlflow_experiment.experiment_id


class InfoMessage(Message):
    trace_id: Text
    trace_location: Location
    client_request_id: Payload | None = None
    request_time: Text | None = None
    execution_duration: Text | None = None
    state: Text | None = None
    trace_metadata: dict[Payload, Payload] = {}
    tags: dict[Payload, Payload] = {}
    request_preview: Payload | None = None
    response_preview: Payload | None = None
    assessments: list[AssessmentMessage] = []

    def to_info(self) -> ClientInfo:
        duration = self.execution_duration
        info = client_info(
            self.trace_id,
            self.trace_location.experiment_id,
            parse_time(self.request_time) if self.request_time else time.time_ns(),
            self.tags,
            self.trace_metadata | {_FINALISED: "true"},
            duration_ns=parse_duration(duration) if duration else None,
            state=_STATES.get(self.state or ""),
        )
        return replace(
            info,
            request_preview=self.request_preview,
            response_preview=self.response_preview,
            client_request_id=self.client_request_id,
            assessments=[assessment.to_new() for assessment in self.assessments],
        )


def client_info(
    trace_id: str,
    experiment_id: str,
    request_time_ns: int,
    tags: Mapping[str, str],
    metadata: Mapping[str, str],
    *,
    duration_ns: int | None = None,
    state: TraceState | None = None,
) -> ClientInfo:
    """With what tags and metadata say of the trace where it belongs."""
    kept = {key: value for key, value in tags.items() if key not in _KEPT_BY_SERVER}
    told = dict(metadata)
    return ClientInfo(
        trace_id,
        experiment_id,
        request_time_ns,
        duration_ns,
        state,
        name=kept.pop(_NAME, None),
        session_id=told.pop(_SESSION, None),
        user=told.pop(_USER, None),
        tags=kept,
        metadata=told,
    )


class OnlyInfo(Message):
    trace_info: InfoMessage


class NewTrace(Message):
    trace: OnlyInfo


class Search(Message):
    locations: list[Location] = []
    experiment_ids: list[Text] = []
    filter: Text | None = None
    max_results: Annotated[int, Field(ge=1, le=_MOST_TRACES)] = 100
    order_by: list[Text] = []
    page_token: Text | None = None

    @property
    def experiments(self) -> list[str]:
        return [*self.experiment_ids, *(location.experiment_id for location in self.locations)]


class TraceIds(Message):
    trace_ids: Ids


class TagMessage(Message):
    key: Text
    value: Text = ""


class TagKey(Message):
    key: Text


class Deletion(Message):
    experiment_id: Text
    request_ids: list[Text] = []
    trace_ids: list[Text] = []
    max_timestamp_millis: Annotated[int, Field(ge=0)] | None = None
    max_traces: Annotated[int, Field(ge=1)] | None = None


class RunLink(TraceIds):
    run_id: Text


class PromptVersion(Message):
    name: Text
    version: Text


class PromptLinks(Message):
    trace_id: Text
    prompt_versions: list[PromptVersion] = []


def add_traces(routes: APIRouter, store: Store, searcher: "TraceSearcher") -> None:
    _reading(routes, store.traces, searcher)
    _telling(routes, store.client_infos, store.traces)
    for version in ("2.0", "3.0"):
        _tags(routes, version, store.editor)
        _deleting(routes, version, store.traces, store.deletion)


class TraceSearcher:
    """Reads infos of traces, in the protocol's words."""

    def __init__(self, traces: TraceReader, assessments: Assessments) -> None:
        self._traces = traces
        self._assessments = assessments

    def messages(self, request: Request, infos: Sequence[TraceInfo]) -> list[dict[str, Any]]:
        told = self._assessments.of_traces([info.trace_id for info in infos])
        return [info_message(request, info, told.get(info.trace_id, ())) for info in infos]

    def search(self, request: Request, asked: Search) -> tuple[list[dict[str, Any]], str | None]:
        """A page of infos, and the token of the next. Raises InvalidFilter, InvalidInput."""
        page = self.find(asked)
        return self.messages(request, page.traces), page.next_page_token

    def find(self, asked: Search) -> TracePage:
        """Raises InvalidFilter, InvalidInput."""
        if not asked.experiments:
            raise InvalidInput("locations: name at least one experiment")
        # Clients of MLflow know comparisons joined by AND; what is more is a mistake to them.
        parse_conjunction(asked.filter, TRACES)
        return self._traces.find_traces(
            experiment_ids=asked.experiments,
            filter=asked.filter or "",
            order_by=_order(asked.order_by),
            max_results=asked.max_results,
            page_token=asked.page_token or None,
        )

    def folder_of(self, trace_id: str) -> str:
        """Where the files of a trace are. Raises NotFound."""
        return trace_folder(self._traces.get_trace(trace_id))


def _reading(routes: APIRouter, traces: TraceReader, searcher: TraceSearcher) -> None:
    messages = searcher.messages

    @routes.get("/3.0/mlflow/traces/get")
    @requires(Permission.READ_TRACES)
    def get_whole(request: Request, trace_id: str, allow_partial: bool = True) -> JsonAnswer:
        """Info and spans. Unless a part will do, those that are on their way are waited for."""
        found = _get_whole(traces, trace_id, allow_partial=allow_partial)
        return JsonAnswer({"trace": _whole_message(request, found)})

    @routes.get("/3.0/mlflow/traces/batchGet")
    @requires(Permission.READ_TRACES)
    def get_many(
        request: Request,
        trace_ids: Annotated[list[str], Query(min_length=1, max_length=_MOST_TRACES)],
    ) -> JsonAnswer:
        """Those that are there, with their spans; those that are not whole yet are left out."""
        found = [trace for trace in traces.get_whole(trace_ids) if _is_whole(trace.info)]
        return JsonAnswer({"traces": [_whole_message(request, trace) for trace in found]})

    @routes.post("/3.0/mlflow/traces/batchGetInfos")
    @requires(Permission.READ_TRACES)
    def get_infos(request: Request, body: TraceIds) -> JsonAnswer:
        return JsonAnswer({"trace_infos": messages(request, traces.get_traces(body.trace_ids))})

    @routes.post("/3.0/mlflow/traces/search")
    @requires(Permission.READ_TRACES)
    def search(request: Request, body: Search) -> JsonAnswer:
        infos, token = searcher.search(request, body)
        return JsonAnswer(said(traces=infos, next_page_token=token))

    @routes.get("/3.0/mlflow/traces/{trace_id}")
    @requires(Permission.READ_TRACES)
    def get_info(request: Request, trace_id: str) -> JsonAnswer:
        told = messages(request, [traces.get_trace(trace_id)])[0]
        return JsonAnswer({"trace": {"trace_info": told}})


def _telling(routes: APIRouter, infos: ClientInfos, traces: TraceReader) -> None:
    @routes.post("/3.0/mlflow/traces")
    @requires(Permission.WRITE_TRACES)
    def put(request: Request, body: NewTrace) -> JsonAnswer:
        """A client whose spans are not all here, nor on their way, is told to send their file."""
        info = infos.put(body.trace.trace_info.to_info())
        until_s = time.monotonic() + _SHORT_WAIT_S
        # Clients of a workspace send the file after this answer in any case.
        waits = not is_of_workspace(request)
        while waits and not _is_whole(info) and time.monotonic() < until_s:
            time.sleep(0.05)
            info = traces.get_trace(info.trace_id)
        told = info_message(request, info, info.assessments)
        if not _is_whole(info):
            told["tags"].pop(_LOCATION, None)
        return JsonAnswer({"trace": {"trace_info": told}})

    @routes.post("/2.0/mlflow/traces/link-to-run")
    @requires(Permission.WRITE_TRACES)
    def link_to_run(body: RunLink) -> JsonAnswer:
        infos.link_to_run(body.trace_ids, body.run_id)
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/traces/link-prompts")
    @requires(Permission.WRITE_TRACES)
    def link_prompts(body: PromptLinks) -> JsonAnswer:
        prompts = [(prompt.name, prompt.version) for prompt in body.prompt_versions]
        infos.link_prompts(body.trace_id, prompts)
        return JsonAnswer({})


def _tags(routes: APIRouter, version: str, editor: TraceEditor) -> None:
    @routes.patch(f"/{version}/mlflow/traces/{{trace_id}}/tags")
    @requires(Permission.WRITE_TRACES)
    def set_tag(trace_id: str, body: TagMessage) -> JsonAnswer:
        check_key("tag", body.key)
        editor.set_tag(trace_id, body.key, body.value)
        return JsonAnswer({})

    @routes.delete(f"/{version}/mlflow/traces/{{trace_id}}/tags")
    @requires(Permission.WRITE_TRACES)
    def delete_tag(trace_id: str, body: TagKey) -> JsonAnswer:
        editor.delete_tag(trace_id, body.key)
        return JsonAnswer({})


def _deleting(
    routes: APIRouter, version: str, traces: TraceReader, deletion: TraceDeletion
) -> None:
    @routes.post(f"/{version}/mlflow/traces/delete-traces")
    @requires(Permission.DELETE_TRACES)
    def delete_traces(body: Deletion) -> JsonAnswer:
        """Either the traces of these ids, or the oldest of an experiment."""
        ids = [*body.request_ids, *body.trace_ids]
        if bool(ids) == (body.max_timestamp_millis is not None):
            raise InvalidInput("give either request_ids or max_timestamp_millis")
        if ids and body.max_traces is not None:
            raise InvalidInput("max_traces goes with max_timestamp_millis")
        if len(ids) > _MOST_IDS:
            raise InvalidInput(f"request_ids: {len(ids)} ids; {_MOST_IDS} at a time")
        if ids:
            there = traces.get_traces(ids)
            own = [info.trace_id for info in there if info.experiment_id == body.experiment_id]
            scope = TraceScope(trace_ids=tuple(own))
        else:
            scope = TraceScope(
                experiment_ids=(body.experiment_id,),
                # All there are, to those who say so by a time that never comes.
                until_ms=min(body.max_timestamp_millis or 0, _LAST_MS),
                max_traces=body.max_traces,
            )
        return JsonAnswer({"traces_deleted": deletion.delete(scope).traces})


def info_message(
    request: Request, info: TraceInfo, assessments: Sequence[Assessment]
) -> dict[str, Any]:
    """What is known of a trace, in the protocol's words."""
    tags = info.tags | {_ARTIFACTS: f"{artifact_root(request)}/{trace_folder(info)}"}
    # Clients of a workspace know files of spans only, and would send none. Others read a file where
    # a message cannot hold a value.
    as_messages = KEPT not in info.trace_metadata and not is_of_workspace(request)
    if info.span_count and as_messages:
        tags[_LOCATION] = "TRACKING_STORE"
    duration_ns = info.execution_duration_ns
    return said(
        trace_id=info.trace_id,
        client_request_id=info.client_request_id,
        trace_location={
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": info.experiment_id},
        },
        request_time=format_time(info.request_time_ns),
        execution_duration=None if duration_ns is None else format_duration(duration_ns),
        state=str(info.state),
        request_preview=info.request_preview,
        response_preview=info.response_preview,
        trace_metadata={
            key: value for key, value in info.trace_metadata.items() if not key.startswith(_OURS)
        },
        tags=tags,
        assessments=[assessment_message(each) for each in assessments] or None,
    )


def _whole_message(request: Request, trace: WholeTrace) -> dict[str, Any]:
    return {
        "trace_info": info_message(request, trace.info, trace.info.assessments),
        "spans": [span_message(span) for span in trace.spans],
    }


def _order(order_by: Sequence[str]) -> list[str]:
    """Newest first where nothing else decides."""
    return [*order_by, "timestamp DESC"] if order_by else []


def _is_whole(info: TraceInfo) -> bool:
    """Whether as many spans are here as the client says it has sent, or all that ever will be."""
    if REFUSED in info.trace_metadata:
        return True
    stats = as_object(parse_json_text(info.trace_metadata.get(_SIZE, ""))) or {}
    expected = stats.get("num_spans")
    return not isinstance(expected, int) or info.span_count >= expected


def _get_whole(traces: TraceReader, trace_id: str, *, allow_partial: bool) -> WholeTrace:
    """Unless a part will do, the trace once it is whole. Raises NotFound when that takes long."""
    until_s = time.monotonic() + _WAIT_S
    while True:
        found = traces.get_whole([trace_id])
        if not found:
            raise NotFound(f"Trace {trace_id} does not exist")
        if allow_partial or _is_whole(found[0].info):
            return found[0]
        if time.monotonic() > until_s:
            raise NotFound(f"Trace {trace_id} is not fully exported yet; ask again")
        time.sleep(0.1)
