"""Changed traces to rows of the Delta tables."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson

from tracelake.lake.arrow import RecordBatch, pa
from tracelake.lake.schemas import SPANS, TRACES
from tracelake.model.entities import Assessment, JsonValue, Span, TraceInfo
from tracelake.model.jsonvalue import as_list, as_object
from tracelake.store.api import TraceChange

Row = dict[str, Any]


def trace_rows(changes: list[TraceChange]) -> RecordBatch:
    """One row a trace, in the schema `TRACES`."""
    return pa.RecordBatch.from_pylist(
        [_trace_row(change.info, change.spans) for change in changes], schema=TRACES
    )


def span_rows(changes: list[TraceChange]) -> RecordBatch:
    """One row a span, in the schema `SPANS`."""
    return pa.RecordBatch.from_pylist(
        [_span_row(change.info, span) for change in changes for span in change.spans],
        schema=SPANS,
    )


def json_text(value: JsonValue) -> str:
    """Compact JSON. NaN and infinities, which JSON does not have, become null."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Integers beyond 64 bits, lone surrogates (escaped here), very deep nesting.
        return json.dumps(value, separators=(",", ":"))


def _optional_json(value: JsonValue) -> str | None:
    return None if value is None else json_text(value)


def _json_map(values: dict[str, JsonValue]) -> list[tuple[str, str]]:
    return [(key, json_text(value)) for key, value in values.items()]


def _micros(time_ns: int) -> int:
    return time_ns // 1000


def _root(spans: list[Span]) -> Span | None:
    """The earliest span that has no parent: the one the store's summary takes too."""
    roots = [span for span in spans if span.head.parent_span_id is None]
    return min(roots, key=lambda span: (span.head.start_time_ns, span.head.span_id), default=None)


def _trace_row(info: TraceInfo, spans: list[Span]) -> Row:
    root = _root(spans)
    duration_ns = info.execution_duration_ns
    return {
        "trace_id": info.trace_id,
        "client_request_id": info.client_request_id,
        "request_time": _micros(info.request_time_ns),
        "state": str(info.state),
        "execution_duration_ms": None if duration_ns is None else duration_ns // 1_000_000,
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "request": _optional_json(root.inputs) if root else None,
        "response": _optional_json(root.outputs) if root else None,
        "trace_metadata": list(info.trace_metadata.items()),
        "tags": list(info.tags.items()),
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": info.experiment_id},
            "inference_table": None,
        },
        "spans": [_span_of_trace(span) for span in spans],
        "assessments": [_assessment(item) for item in info.assessments],
    }


def _span_of_trace(span: Span) -> Row:
    """A span inside its trace's row. What the store does not keep apart is NULL."""
    head = span.head
    return {
        "trace_id": head.trace_id,
        "span_id": head.span_id,
        "name": head.name,
        "kind": span.kind,
        "attributes": _json_map(span.attributes),
        "links": [
            {
                "trace_id": link.trace_id,
                "span_id": link.span_id,
                "attributes": _json_map(link.attributes),
            }
            for link in span.links
        ],
        "parent_id": head.parent_span_id,
        "start_time": _micros(head.start_time_ns),
        "end_time": None if head.end_time_ns is None else _micros(head.end_time_ns),
        "status_code": str(head.status),
        "status_message": span.status_message,
        "events": [
            {
                "name": event.name,
                "timestamp": _micros(event.time_ns),
                "attributes": _json_map(event.attributes),
            }
            for event in span.events
        ],
    }


def _assessment(item: Assessment) -> Row:
    error = item.error
    row: Row = {
        "assessment_id": item.assessment_id,
        "trace_id": item.trace_id,
        "name": item.name,
        "source": {
            "source_id": item.source.source_id,
            "source_type": str(item.source.source_type),
        },
        "create_time": item.create_time_ms * 1000,
        "last_update_time": item.last_update_time_ms * 1000,
        "rationale": item.rationale,
        "metadata": list(item.metadata.items()),
        "span_id": item.span_id,
        "valid": item.valid,
    }
    if item.kind == "feedback":
        row["feedback"] = {
            "value": _optional_json(item.value),
            "error": error
            and {
                "error_code": error.error_code,
                "error_message": error.error_message,
                "stack_trace": error.stack_trace,
            },
        }
    elif as_object(item.value) is not None or as_list(item.value) is not None:
        row["expectation"] = {
            "serialized_value": {
                "serialization_format": "JSON_FORMAT",
                "value": json_text(item.value),
            }
        }
    else:
        row["expectation"] = {"value": json_text(item.value)}
    return row


def _span_row(info: TraceInfo, span: Span) -> Row:
    head = span.head
    usage, cost = head.token_usage, head.cost
    duration_ns = None if head.end_time_ns is None else head.end_time_ns - head.start_time_ns
    return {
        "trace_id": head.trace_id,
        "span_id": head.span_id,
        "parent_span_id": head.parent_span_id,
        "experiment_id": info.experiment_id,
        "session_id": info.session_id,
        "user": info.user,
        "name": head.name,
        "span_type": head.span_type,
        "start_time": _micros(head.start_time_ns),
        "end_time": None if head.end_time_ns is None else _micros(head.end_time_ns),
        "duration_ms": None if duration_ns is None else duration_ns / 1e6,
        "status": str(head.status),
        "status_message": span.status_message,
        "model": head.model,
        "provider": head.provider,
        "tool": head.tool,
        "error": head.error,
        "input_tokens": usage and usage.input_tokens,
        "output_tokens": usage and usage.output_tokens,
        "total_tokens": usage and usage.total_tokens,
        "cache_read_input_tokens": usage and usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage and usage.cache_creation_input_tokens,
        "input_cost": cost and cost.input_cost,
        "output_cost": cost and cost.output_cost,
        "total_cost": cost and cost.total_cost,
        "inputs": _optional_json(span.inputs),
        "outputs": _optional_json(span.outputs),
        "attributes": _json_map(span.attributes),
        "events": [
            {
                "name": event.name,
                "time": _micros(event.time_ns),
                "attributes": _json_map(event.attributes),
            }
            for event in span.events
        ],
        "links": [
            {
                "trace_id": link.trace_id,
                "span_id": link.span_id,
                "attributes": _json_map(link.attributes),
            }
            for link in span.links
        ],
        "kind": span.kind,
        "resource": _json_map(span.resource),
        "scope_name": span.scope_name,
        "scope_version": span.scope_version,
        "request_date": datetime.fromtimestamp(info.request_time_ns // 10**9, UTC).date(),
    }
