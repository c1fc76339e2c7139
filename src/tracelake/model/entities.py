"""The nouns of the product, as MLflow 3 defines them (schema version 3), free of storage and wire.

Times are integers: `_ns` are nanoseconds since the Unix epoch, `_ms` milliseconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

JsonValue = Any
"""A value JSON can carry: None, bool, int, float, str, list or dict of these."""


class TraceState(StrEnum):
    OK = "OK"
    ERROR = "ERROR"
    IN_PROGRESS = "IN_PROGRESS"


class SpanStatus(StrEnum):
    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"


class SpanType(StrEnum):
    """The known types. A span may carry any other string as its type."""

    AGENT = "AGENT"
    CHAT_MODEL = "CHAT_MODEL"
    LLM = "LLM"
    TOOL = "TOOL"
    RETRIEVER = "RETRIEVER"
    CHAIN = "CHAIN"
    EMBEDDING = "EMBEDDING"
    RERANKER = "RERANKER"
    PARSER = "PARSER"
    MEMORY = "MEMORY"
    WORKFLOW = "WORKFLOW"
    TASK = "TASK"
    GUARDRAIL = "GUARDRAIL"
    EVALUATOR = "EVALUATOR"
    UNKNOWN = "UNKNOWN"


class SourceType(StrEnum):
    HUMAN = "HUMAN"
    LLM_JUDGE = "LLM_JUDGE"
    CODE = "CODE"


class TokenUsage(NamedTuple):
    """Tokens of one model call or one trace. `input_tokens` includes the cached ones."""

    # Several are made for every span: a tuple takes a third of the time of a frozen dataclass.

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    """None where nobody told them, which is not to say that there were none."""

    def __add__(self, other: "TokenUsage") -> "TokenUsage":  # pyright: ignore[reportIncompatibleMethodOverride]
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.total_tokens + other.total_tokens,
            _sum(self.cache_read_input_tokens, other.cache_read_input_tokens),
            _sum(self.cache_creation_input_tokens, other.cache_creation_input_tokens),
        )

    def to_json(self) -> dict[str, int]:
        """The `mlflow.chat.tokenUsage` shape: cache keys only where they were told."""
        shape = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
        }
        if self.cache_read_input_tokens is not None:
            shape["cache_read_input_tokens"] = self.cache_read_input_tokens
        if self.cache_creation_input_tokens is not None:
            shape["cache_creation_input_tokens"] = self.cache_creation_input_tokens
        return shape


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


class Cost(NamedTuple):
    """US dollars."""

    input_cost: float = 0.0
    output_cost: float = 0.0
    total_cost: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":  # pyright: ignore[reportIncompatibleMethodOverride]
        return Cost(
            self.input_cost + other.input_cost,
            self.output_cost + other.output_cost,
            self.total_cost + other.total_cost,
        )

    def to_json(self) -> dict[str, float]:
        return {
            "input_cost": self.input_cost,
            "output_cost": self.output_cost,
            "total_cost": self.total_cost,
        }


@dataclass(frozen=True, slots=True)
class Experiment:
    experiment_id: str
    name: str
    tags: dict[str, str]
    creation_time_ms: int
    last_update_time_ms: int
    artifact_location: str | None = None
    """A URI; None for the server's own place."""
    is_deleted: bool = False


class RunStatus(StrEnum):
    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True, slots=True)
class Metric:
    key: str
    value: float
    """May be NaN or infinite."""
    timestamp_ms: int
    step: int
    model_id: str | None = None
    """The logged model that it measures, and on which dataset."""
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None
    """Only where it is told with its model."""


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A dataset that a run read. `source`, `schema` and `profile` are texts of the client's."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class ModelOutput:
    model_id: str
    step: int


@dataclass(frozen=True, slots=True)
class Run:
    run_id: str
    experiment_id: str
    name: str
    user_id: str
    status: RunStatus
    start_time_ms: int
    end_time_ms: int | None
    is_deleted: bool
    artifact_location: str | None
    """Of its experiment."""
    params: dict[str, str]
    tags: dict[str, str]
    metrics: tuple[Metric, ...]
    """The latest of each key."""
    datasets: tuple[DatasetInput, ...]
    model_inputs: tuple[str, ...]
    """Ids of logged models."""
    model_outputs: tuple[ModelOutput, ...]


@dataclass(frozen=True, slots=True)
class LoggedModel:
    model_id: str
    experiment_id: str
    name: str
    model_type: str
    source_run_id: str | None
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: tuple[Metric, ...]
    creation_time_ms: int
    last_update_time_ms: int
    artifact_location: str | None
    """Of its experiment."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    name: str
    version: int
    description: str
    source: str
    run_id: str | None
    run_link: str
    model_id: str | None
    status: str
    stage: str
    user_id: str
    tags: dict[str, str]
    aliases: tuple[str, ...]
    creation_time_ms: int
    last_update_time_ms: int


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    name: str
    description: str
    tags: dict[str, str]
    aliases: dict[str, int]
    """To versions."""
    latest_versions: tuple[ModelVersion, ...]
    """Of each stage."""
    creation_time_ms: int
    last_update_time_ms: int


@dataclass(frozen=True, slots=True)
class AssessmentSource:
    source_type: SourceType
    source_id: str = "default"


@dataclass(frozen=True, slots=True)
class AssessmentError:
    error_code: str
    error_message: str | None = None
    stack_trace: str | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Feedback or Expectation. `kind` says which; `error` is only for feedback that failed."""

    assessment_id: str
    trace_id: str
    name: str
    kind: str
    """`feedback` or `expectation`."""
    value: JsonValue
    source: AssessmentSource
    create_time_ms: int
    last_update_time_ms: int
    span_id: str | None = None
    rationale: str | None = None
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    error: AssessmentError | None = None
    overrides: str | None = None
    valid: bool = True


@dataclass(frozen=True, slots=True)
class TraceInfo:
    """What is known of a trace without its payloads."""

    trace_id: str
    experiment_id: str
    state: TraceState
    request_time_ns: int
    execution_duration_ns: int | None
    """None while the root span has not arrived."""
    name: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    client_request_id: str | None = None
    session_id: str | None = None
    user: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    trace_metadata: dict[str, str] = field(default_factory=dict[str, str])
    token_usage: TokenUsage | None = None
    cost: Cost | None = None
    span_count: int = 0
    error_count: int = 0
    """Spans of the trace with status ERROR."""
    assessments: tuple[Assessment, ...] = ()


@dataclass(frozen=True, slots=True)
class SpanEvent:
    name: str
    time_ns: int
    attributes: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class SpanLink:
    trace_id: str
    span_id: str
    attributes: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class SpanHead:
    """A span without its payloads: one row of the tree."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    span_type: str
    start_time_ns: int
    end_time_ns: int | None
    status: SpanStatus
    model: str | None = None
    provider: str | None = None
    token_usage: TokenUsage | None = None
    cost: Cost | None = None
    tool: str | None = None
    """Name of the tool that a TOOL span called."""
    error: str | None = None
    """What went wrong, on one line, where the status is ERROR."""


@dataclass(frozen=True, slots=True)
class Span:
    """A whole span: its head, what the conventions say of it, and its raw attributes as sent."""

    head: SpanHead
    inputs: JsonValue
    outputs: JsonValue
    attributes: dict[str, JsonValue]
    """Typed values. What JSON cannot carry is tagged: {"$bytes": base64}, {"$double": "NaN"}."""
    events: tuple[SpanEvent, ...]
    links: tuple[SpanLink, ...]
    status_message: str
    kind: str
    resource: dict[str, JsonValue]
    scope_name: str
    scope_version: str
