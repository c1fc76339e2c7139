"""The seam of the store: one small protocol per noun, and what each promises.

Promises that hold for all of them, on every engine:

* A method that writes returns after its transaction is durable (fsync), or raises and has changed
  nothing.
* There is one writer at a time per database, across processes. `seq` numbers are handed out inside
  that writer's transaction, so a reader that has seen `seq` n will never see a smaller one appear
  (decision 001).
* Methods block; call them from a thread. Objects returned are the caller's own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpMessage

from tracelake.model.entities import (
    Assessment,
    AssessmentError,
    AssessmentSource,
    Cost,
    Experiment,
    JsonValue,
    Span,
    SpanHead,
    TokenUsage,
    TraceInfo,
    TraceState,
)

Item = TypeVar("Item")


@dataclass(slots=True)
class SpanRow:
    """The columns of one span. Ids are raw bytes; its payload is in a chunk, at `position`."""

    span_id: bytes
    parent_id: bytes | None
    name: str
    span_type: str
    status: str
    start_ns: int
    end_ns: int | None
    position: int
    model: str | None = None
    provider: str | None = None
    usage: TokenUsage | None = None
    cost: Cost | None = None
    tool: str | None = None
    """Name of the tool that a TOOL span called."""
    error: str | None = None
    """What went wrong, where the status is ERROR: "Type: message", or the part that is known."""
    chunk: int = 0
    """Which of the part's chunks."""


@dataclass(slots=True)
class TraceFacts:
    """What spans say about the whole trace. None and absent keys mean "nothing said"."""

    name: str | None = None
    session_id: str | None = None
    user: str | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    metadata: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class LargeValue:
    """A value taken out of a span of a chunk (store/large.py)."""

    position: int
    place: tuple[int, ...]
    kind: str
    """`text`, `bytes`, or `value` for an array or a map."""
    size_bytes: int
    head: str
    pieces: list[bytes]
    """Packed."""


@dataclass(slots=True)
class Chunk:
    """The packed payload of some spans, and what is too large to be in it."""

    payload: bytes
    large: list[LargeValue] = field(default_factory=list[LargeValue])


@dataclass(slots=True)
class TracePart:
    """What one request brought of one trace."""

    trace_id: bytes
    experiment_id: int
    spans: list[SpanRow]
    chunks: list[Chunk]
    root_facts: TraceFacts | None
    """From the earliest span without a parent in this part. Where it is the trace's root, it wins
    over every other span; where an earlier one is, it is like the others."""
    facts: TraceFacts | None
    """From the other spans."""
    root_id: bytes | None = None
    """Who says `root_facts`."""

    @property
    def size_bytes(self) -> int:
        """Of its packed payload."""
        return sum(
            len(chunk.payload) + sum(len(piece) for value in chunk.large for piece in value.pieces)
            for chunk in self.chunks
        )


