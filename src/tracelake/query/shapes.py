"""The JSON of the API as pydantic models: requests are validated by them, answers documented."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tracelake.model.filters.parse import with_short


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


Text = Annotated[str, StringConstraints(max_length=100_000)]
Milliseconds = Annotated[int, Field(ge=0, lt=9 * 10**12)]
"""Since 1970."""


class NewExperiment(Request):
    name: Text
    tags: dict[str, str] = {}


class ExperimentPatch(Request):
    """Tags that are given are set, or taken away where null; others stay."""

    name: Text | None = None
    tags: dict[str, str | None] = {}


class ExperimentShape(BaseModel):
    experiment_id: str
    name: str
    tags: dict[str, str]
    creation_time_ms: int
    last_update_time_ms: int


class ExperimentList(BaseModel):
    experiments: list[ExperimentShape]
    next_page_token: str | None


class Usage(BaseModel):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_input_tokens: int | None = None
    """Absent where nobody told them."""
    cache_creation_input_tokens: int | None = None


class CostShape(BaseModel):
    """US dollars."""

    input_cost: float
    output_cost: float
    total_cost: float


class Source(Request):
    source_type: Literal["HUMAN", "LLM_JUDGE", "CODE"]
    source_id: Text = "default"


class FeedbackError(Request):
    error_code: Text
    error_message: Text | None = None
    stack_trace: Text | None = None


class Feedback(Request):
    value: Any = None
    error: FeedbackError | None = None


class Expectation(Request):
    value: Any


class NewAssessmentShape(Request):
    """Exactly one of `feedback` and `expectation`."""

    name: Text
    feedback: Feedback | None = None
    expectation: Expectation | None = None
    source: Source | None = None
    rationale: Text | None = None
    metadata: dict[str, str] = {}
    span_id: str | None = None
    overrides: str | None = None


class AssessmentPatch(Request):
    name: Text | None = None
    feedback: Feedback | None = None
    expectation: Expectation | None = None
    rationale: Text | None = None
    metadata: dict[str, str] | None = None


class AssessmentShape(BaseModel):
    assessment_id: str
    trace_id: str
    span_id: str | None
    name: str
    feedback: Feedback | None = None
    expectation: Expectation | None = None
    source: Source
    create_time: str
    last_update_time: str
    rationale: str | None
    metadata: dict[str, str]
    overrides: str | None
    valid: bool


class TraceShape(BaseModel):
    trace_id: str
    experiment_id: str
    name: str | None
    state: Literal["OK", "ERROR", "IN_PROGRESS"]
    request_time: str
    execution_duration_ms: float | None
    request_preview: str | None
    response_preview: str | None
    client_request_id: str | None
    session_id: str | None
    user: str | None
    tags: dict[str, str]
    trace_metadata: dict[str, str]
    token_usage: Usage | None
    cost: CostShape | None
    span_count: int
    error_count: int
    assessments: list[AssessmentShape]


class Filters(Request):
    """What is asked of the traces for which all of this holds."""

    q: Text | None = None
    """A filter in the short form, as people type it: `failed user:yara* cost:>0.02`."""
    filter: str | None = None
    """One in the grammar of MLflow."""

    @property
    def both(self) -> str:
        """Both filters as one. Raises InvalidFilter."""
        return with_short(self.filter, self.q)


class Filtered(Filters):
    experiment_ids: list[str] | None = None

    @property
    def experiments(self) -> tuple[str, ...] | None:
        return None if self.experiment_ids is None else tuple(self.experiment_ids)


class TraceSearch(Filtered):
    max_results: int = 100
    page_token: str | None = None
    order_by: list[str] = []


class TraceList(BaseModel):
    traces: list[TraceShape]
    next_page_token: str | None


class TraceDeletionShape(Filtered):
    """Either `trace_ids`, or any of `experiment_ids`, `filter`, `q` and `older_than_ms`, all of
    which must then hold."""

    trace_ids: Annotated[list[str], Field(max_length=100_000)] | None = None
    older_than_ms: Milliseconds | None = None
    """Milliseconds since 1970: traces whose request began then or before."""
    max_traces: Annotated[int, Field(ge=1)] | None = None
    """The oldest so many."""


class TracesDeleted(BaseModel):
    traces_deleted: int
    more: bool
    """True when time was up before all were deleted: send the same request again."""


class SpanEventShape(BaseModel):
    name: str
    time_unix_nano: int
    attributes: dict[str, Any]


class SpanLinkShape(BaseModel):
    trace_id: str
    span_id: str
    attributes: dict[str, Any]


class Scope(BaseModel):
    name: str
    version: str


class SpanShape(BaseModel):
    """Values JSON cannot carry are tagged: {"$bytes": base64}, {"$double": "NaN"}. For a value over
    64 KB stands {"$large": {"type", "field", "head", "size_bytes"}}."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    span_type: str
    start_time_unix_nano: int
    end_time_unix_nano: int | None
    status: Literal["UNSET", "OK", "ERROR"]
    model: str | None
    provider: str | None
    token_usage: Usage | None
    cost: CostShape | None
    tool: str | None
    """Name of the tool that a TOOL span called."""
    error: str | None
    """What went wrong, on one line, where the status is ERROR."""
    status_message: str
    kind: str
    inputs: Any
    outputs: Any
    attributes: dict[str, Any]
    events: list[SpanEventShape]
    links: list[SpanLinkShape]
    resource: dict[str, Any]
    scope: Scope


class SpanList(BaseModel):
    spans: list[SpanShape]
    next_page_token: str | None


class SkeletonShape(BaseModel):
    """The n-th item of every list is of one span. Times are from `base_ns`, in nanoseconds since
    1970; names, types, statuses, models, providers and errors are places in `words`."""

    span_count: int
    """Of the whole trace."""
    base_ns: int
    words: list[str]
    span_id: list[str]
    parent_span_id: list[str | None]
    start_ns: list[int]
    duration_ns: list[int | None]
    name: list[int]
    span_type: list[int]
    status: list[int]
    model: list[int | None]
    provider: list[int | None]
    error: list[int | None]
    input_tokens: list[int | None]
    output_tokens: list[int | None]
    total_tokens: list[int | None]
    total_cost: list[float | None]
    next_page_token: str | None


class Tag(Request):
    key: str
    value: str


class SessionSearch(Filtered):
    max_results: int = 100
    page_token: str | None = None


class SessionShape(BaseModel):
    session_id: str
    experiment_id: str
    user: str | None
    trace_count: int
    error_count: int
    first_request_time: str
    last_request_time: str
    token_usage: Usage | None
    cost: CostShape | None
    first_request_preview: str | None
    last_response_preview: str | None


class SessionList(BaseModel):
    sessions: list[SessionShape]
    next_page_token: str | None


class MetricSearch(Filtered):
    metric: str
    aggregations: list[str]
    dimensions: list[str] = []
    bucket_seconds: Annotated[int, Field(ge=1, le=10**8)] | None = None
    by_month: bool = False
    start_time_ms: Milliseconds | None = None
    end_time_ms: Milliseconds | None = None


class DataPoint(BaseModel):
    time_ms: int | None
    dimensions: dict[str, str | None]
    values: dict[str, float]


class DataPoints(BaseModel):
    data_points: list[DataPoint]


class ErrorShape(BaseModel):
    error_code: str
    message: str
    column: int | None = None
    """Only for a filter: where in its text, from 1."""
