"""What a trace is, computed from the spans that are there: at once, or as more of them come."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from tracelake.model.entities import Cost, SpanStatus, TokenUsage, TraceState

Amount = TypeVar("Amount", TokenUsage, Cost)

_HAS_USAGE: Final = 1
_HAS_COST: Final = 2
_NOTHING_SAID: Final[tuple[str, str, int | None]] = ("", "", None)
"""Name, status and end of a root that is not there."""
_FEW: Final = 64
"""So many spans are summarised at once by walking up from each, which costs half of adding them."""


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


def summarise(spans: Collection[SpanLike]) -> Summary:
    """Summarise one trace from its spans, at least one: in any order, no two with the same id."""
    if len(spans) > _FEW:
        running = RunningSummary()
        for span in spans:
            running.add(span)
        return running.summary()
    by_id = {span.span_id: span for span in spans}
    root: SpanLike | None = None
    usage: TokenUsage | None = None
    cost: Cost | None = None
    for span in spans:
        if span.parent_id is None and (root is None or _place(span) < _place(root)):
            root = span
        if span.usage is not None or span.cost is not None:
            usage_above, cost_above = _amounts_above(span, by_id)
            if span.usage is not None and not usage_above:
                usage = span.usage if usage is None else usage + span.usage
            if span.cost is not None and not cost_above:
                cost = span.cost if cost is None else cost + span.cost
    return _summary_of(
        root=None if root is None else root.span_id,
        root_said=_NOTHING_SAID if root is None else (root.name, root.status, root.end_ns),
        start_ns=min(span.start_ns for span in spans),
        end_ns=max(span.end_ns or 0 for span in spans),
        span_count=len(spans),
        error_count=sum(span.status == SpanStatus.ERROR for span in spans),
        usage=usage,
        cost=cost,
    )


def _place(span: SpanLike) -> tuple[int, bytes]:
    return span.start_ns, span.span_id


def _amounts_above(span: SpanLike, by_id: dict[bytes, SpanLike]) -> tuple[bool, bool]:
    """Whether a span above this one has a usage, and whether one has a cost."""
    has_usage = has_cost = False
    at = by_id.get(span.parent_id) if span.parent_id is not None else None
    # Parents may go in a circle, which a walk of so many steps has seen all of.
    for _ in range(len(by_id)):
        if at is None or at is span:
            break
        has_usage |= at.usage is not None
        has_cost |= at.cost is not None
        at = by_id.get(at.parent_id) if at.parent_id is not None else None
    return has_usage, has_cost


def _summary_of(
    *,
    root: bytes | None,
    root_said: tuple[str, str, int | None],
    start_ns: int,
    end_ns: int,
    span_count: int,
    error_count: int,
    usage: TokenUsage | None,
    cost: Cost | None,
) -> Summary:
    name, status, root_end_ns = root_said
    if root_end_ns is None:
        state = TraceState.IN_PROGRESS
    else:
        state = TraceState.ERROR if status == SpanStatus.ERROR else TraceState.OK
    return Summary(
        state=state,
        start_ns=start_ns,
        # A span whose end precedes its start does not make a trace end before it begins.
        end_ns=None if root_end_ns is None else max(start_ns, end_ns),
        root_span_id=root,
        root_name=None if root is None else name,
        span_count=span_count,
        error_count=error_count,
        usage=usage,
        cost=cost,
    )


class RunningSummary:
    """The summary of a trace to which spans are added in any order.

    The root is the earliest span that has no parent. Usage and cost count only where no ancestor
    has one of its own, each judged separately (SPEC 3.2): an agent that reports totals hides its
    children, which usually came before it. To add a span costs about the same in a trace of ten
    spans and of a million.
    """

    def __init__(self) -> None:
        self._start_ns = 2**63
        self._end_ns = 0
        self._error_count = 0
        self._root: tuple[int, bytes] | None = None
        self._root_said = _NOTHING_SAID
        self._parents: dict[bytes, bytes | None] = {}
        self._up: dict[bytes, tuple[bytes, int]] = {}
        """From a span to one above it, and what the spans on the way have, the lower end with
        them. A way that was walked is shortened, so that the next walk is one step."""
        self._tops: dict[bytes, int] = {}
        """What the uppermost spans that are here have; a parent not yet here has nothing."""
        self._usage = _Counted[TokenUsage]()
        self._cost = _Counted[Cost]()

    def __len__(self) -> int:
        return len(self._parents)

    def __contains__(self, span_id: bytes) -> bool:
        return span_id in self._parents

    def add(self, span: SpanLike) -> None:
        """Add a span whose id is not here yet."""
        span_id, parent_id, start_ns = span.span_id, span.parent_id, span.start_ns
        self._start_ns = min(self._start_ns, start_ns)
        if span.end_ns is not None and span.end_ns > self._end_ns:
            self._end_ns = span.end_ns
        if span.status == SpanStatus.ERROR:
            self._error_count += 1
        usage, cost = span.usage, span.cost
        has = (usage is not None and _HAS_USAGE) | (cost is not None and _HAS_COST)
        self._parents[span_id] = parent_id
        if parent_id is None:
            if self._root is None or (start_ns, span_id) < self._root:
                self._root = start_ns, span_id
                self._root_said = span.name, span.status, span.end_ns
            self._tops[span_id] = has
            top, above = span_id, 0
        else:
            top, above = self._top_of(parent_id)
            if top == span_id:
                self._close_ring(span_id, usage, cost)
                return
            self._up[span_id] = parent_id, has
        self._usage.add(span_id, usage, top, hidden=above & _HAS_USAGE)
        self._cost.add(span_id, cost, top, hidden=above & _HAS_COST)

    def replace(self, old: SpanLike, new: SpanLike) -> bool:
        """Put a span that came again in the place of the one with its id, if that changes nothing
        that other spans are counted by. False where it would, and this is to be made anew."""
        old_end_ns, new_end_ns = old.end_ns or 0, new.end_ns or 0
        if (old.parent_id, old.start_ns, old.usage, old.cost) != (
            new.parent_id,
            new.start_ns,
            new.usage,
            new.cost,
        ) or new_end_ns < old_end_ns:
            return False
        self._end_ns = max(self._end_ns, new_end_ns)
        self._error_count += (new.status == SpanStatus.ERROR) - (old.status == SpanStatus.ERROR)
        if self._root is not None and self._root[1] == new.span_id:
            self._root_said = new.name, new.status, new.end_ns
        return True

    def summary(self) -> Summary:
        """Of the spans so far, at least one."""
        return _summary_of(
            root=self._root[1] if self._root else None,
            root_said=self._root_said,
            start_ns=self._start_ns,
            end_ns=self._end_ns,
            span_count=len(self._parents),
            error_count=self._error_count,
            usage=self._usage.total(),
            cost=self._cost.total(),
        )

    def _top_of(self, span_id: bytes) -> tuple[bytes, int]:
        """The uppermost known id above a span or the span's own, and what all up to it have."""
        up = self._up.get(span_id)
        if up is None:
            return span_id, self._tops.get(span_id, 0)
        way: list[bytes] = []
        at = span_id
        while up is not None:
            way.append(at)
            at = up[0]
            up = self._up.get(at)
        has = 0
        for step in reversed(way):
            has |= self._up[step][1]
            self._up[step] = at, has
        return at, has | self._tops.get(at, 0)

    def _close_ring(self, span_id: bytes, usage: TokenUsage | None, cost: Cost | None) -> None:
        """Broken instrumentation can make parents go in a circle: all in it are above each other
        and above what hangs on it. One that alone has an amount counts, two hide each other."""
        ring = [span_id]
        parent_id = self._parents[span_id]
        while parent_id is not None and parent_id != span_id:
            ring.append(parent_id)
            parent_id = self._parents[parent_id]
        self._tops[span_id] = (self._usage.close_ring(ring, usage) and _HAS_USAGE) | (
            self._cost.close_ring(ring, cost) and _HAS_COST
        )


class _Counted(Generic[Amount]):
    """Amounts of one kind: each span's own, and the sum of those that count, by uppermost id."""

    def __init__(self) -> None:
        self._own: dict[bytes, Amount] = {}
        self._sums: dict[bytes, Amount] = {}

    def add(self, span_id: bytes, own: Amount | None, top: bytes, *, hidden: int) -> None:
        below = self._sums.pop(span_id, None)
        counts = below
        if own is not None:
            self._own[span_id] = counts = own
        if counts is not None and not hidden:
            before = self._sums.get(top)
            self._sums[top] = counts if before is None else before + counts

    def close_ring(self, ring: list[bytes], own: Amount | None) -> bool:
        """With the last span of a ring, which is its first item. Whether the ring has amounts."""
        if own is not None:
            self._own[ring[0]] = own
        amounts = [self._own[span_id] for span_id in ring if span_id in self._own]
        if amounts:
            self._sums.pop(ring[0], None)
        if len(amounts) == 1:
            self._sums[ring[0]] = amounts[0]
        return bool(amounts)

    def total(self) -> Amount | None:
        total: Amount | None = None
        for amount in self._sums.values():
            total = amount if total is None else total + amount
        return total
