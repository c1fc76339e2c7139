"""Rows of the Delta tables back to the entities they were made of, as far as the tables tell."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from tracelake.model.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    Cost,
    JsonValue,
    SourceType,
    Span,
    SpanEvent,
    SpanHead,
    SpanStatus,
    TokenUsage,
    TraceInfo,
    TraceState,
)
from tracelake.model.jsonvalue import as_object

Row = dict[str, Any]

TRACE_COLUMNS: Final = (
    "t.trace_id, t.client_request_id, epoch_us(t.request_time) AS request_time_us, t.state, "
    "t.execution_duration_ms, t.request_preview, t.response_preview, t.trace_metadata, t.tags, "
    "t.assessments"
)
"""What `trace_of` reads of `traces t`, beside `experiment_id` and `session`."""
SPAN_COLUMNS: Final = (
    "s.trace_id, s.span_id, s.parent_span_id, s.name, s.span_type, s.status, s.status_message, "
    "epoch_us(s.start_time) AS start_us, s.duration_ms, s.model, s.provider, s.tool, s.error, "
    "s.input_tokens, s.output_tokens, s.total_tokens, s.cache_read_input_tokens, "
    "s.cache_creation_input_tokens, s.input_cost, s.output_cost, s.total_cost, s.inputs, "
    "s.outputs, s.attributes, s.events, s.kind, s.scope_name, s.scope_version"
)
"""What `span_of` reads of `spans s`."""


def trace_of(row: Row) -> TraceInfo:
    duration_ms = row["execution_duration_ms"]
    metadata: dict[str, str] = row["trace_metadata"]
    usage = as_object(_json(metadata.get("mlflow.trace.tokenUsage")))
    cost = as_object(_json(metadata.get("mlflow.trace.cost")))
    return TraceInfo(
        trace_id=row["trace_id"],
        experiment_id=row["experiment_id"],
        state=TraceState(row["state"]),
        request_time_ns=row["request_time_us"] * 1000,
        execution_duration_ns=None if duration_ms is None else duration_ms * 1_000_000,
        name=row["tags"].get("mlflow.traceName"),
        request_preview=row["request_preview"],
        response_preview=row["response_preview"],
        client_request_id=row["client_request_id"],
        session_id=row["session"],
        user=metadata.get("mlflow.trace.user"),
        tags=row["tags"],
        trace_metadata=metadata,
        token_usage=TokenUsage(**usage) if usage else None,
        cost=Cost(**cost) if cost else None,
        assessments=tuple(assessment_of(item) for item in row["assessments"] if item["valid"]),
    )


def assessment_of(item: Row) -> Assessment:
    feedback, expectation = item["feedback"], item["expectation"]
    error: Row | None = None
    if feedback is not None:
        value, error = _json(feedback["value"]), feedback["error"]
    elif expectation["serialized_value"] is not None:
        value = _json(expectation["serialized_value"]["value"])
    else:
        value = _json(expectation["value"])
    return Assessment(
        assessment_id=item["assessment_id"],
        trace_id=item["trace_id"],
        name=item["name"],
        kind="feedback" if feedback is not None else "expectation",
        value=value,
        source=AssessmentSource(
            SourceType(item["source"]["source_type"]), item["source"]["source_id"]
        ),
        create_time_ms=_ms(item["create_time"]),
        last_update_time_ms=_ms(item["last_update_time"]),
        span_id=item["span_id"],
        rationale=item["rationale"],
        metadata=item["metadata"],
        error=AssessmentError(**error) if error else None,
        valid=item["valid"],
    )


def span_of(row: Row) -> Span:
    """A span without its links and resource, which no filter looks at.

    Its end is reckoned from its duration, which is exact to the nanosecond where the times are not.
    """
    start_ns, duration_ms = row["start_us"] * 1000, row["duration_ms"]
    usage = [row[name] for name in _USAGE]
    cost = [row[name] for name in _COST]
    return Span(
        head=SpanHead(
            trace_id=row["trace_id"],
            span_id=row["span_id"],
            parent_span_id=row["parent_span_id"],
            name=row["name"],
            span_type=row["span_type"],
            start_time_ns=start_ns,
            end_time_ns=None if duration_ms is None else start_ns + round(duration_ms * 1e6),
            status=SpanStatus(row["status"]),
            model=row["model"],
            provider=row["provider"],
            token_usage=None if row["total_tokens"] is None else TokenUsage(*usage),
            cost=None if row["total_cost"] is None else Cost(*cost),
            tool=row["tool"],
            error=row["error"],
        ),
        inputs=_json(row["inputs"]),
        outputs=_json(row["outputs"]),
        attributes=_json_values(row["attributes"]),
        events=tuple(
            SpanEvent(told["name"], _ms(told["time"]) * 1_000_000, _json_values(told["attributes"]))
            for told in row["events"]
        ),
        links=(),
        status_message=row["status_message"],
        kind=row["kind"],
        resource={},
        scope_name=row["scope_name"],
        scope_version=row["scope_version"],
    )


_USAGE: Final = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_COST: Final = ("input_cost", "output_cost", "total_cost")


def _json_values(values: dict[str, str]) -> dict[str, JsonValue]:
    return {key: _json(text) for key, text in values.items()}


def _json(text: str | None) -> JsonValue:
    return None if text is None else json.loads(text)


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
