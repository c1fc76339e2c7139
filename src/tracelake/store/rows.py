"""Rows to entities."""

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Row, Select

from tracelake.model.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    Cost,
    Experiment,
    SourceType,
    SpanHead,
    SpanStatus,
    TokenUsage,
    TraceInfo,
    TraceState,
)
from tracelake.model.ids import format_trace_id

AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]

SCHEMA_VERSION = "3"
"""The version of MLflow's trace schema that `trace_metadata` speaks."""


def usage_of(row: AnyRow) -> TokenUsage | None:
    """The five token columns, alike in `traces` and `spans`; None where they are NULL."""
    if row.total_tokens is None:
        return None
    return TokenUsage(
        row.input_tokens,
        row.output_tokens,
        row.total_tokens,
        row.cache_read_input_tokens,
        row.cache_creation_input_tokens,
    )


def cost_of(row: AnyRow) -> Cost | None:
    if row.total_cost is None:
        return None
    return Cost(row.input_cost, row.output_cost, row.total_cost)


def usage_values(usage: TokenUsage | None) -> tuple[int | None, ...]:
    """The five token columns of a row to write."""
    return _NO_USAGE if usage is None else usage


def cost_values(cost: Cost | None) -> tuple[float | None, ...]:
    """The three cost columns of a row to write."""
    return _NO_COST if cost is None else cost


_NO_USAGE: Final = (None,) * 5
_NO_COST: Final = (None,) * 3


def experiment_of(row: AnyRow) -> Experiment:
    return Experiment(
        experiment_id=str(row.experiment_id),
        name=row.name,
        tags=row.tags,
        creation_time_ms=row.creation_time_ms,
        last_update_time_ms=row.last_update_time_ms,
        artifact_location=row.artifact_location,
        is_deleted=row.is_deleted,
    )


def span_head_of(row: AnyRow, trace_id: str) -> SpanHead:
    return SpanHead(
        trace_id=trace_id,
        span_id=row.span_id.hex(),
        parent_span_id=row.parent_id.hex() if row.parent_id is not None else None,
        name=row.name,
        span_type=row.span_type,
        start_time_ns=row.start_ns,
        end_time_ns=row.end_ns,
        status=SpanStatus(row.status),
        model=row.model,
        provider=row.provider,
        token_usage=usage_of(row),
        cost=cost_of(row),
        tool=row.tool,
        error=row.error,
    )


def assessment_of(row: AnyRow, trace_id: str) -> Assessment:
    return Assessment(
        assessment_id=row.assessment_id,
        trace_id=trace_id,
        name=row.name,
        kind=row.kind,
        value=row.value,
        source=AssessmentSource(SourceType(row.source_type), row.source_id),
        create_time_ms=row.create_time_ms,
        last_update_time_ms=row.last_update_time_ms,
        span_id=row.span_id.hex() if row.span_id is not None else None,
        rationale=row.rationale,
        metadata=row.assessment_metadata,
        error=AssessmentError(**row.error) if row.error else None,
        overrides=row.overrides,
        valid=row.valid,
    )


def trace_of(row: AnyRow, assessments: Iterable[Assessment] = ()) -> TraceInfo:
    """The info of a trace. Facts that have a column are repeated in tags and metadata under the
    keys where MLflow's clients look for them."""
    usage, cost = usage_of(row), cost_of(row)
    told = {
        "mlflow.trace.session": row.session_id,
        "mlflow.trace.user": row.user_id,
        "mlflow.trace.tokenUsage": json.dumps(usage.to_json()) if usage else None,
        "mlflow.trace.cost": json.dumps(cost.to_json()) if cost else None,
        "mlflow.trace_schema.version": SCHEMA_VERSION,
    }
    tags = dict(row.tags)
    if row.name is not None:
        tags["mlflow.traceName"] = row.name
    return TraceInfo(
        trace_id=format_trace_id(row.trace_id),
        experiment_id=str(row.experiment_id),
        state=TraceState(row.state),
        request_time_ns=row.start_ns,
        execution_duration_ns=row.end_ns - row.start_ns if row.end_ns is not None else None,
        name=row.name,
        request_preview=row.request_preview,
        response_preview=row.response_preview,
        client_request_id=row.client_request_id,
        session_id=row.session_id,
        user=row.user_id,
        tags=tags,
        trace_metadata=row.trace_metadata
        | {key: value for key, value in told.items() if value is not None},
        token_usage=usage,
        cost=cost,
        span_count=row.span_count,
        error_count=row.error_count,
        assessments=tuple(assessments),
    )
