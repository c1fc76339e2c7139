"""What reading gives back: a trace with its info and its spans, shaped as MLflow's objects are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracelake.model.entities import (
    AssessmentError,
    AssessmentSource,
    SourceType,
    SpanStatus,
    TraceState,
)
from tracelake.sdk.encode import untag


@dataclass(frozen=True, slots=True)
class Assessment:
    """Feedback or an expectation. One that is still on its way has an empty `assessment_id`."""

    name: str
    value: Any
    kind: str
    """`feedback` or `expectation`."""
    trace_id: str
    source: AssessmentSource
    assessment_id: str = ""
    span_id: str | None = None
    rationale: str | None = None
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    error: AssessmentError | None = None
    overrides: str | None = None
    valid: bool = True
    create_time: str | None = None
    """RFC 3339, as `last_update_time`."""
    last_update_time: str | None = None

    @classmethod
    def from_json(cls, shape: Mapping[str, Any]) -> "Assessment":
        feedback: Mapping[str, Any] | None = shape.get("feedback")
        body: Mapping[str, Any] = feedback or shape.get("expectation") or {}
        error: Mapping[str, Any] | None = body.get("error")
        source: Mapping[str, Any] = shape.get("source") or {}
        return cls(
            name=str(shape.get("name", "")),
            value=untag(body.get("value")),
            kind="expectation" if feedback is None else "feedback",
            trace_id=str(shape.get("trace_id", "")),
            source=AssessmentSource(
                SourceType(source.get("source_type", "CODE")), source.get("source_id", "default")
            ),
            assessment_id=str(shape.get("assessment_id", "")),
            span_id=shape.get("span_id"),
            rationale=shape.get("rationale"),
            metadata=dict(shape.get("metadata") or {}),
            error=None
            if error is None
            else AssessmentError(
                str(error.get("error_code", "")),
                error.get("error_message"),
                error.get("stack_trace"),
            ),
            overrides=shape.get("overrides"),
            valid=bool(shape.get("valid", True)),
            create_time=shape.get("create_time"),
            last_update_time=shape.get("last_update_time"),
        )


@dataclass(frozen=True, slots=True)
class SpanEvent:
    name: str
    timestamp: int
    """Nanoseconds since the epoch."""
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    span_type: str
    status: SpanStatus
    status_message: str
    start_time_ns: int
    end_time_ns: int | None
    inputs: Any
    outputs: Any
    attributes: dict[str, Any]
    events: tuple[SpanEvent, ...]
    model: str | None
    provider: str | None
    token_usage: dict[str, int] | None
    cost: dict[str, float] | None

    @classmethod
    def from_json(cls, shape: Mapping[str, Any]) -> "Span":
        return cls(
            trace_id=str(shape["trace_id"]),
            span_id=str(shape["span_id"]),
            parent_id=shape.get("parent_span_id"),
            name=str(shape["name"]),
            span_type=str(shape.get("span_type") or "UNKNOWN"),
            status=SpanStatus(shape.get("status") or "UNSET"),
            status_message=str(shape.get("status_message") or ""),
            start_time_ns=int(shape["start_time_unix_nano"]),
            end_time_ns=shape.get("end_time_unix_nano"),
            inputs=untag(shape.get("inputs")),
            outputs=untag(shape.get("outputs")),
            attributes=untag(shape.get("attributes") or {}),
            events=tuple(
                SpanEvent(
                    str(event["name"]),
                    int(event["time_unix_nano"]),
                    untag(event.get("attributes") or {}),
                )
                for event in shape.get("events") or ()
            ),
            model=shape.get("model"),
            provider=shape.get("provider"),
            token_usage=shape.get("token_usage"),
            cost=shape.get("cost"),
        )


@dataclass(frozen=True, slots=True)
class TraceInfo:
    trace_id: str
    experiment_id: str
    state: TraceState
    request_time: int
    """Milliseconds since the epoch."""
    execution_duration: float | None
    """Milliseconds; None while the root span has not arrived."""
    name: str | None
    request_preview: str | None
    response_preview: str | None
    client_request_id: str | None
    session_id: str | None
    user: str | None
    tags: dict[str, str]
    trace_metadata: dict[str, str]
    token_usage: dict[str, int] | None
    """input_tokens, output_tokens, total_tokens; None where no provider reported any."""
    cost: dict[str, float] | None
    """input_cost, output_cost, total_cost in US dollars."""
    span_count: int
    error_count: int
    assessments: list[Assessment]

    @classmethod
    def from_json(cls, shape: Mapping[str, Any]) -> "TraceInfo":
        began = datetime.fromisoformat(str(shape["request_time"]))
        return cls(
            trace_id=str(shape["trace_id"]),
            experiment_id=str(shape["experiment_id"]),
            state=TraceState(shape["state"]),
            request_time=int(began.timestamp() * 1000),
            execution_duration=shape.get("execution_duration_ms"),
            name=shape.get("name"),
            request_preview=shape.get("request_preview"),
            response_preview=shape.get("response_preview"),
            client_request_id=shape.get("client_request_id"),
            session_id=shape.get("session_id"),
            user=shape.get("user"),
            tags=dict(shape.get("tags") or {}),
            trace_metadata=dict(shape.get("trace_metadata") or {}),
            token_usage=shape.get("token_usage"),
            cost=shape.get("cost"),
            span_count=int(shape.get("span_count") or 0),
            error_count=int(shape.get("error_count") or 0),
            assessments=[Assessment.from_json(each) for each in shape.get("assessments") or ()],
        )


@dataclass(frozen=True, slots=True)
class TraceData:
    spans: list[Span]

    @property
    def root(self) -> Span | None:
        return next((span for span in self.spans if span.parent_id is None), None)

    @property
    def request(self) -> str | None:
        """The root span's inputs as JSON text."""
        return None if self.root is None else json.dumps(self.root.inputs, default=repr)

    @property
    def response(self) -> str | None:
        return None if self.root is None else json.dumps(self.root.outputs, default=repr)


@dataclass(frozen=True, slots=True)
class Trace:
    info: TraceInfo
    data: TraceData
    source: dict[str, Any] = field(repr=False)
    """The server's JSON this was read from: {"info": ..., "data": {"spans": [...]}}."""

    @classmethod
    def from_json(cls, info: dict[str, Any], spans: list[dict[str, Any]]) -> "Trace":
        return cls(
            TraceInfo.from_json(info),
            TraceData([Span.from_json(span) for span in spans]),
            {"info": info, "data": {"spans": spans}},
        )

    def search_spans(
        self, name: str | None = None, span_type: str | None = None, span_id: str | None = None
    ) -> list[Span]:
        """The spans for which everything given is true."""
        return [
            span
            for span in self.data.spans
            if (name is None or span.name == name)
            and (span_type is None or span.span_type == span_type)
            and (span_id is None or span.span_id == span_id)
        ]

    def to_dict(self) -> dict[str, Any]:
        return self.source

    def to_json(self) -> str:
        return json.dumps(self.source)