class SpanWriter(Protocol):
    def write(self, parts: Sequence[TracePart]) -> None:
        """Store all parts in one transaction and bring the summaries of their traces up to date.

        Idempotent on (trace id, span id): a span that comes again replaces itself. Spans may come
        in any order, late, or without a root. A trace stays in the experiment that it was first
        seen in. Raises NotFound for an experiment that does not exist, and then stores nothing.
        It can be read when this returns; it is durable when `sync` has returned.
        """
        ...

    def sync(self) -> None:
        """Wait until all that was written before is durable. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class TracePage:
    traces: list[TraceInfo]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class SkeletonPage:
    """Spans without payloads in columns of equal length: the n-th item of each is of one span.

    Times start at `base_ns`, the start of the page's first span. Names, types, statuses, models,
    providers and errors are numbers of `words`.
    """

    span_count: int
    """Of the whole trace."""
    base_ns: int
    words: Sequence[str]
    span_id: Sequence[str]
    parent_span_id: Sequence[str | None]
    start_ns: Sequence[int]
    duration_ns: Sequence[int | None]
    name: Sequence[int]
    span_type: Sequence[int]
    status: Sequence[int]
    model: Sequence[int | None]
    provider: Sequence[int | None]
    error: Sequence[int | None]
    input_tokens: Sequence[int | None]
    output_tokens: Sequence[int | None]
    total_tokens: Sequence[int | None]
    total_cost: Sequence[float | None]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class SpanPage:
    spans: list[Span]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class SpanContent:
    """One value of a span as bytes."""

    media_type: str
    size_bytes: int
    version: str
    """Another one when the span was replaced by one that came again."""
    read: Callable[[int, int], Iterator[bytes]]
    """Bytes from a first, inclusive, to a last, exclusive. Raises NotFound when the trace was
    deleted meanwhile."""


@dataclass(frozen=True, slots=True)
class OtlpSpan:
    """A span as it came, and what was made of it."""

    head: SpanHead
    message: OtlpMessage


@dataclass(frozen=True, slots=True)
class WholeTrace:
    info: TraceInfo
    """With all its assessments, valid or not."""
    spans: list[OtlpSpan]
    """As they came, with their large values: roots first, then by start."""


class TraceReader(Protocol):
    def get_trace(self, trace_id: str) -> TraceInfo:
        """Info of one trace with its valid assessments. Raises NotFound."""
        ...

    def get_traces(self, trace_ids: Sequence[str]) -> list[TraceInfo]:
        """Those of some traces that are there, in this order."""
        ...

    def find_traces(
        self,
        *,
        experiment_ids: Sequence[str] | None = None,
        filter: str = "",
        order_by: Sequence[str] = (),
        max_results: int = 100,
        page_token: str | None = None,
    ) -> TracePage:
        """A keyset page of traces that match, newest first unless `order_by` says otherwise.

        `experiment_ids` None means all. Raises InvalidFilter, InvalidInput (order, token).
        """
        ...

    def get_skeleton(
        self, trace_id: str, *, max_results: int = 1000, page_token: str | None = None
    ) -> SkeletonPage:
        """The tree without payloads, by start time. Raises NotFound."""
        ...

    def get_spans(
        self, trace_id: str, *, max_results: int = 200, page_token: str | None = None
    ) -> SpanPage:
        """Spans with their payloads, by start time; a marker stands for each large value.

        A marker is {"$large": {"type", "field", "head", "size_bytes"}}. Raises NotFound.
        """
        ...

    def get_span(self, trace_id: str, span_id: str, *, whole: bool = False) -> Span:
        """One span; with `whole`, every value as it came, otherwise with markers as `get_spans`.

        Raises NotFound.
        """
        ...

    def get_whole(self, trace_ids: Sequence[str]) -> list[WholeTrace]:
        """Those of some traces that are there, in this order, as one moment has them."""
        ...

    def get_content(self, trace_id: str, span_id: str, field: str) -> SpanContent:
        """One value of a span, large or not, as bytes to be read by range.

        `field` is `inputs`, `outputs`, `attributes.<key>` or `events.<index>.<key>`. Text is UTF-8,
        bytes are themselves, any other value is JSON. Raises NotFound.
        """
        ...


@dataclass(frozen=True, slots=True)
class SessionSummary:
    session_id: str
    experiment_id: str
    user: str | None
    trace_count: int
    error_count: int
    """Traces of the session in state ERROR."""
    first_request_time_ns: int
    last_request_time_ns: int
    token_usage: TokenUsage | None
    cost: Cost | None
    first_request_preview: str | None
    last_response_preview: str | None


@dataclass(frozen=True, slots=True)
class SessionPage:
    sessions: list[SessionSummary]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class MetricQuery:
    metric: str
    aggregations: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    experiment_ids: tuple[str, ...] | None = None
    filter: str = ""
    bucket_seconds: int | None = None
    by_month: bool = False
    """Buckets are the months of UTC, instead of so many seconds."""
    start_time_ms: int | None = None
    end_time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MetricPoint:
    time_ms: int | None
    """Start of the bucket; None where no bucket was asked for."""
    dimensions: dict[str, str | None]
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of every group."""

    metric: str
    aggregation: str


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """Groups of the traces that match, each with some measures, the largest first."""

    measures: tuple[Measure, ...]
    """The groups are ordered by the first."""
    dimensions: tuple[str, ...]
    experiment_ids: tuple[str, ...] | None = None
    filter: str = ""
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    max_groups: int = 100
    smallest_first: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    dimensions: dict[str, str | None]
    values: list[float | None]
    """In the order of the measures; None where there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class GroupPage:
    groups: list[Group]
    group_count: int
    """Of all groups, told or not."""


class Analytics(Protocol):
    def find_sessions(
        self,
        *,
        experiment_ids: Sequence[str] | None = None,
        filter: str = "",
        max_results: int = 100,
        page_token: str | None = None,
    ) -> SessionPage:
        """Sessions of the traces that match, latest activity first. Raises InvalidFilter."""
        ...

    def query_metric(self, query: MetricQuery) -> list[MetricPoint]:
        """Aggregates over matching traces, by bucket and dimensions. Empty buckets are left out.

        Costs are sums of doubles in no fixed order; all else is exact. Percentiles interpolate
        linearly. Raises InvalidInput naming the valid words.
        """
        ...

    def find_groups(self, query: GroupQuery) -> GroupPage:
        """Several metrics of the same groups, as of one moment. Raises as `query_metric`."""
        ...


@dataclass(frozen=True, slots=True)
class FacetQuery:
    fields: tuple[str, ...] = ()
    filter: str = ""
    experiment_ids: tuple[str, ...] | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    prefix: str = ""
    """Only values that begin with it, in upper or lower case."""
    max_values: int = 20


@dataclass(frozen=True, slots=True)
class FacetValue:
    value: str
    count: int
    """Traces that have it."""


@dataclass(frozen=True, slots=True)
class Facet:
    field: str
    values: list[FacetValue]
    """The most frequent first."""
    value_count: int
    """How many different ones there are."""
    is_exact: bool
    """False where the filter asks for payloads, or much is newer than the index."""


@dataclass(frozen=True, slots=True)
class Total:
    count: int
    is_exact: bool
    """False where it is an estimate: for a filter on payloads, more than match."""


class Facets(Protocol):
    def find(self, query: FacetQuery) -> list[Facet]:
        """The values of each field among the traces that match. Raises InvalidFilter,
        InvalidInput naming the valid fields."""
        ...

    def count(self, query: FacetQuery) -> Total:
        """How many traces match. Raises InvalidFilter."""
        ...


@dataclass(frozen=True, slots=True)
class NewAssessment:
    name: str
    kind: str
    """`feedback`, `expectation` or `issue`."""
    value: JsonValue
    source: AssessmentSource
    rationale: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    span_id: str | None = None
    error: AssessmentError | None = None
    overrides: str | None = None
    create_time_ms: int | None = None
    """Now, where it is None."""


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What a client says of a trace beside its spans. None and absent keys say nothing."""

    trace_id: str
    experiment_id: str
    request_time_ns: int
    execution_duration_ns: int | None = None
    state: TraceState | None = None
    name: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    client_request_id: str | None = None
    session_id: str | None = None
    user: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    assessments: Sequence[NewAssessment] = ()


