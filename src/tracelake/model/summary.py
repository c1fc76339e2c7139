"""What a trace is, computed from the spans that are there. Pure, and run again when more arrive."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tracelake.model.entities import Cost, SpanStatus, TokenUsage, TraceState

T = TypeVar("T", TokenUsage, Cost)


class SpanLike(Protocol):
    """The columns of a span that a summary needs."""

    @property
    def span_id(self) -> bytes: ...
    @property
    def parent_id(self) -> bytes | None: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int | None: ...
    @property
    def usage(self) -> TokenUsage | None: ...
    @property
    def cost(self) -> Cost | None: ...


@dataclass(slots=True)
class Summary:
    state: TraceState
    start_ns: int
    end_ns: int | None
    """Latest end of any span; None while no root span has ended."""
    root_span_id: bytes | None
    root_name: str | None
    span_count: int
    error_count: int
    usage: TokenUsage | None
    cost: Cost | None


def summarise(spans: Iterable[SpanLike]) -> Summary:
    """Summarise one trace from its spans, in any order, with or without a root.

    The root is the earliest span that has no parent. Usage and cost count only where no ancestor
    has one of its own, each judged separately (SPEC 3.2): an agent that reports totals hides its
    children.
    """
    by_id = {span.span_id: span for span in spans}
    rows = list(by_id.values())
    roots = [span for span in rows if span.parent_id is None]
    root = min(roots, key=lambda span: (span.start_ns, span.span_id), default=None)
    finished = root is not None and root.end_ns is not None
    if not finished:
        state = TraceState.IN_PROGRESS
    elif root is not None and root.status == SpanStatus.ERROR:
        state = TraceState.ERROR
    else:
        state = TraceState.OK
    start_ns = min(span.start_ns for span in rows)
    return Summary(
        state=state,
        start_ns=start_ns,
        # A span whose end precedes its start does not make a trace end before it begins.
        end_ns=max(start_ns, *(span.end_ns or 0 for span in rows)) if finished else None,
        root_span_id=root.span_id if root else None,
        root_name=root.name if root else None,
        span_count=len(rows),
        error_count=sum(span.status == SpanStatus.ERROR for span in rows),
        usage=_sum_of_topmost(by_id, lambda span: span.usage),
        cost=_sum_of_topmost(by_id, lambda span: span.cost),
    )


def _sum_of_topmost(
    by_id: dict[bytes, SpanLike], amount: Callable[[SpanLike], T | None]
) -> T | None:
    total: T | None = None
    for span in by_id.values():
        own = amount(span)
        if own is not None and not _an_ancestor_has(by_id, span, amount):
            total = own if total is None else total + own
    return total


def _an_ancestor_has(
    by_id: dict[bytes, SpanLike], span: SpanLike, amount: Callable[[SpanLike], object]
) -> bool:
    seen = {span.span_id}
    parent_id = span.parent_id
    # Broken instrumentation can make parents go in a circle.
    while parent_id is not None and parent_id not in seen:
        seen.add(parent_id)
        parent = by_id.get(parent_id)
        if parent is None:
            return False
        if amount(parent) is not None:
            return True
        parent_id = parent.parent_id
    return False
