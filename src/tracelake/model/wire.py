"""Entities as the JSON of our own API, and of nothing else."""

from datetime import UTC, datetime

from tracelake.model.entities import (
    Assessment,
    Experiment,
    JsonValue,
    Span,
    SpanHead,
    TraceInfo,
)

JsonObject = dict[str, JsonValue]


def format_time(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds. A time outside years 1 to 9999 is clamped."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    seconds = min(max(seconds, -62_135_596_800), 253_402_300_799)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def experiment_to_json(experiment: Experiment) -> JsonObject:
    return {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "tags": experiment.tags,
        "creation_time_ms": experiment.creation_time_ms,
        "last_update_time_ms": experiment.last_update_time_ms,
    }


def assessment_to_json(assessment: Assessment) -> JsonObject:
    error = assessment.error
    body: JsonObject = {"value": assessment.value}
    if assessment.kind == "feedback":
        body["error"] = error and {
            "error_code": error.error_code,
            "error_message": error.error_message,
            "stack_trace": error.stack_trace,
        }
    return {
        "assessment_id": assessment.assessment_id,
        "trace_id": assessment.trace_id,
        "span_id": assessment.span_id,
        "name": assessment.name,
        assessment.kind: body,
        "source": {
            "source_type": str(assessment.source.source_type),
            "source_id": assessment.source.source_id,
        },
        "create_time": format_time(assessment.create_time_ms * 1_000_000),
        "last_update_time": format_time(assessment.last_update_time_ms * 1_000_000),
        "rationale": assessment.rationale,
        "metadata": assessment.metadata,
        "overrides": assessment.overrides,
        "valid": assessment.valid,
    }


def trace_to_json(info: TraceInfo) -> JsonObject:
    duration_ns = info.execution_duration_ns
    return {
        "trace_id": info.trace_id,
        "experiment_id": info.experiment_id,
        "name": info.name,
        "state": str(info.state),
        "request_time": format_time(info.request_time_ns),
        "execution_duration_ms": duration_ns / 1e6 if duration_ns is not None else None,
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "client_request_id": info.client_request_id,
        "session_id": info.session_id,
        "user": info.user,
        "tags": info.tags,
        "trace_metadata": info.trace_metadata,
        "token_usage": info.token_usage.to_json() if info.token_usage else None,
        "cost": info.cost.to_json() if info.cost else None,
        "span_count": info.span_count,
        "error_count": info.error_count,
        "assessments": [assessment_to_json(item) for item in info.assessments],
    }


def span_head_to_json(head: SpanHead) -> JsonObject:
    return {
        "trace_id": head.trace_id,
        "span_id": head.span_id,
        "parent_span_id": head.parent_span_id,
        "name": head.name,
        "span_type": head.span_type,
        "start_time_unix_nano": head.start_time_ns,
        "end_time_unix_nano": head.end_time_ns,
        "status": str(head.status),
        "model": head.model,
        "provider": head.provider,
        "tool": head.tool,
        "error": head.error,
        "token_usage": head.token_usage.to_json() if head.token_usage else None,
        "cost": head.cost.to_json() if head.cost else None,
    }


def span_to_json(span: Span) -> JsonObject:
    return span_head_to_json(span.head) | {
        "status_message": span.status_message,
        "kind": span.kind,
        "inputs": span.inputs,
        "outputs": span.outputs,
        "attributes": span.attributes,
        "events": [
            {"name": event.name, "time_unix_nano": event.time_ns, "attributes": event.attributes}
            for event in span.events
        ],
        "links": [
            {"trace_id": link.trace_id, "span_id": link.span_id, "attributes": link.attributes}
            for link in span.links
        ],
        "resource": span.resource,
        "scope": {"name": span.scope_name, "version": span.scope_version},
    }