class ClientInfos(Protocol):
    def put(self, told: ClientInfo) -> TraceInfo:
        """Keep what a client says of a trace, before or after its spans, once or again: tags and
        metadata are added to those that are there, all else wins over what spans say, the
        experiment too. Times count while there are no spans. Raises NotFound for an unknown
        experiment, InvalidInput.
        """
        ...

    def link_to_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        """Have `run_id` find these traces, as it finds those of the run itself; ids that are not
        there are passed over. Raises InvalidInput."""
        ...

    def link_prompts(self, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        """Have `prompt` find it by these names and versions. Raises NotFound."""
        ...


class TraceEditor(Protocol):
    def set_tag(self, trace_id: str, key: str, value: str) -> TraceInfo:
        """Set one tag; a value over 4096 characters is cut. Raises NotFound, InvalidInput."""
        ...

    def delete_tag(self, trace_id: str, key: str) -> None:
        """Remove one tag. Raises NotFound when the trace or the tag is not there."""
        ...


@dataclass(frozen=True, slots=True)
class AssessmentChange:
    """Fields to change; an absent key of `fields` stays as it is."""

    fields: Mapping[str, Any]


class Assessments(Protocol):
    def get(self, trace_id: str, assessment_id: str) -> Assessment:
        """Raises NotFound."""
        ...

    def of_traces(self, trace_ids: Sequence[str]) -> Mapping[str, Sequence[Assessment]]:
        """All of them, those that another overrides too, oldest first."""
        ...

    def add(self, trace_id: str, new: NewAssessment) -> Assessment:
        """Add to a trace. One that overrides another makes that one invalid. Raises NotFound."""
        ...

    def update(self, trace_id: str, assessment_id: str, change: AssessmentChange) -> Assessment:
        """Change name, value, error, rationale or metadata. Raises NotFound, InvalidInput."""
        ...

    def delete(self, trace_id: str, assessment_id: str) -> None:
        """Remove; the one it overrode becomes valid again. Raises NotFound."""
        ...


class View(StrEnum):
    """Which of the things that can be deleted and restored a list shows."""

    ACTIVE = "active"
    DELETED = "deleted"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A page of a list of anything but traces."""

    filter: str = ""
    """Comparisons joined by AND."""
    order_by: tuple[str, ...] = ()
    """Keys with ASC or DESC; newest first without."""
    max_results: int = 1000
    page_token: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    items: list[Item]
    next_page_token: str | None


class Experiments(Protocol):
    """Experiment "0", named Default, always exists."""

    def create(
        self, name: str, tags: Mapping[str, str], artifact_location: str | None = None
    ) -> Experiment:
        """Raises AlreadyExists for a name that is taken, by a deleted experiment too, InvalidInput
        for an empty one, and for a tag of retention that is not a whole number."""
        ...

    def get(self, experiment_id: str) -> Experiment:
        """Raises NotFound."""
        ...

    def get_by_name(self, name: str) -> Experiment:
        """Raises NotFound."""
        ...

    def update(
        self, experiment_id: str, *, name: str | None = None, tags: Mapping[str, str | None] = ...
    ) -> Experiment:
        """Rename it, and set the tags given; None takes a tag away.

        Raises NotFound, AlreadyExists for a name that is taken, InvalidInput.
        """
        ...

    def delete(self, experiment_id: str) -> None:
        """Hide it and its runs until it is restored; what is in it stays. Raises NotFound, also
        where it is deleted."""
        ...

    def restore(self, experiment_id: str) -> None:
        """Raises NotFound, also where it is not deleted."""
        ...

    def find(self, query: ListQuery, view: View = View.ACTIVE) -> Page[Experiment]:
        """Filters know name, creation_time, last_update_time and tags. Raises InvalidFilter,
        InvalidInput."""
        ...


class Leases(Protocol):
    """Who runs a background job. A lease ends by release or by time, whichever is first."""

    def acquire(self, name: str, holder: str, ttl_s: float) -> bool:
        """Take or renew the lease; False while another holder has it."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give it back; nothing happens when `holder` does not have it."""
        ...


@dataclass(frozen=True, slots=True)
class TraceChange:
    seq: int
    """Number of the latest change to this trace. Unique, and grows with every change."""
    info: TraceInfo
    """With all assessments, invalid ones too."""
    spans: list[Span]
    first_seq: int
    """The first `seq` this trace has had: a reader that has seen all up to n and meets a trace with
    `first_seq` above n meets it for the first time."""


class Changes(Protocol):
    def read(self, after_seq: int, *, max_traces: int, max_spans: int) -> list[TraceChange]:
        """Traces whose latest change is after `after_seq`, in order of `seq`.

        At most `max_traces`, and no more once `max_spans` spans are gathered (always at least one
        trace, whole). A trace that changes again is returned again later under its new number, so
        reading from the last number seen until the list is empty sees every change. All of it is
        durable.
        """
        ...

    def last_seq(self) -> int:
        """The number of the latest change ever made, 0 in an empty store."""
        ...
