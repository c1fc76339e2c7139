"""The native REST API of traces and experiments, under /api/v1."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from tracelake.model import wire
from tracelake.model.filters.parse import quoted
from tracelake.model.permissions import Permission, requires
from tracelake.query import shapes
from tracelake.query.assessing import assessment_change, new_assessment
from tracelake.query.facets import add_facet_routes
from tracelake.query.fields import add_field_routes
from tracelake.query.groups import add_group_routes
from tracelake.query.ranges import CONTENT_ANSWERS, content_answer
from tracelake.store.api import (
    Analytics,
    Assessments,
    Experiments,
    Facets,
    ListQuery,
    MetricQuery,
    SessionSummary,
    TraceEditor,
    TraceReader,
)
from tracelake.web.answer import JsonAnswer
from tracelake.web.bounded import bounded

PageSize = Annotated[int, Query(ge=1, le=1000)]


def router(
    traces: TraceReader,
    experiments: Experiments,
    editor: TraceEditor,
    assessments: Assessments,
    analytics: Analytics,
    facets: Facets,
    timeout_s: float,
) -> APIRouter:
    """What is asked and changed in one go; `timeout_s` is how long a question may take."""
    routes = APIRouter(prefix="/api/v1", route_class=bounded(timeout_s))
    _experiment_routes(routes, experiments)
    _trace_routes(routes, traces, editor)
    _assessment_routes(routes, assessments)
    _analytics_routes(routes, analytics)
    add_facet_routes(routes, facets)
    add_field_routes(routes)
    add_group_routes(routes, analytics)
    return routes


def _experiment_routes(routes: APIRouter, experiments: Experiments) -> None:
    @routes.post("/experiments", response_model=shapes.ExperimentShape, tags=["experiments"])
    @requires(Permission.WRITE_EXPERIMENTS)
    def create_experiment(body: shapes.NewExperiment) -> JsonAnswer:
        """Create an experiment. 409 when the name is taken."""
        return JsonAnswer(wire.experiment_to_json(experiments.create(body.name, body.tags)))

    @routes.get("/experiments", response_model=shapes.ExperimentList, tags=["experiments"])
    @requires(Permission.READ_EXPERIMENTS)
    def find_experiments(
        name: str | None = None, max_results: PageSize = 1000, page_token: str | None = None
    ) -> JsonAnswer:
        """All experiments, newest first; with `name`, the one of exactly this name, or none."""
        filter = "" if name is None else f"name = {quoted(name)}"
        page = experiments.find(ListQuery(filter, max_results=max_results, page_token=page_token))
        return JsonAnswer(
            {
                "experiments": [wire.experiment_to_json(item) for item in page.items],
                "next_page_token": page.next_page_token,
            }
        )

    @routes.get(
        "/experiments/{experiment_id}",
        response_model=shapes.ExperimentShape,
        tags=["experiments"],
    )
    @requires(Permission.READ_EXPERIMENTS)
    def get_experiment(experiment_id: str) -> JsonAnswer:
        """One experiment by its id."""
        return JsonAnswer(wire.experiment_to_json(experiments.get(experiment_id)))

    @routes.patch(
        "/experiments/{experiment_id}",
        response_model=shapes.ExperimentShape,
        tags=["experiments"],
    )
    @requires(Permission.WRITE_EXPERIMENTS)
    def update_experiment(experiment_id: str, body: shapes.ExperimentPatch) -> JsonAnswer:
        """Rename an experiment, set its tags, take tags away (null)."""
        changed = experiments.update(experiment_id, name=body.name, tags=body.tags)
        return JsonAnswer(wire.experiment_to_json(changed))


def _trace_routes(routes: APIRouter, traces: TraceReader, editor: TraceEditor) -> None:
    @routes.post("/traces/search", response_model=shapes.TraceList, tags=["traces"])
    @requires(Permission.READ_TRACES)
    def search_traces(body: shapes.TraceSearch) -> JsonAnswer:
        """Traces that match a filter, newest first. A page may be short and have a next one."""
        page = traces.find_traces(
            experiment_ids=body.experiment_ids,
            filter=body.both,
            order_by=body.order_by,
            max_results=body.max_results,
            page_token=body.page_token,
        )
        return JsonAnswer(
            {
                "traces": [wire.trace_to_json(info) for info in page.traces],
                "next_page_token": page.next_page_token,
            }
        )

    @routes.get("/traces/{trace_id}", response_model=shapes.TraceShape, tags=["traces"])
    @requires(Permission.READ_TRACES)
    def get_trace(trace_id: str) -> JsonAnswer:
        """The info of one trace."""
        return JsonAnswer(wire.trace_to_json(traces.get_trace(trace_id)))

    @routes.get(
        "/traces/{trace_id}/spans",
        response_model=shapes.SpanList | shapes.SkeletonShape,
        tags=["traces"],
    )
    @requires(Permission.READ_TRACES)
    def get_spans(
        trace_id: str,
        view: Literal["full", "skeleton"] = "full",
        max_results: Annotated[int | None, Query(ge=1, le=10_000)] = None,
        page_token: str | None = None,
    ) -> JsonAnswer:
        """Spans by start time: whole spans, at most 1,000 a page, with a marker for each value over
        64 KB; or with `view=skeleton` the tree in columns, at most 10,000 spans a page."""
        if view == "skeleton":
            skeleton = traces.get_skeleton(
                trace_id, max_results=max_results or 1000, page_token=page_token
            )
            return JsonAnswer(skeleton)
        page = traces.get_spans(trace_id, max_results=max_results or 200, page_token=page_token)
        return JsonAnswer(
            {
                "spans": [wire.span_to_json(span) for span in page.spans],
                "next_page_token": page.next_page_token,
            }
        )

    @routes.get(
        "/traces/{trace_id}/spans/{span_id}", response_model=shapes.SpanShape, tags=["traces"]
    )
    @requires(Permission.READ_TRACES)
    def get_span(trace_id: str, span_id: str, whole: bool = False) -> JsonAnswer:
        """One span. A marker stands for each value over 64 KB, unless `whole` is asked for."""
        return JsonAnswer(wire.span_to_json(traces.get_span(trace_id, span_id, whole=whole)))

    @routes.get(
        "/traces/{trace_id}/spans/{span_id}/payload",
        response_class=Response,
        responses=CONTENT_ANSWERS,
        tags=["traces"],
    )
    @requires(Permission.READ_TRACES)
    def get_payload(
        request: Request, trace_id: str, span_id: str, field: Annotated[str, Query(min_length=1)]
    ) -> Response:
        """One value of a span, whole or, with a Range header, a range of its bytes. `field` is
        inputs, outputs, attributes.<key> or events.<number>.<key>."""
        content = traces.get_content(trace_id, span_id, field)
        return content_answer(content, request.headers)

    @routes.put("/traces/{trace_id}/tags", response_model=shapes.TraceShape, tags=["traces"])
    @requires(Permission.WRITE_TRACES)
    def set_tag(trace_id: str, body: shapes.Tag) -> JsonAnswer:
        """Set one tag; a value over 4,096 characters is cut."""
        return JsonAnswer(wire.trace_to_json(editor.set_tag(trace_id, body.key, body.value)))

    @routes.delete("/traces/{trace_id}/tags/{key:path}", tags=["traces"])
    @requires(Permission.WRITE_TRACES)
    def delete_tag(trace_id: str, key: str) -> JsonAnswer:
        """Remove one tag."""
        editor.delete_tag(trace_id, key)
        return JsonAnswer({})


def _assessment_routes(routes: APIRouter, assessments: Assessments) -> None:
    @routes.post(
        "/traces/{trace_id}/assessments",
        response_model=shapes.AssessmentShape,
        tags=["assessments"],
    )
    @requires(Permission.WRITE_TRACES)
    def add_assessment(trace_id: str, body: shapes.NewAssessmentShape) -> JsonAnswer:
        """Add feedback or an expectation. One that `overrides` another makes that one invalid."""
        added = assessments.add(trace_id, new_assessment(body))
        return JsonAnswer(wire.assessment_to_json(added))

    @routes.patch(
        "/traces/{trace_id}/assessments/{assessment_id}",
        response_model=shapes.AssessmentShape,
        tags=["assessments"],
    )
    @requires(Permission.WRITE_TRACES)
    def update_assessment(
        trace_id: str, assessment_id: str, body: shapes.AssessmentPatch
    ) -> JsonAnswer:
        """Change the fields that the body names."""
        changed = assessments.update(trace_id, assessment_id, assessment_change(body))
        return JsonAnswer(wire.assessment_to_json(changed))

    @routes.delete("/traces/{trace_id}/assessments/{assessment_id}", tags=["assessments"])
    @requires(Permission.WRITE_TRACES)
    def delete_assessment(trace_id: str, assessment_id: str) -> JsonAnswer:
        """Remove an assessment; the one it overrode becomes valid again."""
        assessments.delete(trace_id, assessment_id)
        return JsonAnswer({})


def _analytics_routes(routes: APIRouter, analytics: Analytics) -> None:
    @routes.post("/sessions/search", response_model=shapes.SessionList, tags=["analytics"])
    @requires(Permission.READ_TRACES)
    def search_sessions(body: shapes.SessionSearch) -> JsonAnswer:
        """Sessions of the traces that match, latest activity first."""
        page = analytics.find_sessions(
            experiment_ids=body.experiment_ids,
            filter=body.both,
            max_results=body.max_results,
            page_token=body.page_token,
        )
        return JsonAnswer(
            {
                "sessions": [_session(item) for item in page.sessions],
                "next_page_token": page.next_page_token,
            }
        )

    @routes.post("/metrics", response_model=shapes.DataPoints, tags=["analytics"])
    @requires(Permission.READ_TRACES)
    def query_metric(body: shapes.MetricSearch) -> JsonAnswer:
        """Aggregates over matching traces, by time bucket and dimensions. Latency is in ms.

        By a dimension of spans, such as `model`, a trace counts once for each value it has."""
        points = analytics.query_metric(
            MetricQuery(
                metric=body.metric,
                aggregations=tuple(body.aggregations),
                dimensions=tuple(body.dimensions),
                experiment_ids=body.experiments,
                filter=body.both,
                bucket_seconds=body.bucket_seconds,
                by_month=body.by_month,
                start_time_ms=body.start_time_ms,
                end_time_ms=body.end_time_ms,
            )
        )
        return JsonAnswer(
            {
                "data_points": [
                    {"time_ms": p.time_ms, "dimensions": p.dimensions, "values": p.values}
                    for p in points
                ]
            }
        )


def _session(item: SessionSummary) -> wire.JsonObject:
    return {
        "session_id": item.session_id,
        "experiment_id": item.experiment_id,
        "user": item.user,
        "trace_count": item.trace_count,
        "error_count": item.error_count,
        "first_request_time": wire.format_time(item.first_request_time_ns),
        "last_request_time": wire.format_time(item.last_request_time_ns),
        "token_usage": item.token_usage.to_json() if item.token_usage else None,
        "cost": item.cost.to_json() if item.cost else None,
        "first_request_preview": item.first_request_preview,
        "last_response_preview": item.last_response_preview,
    }
