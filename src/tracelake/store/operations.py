"""The seam of the store, continued: what lets traces go, and what tells of them as they change.

The promises that `api.py` begins with hold here, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tracelake.model.entities import SpanHead, TraceInfo
from tracelake.model.filters.evaluate import Evidence

KeepGoing = Callable[[], bool]
"""Asked between two transactions of a long work; False ends the work."""


@dataclass(frozen=True, slots=True)
class TraceScope:
    """Which traces to delete: those that fit all that is given."""

    trace_ids: tuple[str, ...] | None = None
    experiment_ids: tuple[str, ...] | None = None
    filter: str = ""
    until_ms: int | None = None
    """Milliseconds since 1970: only traces whose request began then or before."""
    until_seq: int | None = None
    """Traces that changed after this number are passed over, though `max_traces` counts them."""
    max_traces: int | None = None
    """The oldest so many."""


@dataclass(frozen=True, slots=True)
class Deleted:
    traces: int
    is_complete: bool
    """False when the work was ended before it had deleted all."""


class TraceDeletion(Protocol):
    """Deleting in transactions of a few hundredths of a second, with the writer free in between.

    It can be killed and started again at any point: what is gone is gone whole. A span that comes
    after its trace was deleted makes a new trace of what came. The Delta tables keep what they
    have.
    """

    def count(self, scope: TraceScope) -> int:
        """How many traces `delete` would remove now. Raises InvalidFilter, InvalidInput."""
        ...

    def delete(self, scope: TraceScope, keep_going: KeepGoing = ...) -> Deleted:
        """Remove traces with their spans, payloads and assessments.

        An id that is not there is passed over. Raises InvalidFilter, InvalidInput, and InvalidInput
        for a scope that names nothing, which would be every trace.
        """
        ...

    def give_back(self, keep_going: KeepGoing = ...) -> int:
        """Return disk that deletion has freed to the system; the bytes.

        A twentieth of the file stays for what comes next. On PostgreSQL this does nothing:
        autovacuum makes the space usable again.
        """
        ...


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What an experiment keeps. None means all."""

    days: int | None = None
    traces: int | None = None
    """The newest so many."""


@dataclass(frozen=True, slots=True)
class Retired:
    by_age: int
    by_count: int


class Retention(Protocol):
    def enforce(
        self,
        default: RetentionPolicy,
        *,
        synced_seq: Callable[[], int] | None = None,
        keep_going: KeepGoing = ...,
    ) -> Retired:
        """Delete what no policy keeps, experiment by experiment, as `TraceDeletion.delete`.

        An experiment's tags `tracelake.retention.days` and `tracelake.retention.traces` come before
        `default`; 0 there keeps all. Traces that changed after `synced_seq()` stay; it is asked
        once, and only where something may go.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChangedTrace:
    """A trace without its spans, as it is after change `seq`."""

    seq: int
    info: TraceInfo
    position: int
    """Where the spans that it has by then end, for `Live.read_spans`."""


@dataclass(frozen=True, slots=True)
class NewSpans:
    trace: ChangedTrace
    spans: list[SpanHead]
    """Spans that came or changed since the position asked for; empty where `is_cut`."""
    is_cut: bool
    """True where there were more than asked for: load the trace again."""


class Live(Protocol):
    """What changes, told at once to every process that asks."""

    def wait(self, after_seq: int, timeout_s: float) -> int:
        """Return the latest change number once it is above `after_seq`, or when time is up.

        For one caller at a time. Raises Unavailable; the next call connects again.
        """
        ...

    def read(self, after_seq: int, *, max_traces: int) -> list[ChangedTrace]:
        """Traces whose latest change is after `after_seq`, in order of `seq`, as `Changes.read`."""
        ...

    def evidence(self, info: TraceInfo) -> Evidence:
        """What filters are decided on; what costs a read is read once, when first asked for."""
        ...

    def read_spans(self, trace_id: str, after: int | None, *, max_spans: int) -> NewSpans:
        """The trace as it is now, and spans after a position; None means no spans, 0 all.

        A position is of one life of a trace: where it was deleted since and spans made it anew,
        the answer is cut. Raises NotFound.
        """
        ...

    def close(self) -> None:
        """Let go of the connection that listens, where there is one."""
        ...
