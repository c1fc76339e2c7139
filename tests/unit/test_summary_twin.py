"""A summary kept while spans come equals one worked out from all of them, the obvious way."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelake.model.entities import Cost, TokenUsage, TraceState
from tracelake.model.summary import RunningSummary, Summary, summarise
from tracelake.store.api import SpanRow


def _span(number: int, parent: int | None, chooser: random.Random) -> SpanRow:
    count = chooser.randrange(100)
    return SpanRow(
        span_id=number.to_bytes(8),
        parent_id=None if parent is None else parent.to_bytes(8),
        name=f"span {number}",
        span_type="UNKNOWN",
        status=chooser.choice(["OK", "ERROR", "UNSET"]),
        start_ns=chooser.randrange(20),
        end_ns=chooser.choice([None, chooser.randrange(30)]),
        position=0,
        usage=TokenUsage(count, 1, count + 1) if chooser.random() < 0.5 else None,
        cost=Cost(count / 64, 0.0, count / 64) if chooser.random() < 0.3 else None,
    )


def _brute_force(spans: Sequence[SpanRow]) -> Summary:
    roots = [span for span in spans if span.parent_id is None]
    root = min(roots, key=lambda span: (span.start_ns, span.span_id), default=None)
    start_ns = min(span.start_ns for span in spans)
    ended = root is not None and root.end_ns is not None
    state = TraceState.IN_PROGRESS
    if root is not None and ended:
        state = TraceState.ERROR if root.status == "ERROR" else TraceState.OK
    by_id = {span.span_id: span for span in spans}

    def above(span: SpanRow) -> list[SpanRow]:
        found: list[SpanRow] = []
        at = by_id.get(span.parent_id or b"")
        while at is not None and at is not span and at not in found:
            found.append(at)
            at = by_id.get(at.parent_id or b"")
        return found

    usages = [s.usage for s in spans if s.usage and all(a.usage is None for a in above(s))]
    costs = [s.cost for s in spans if s.cost and all(a.cost is None for a in above(s))]
    return Summary(
        state=state,
        start_ns=start_ns,
        end_ns=max([start_ns, *(span.end_ns or 0 for span in spans)]) if ended else None,
        root_span_id=root.span_id if root else None,
        root_name=root.name if root else None,
        span_count=len(spans),
        error_count=sum(span.status == "ERROR" for span in spans),
        usage=sum(usages[1:], start=usages[0]) if usages else None,
        cost=sum(costs[1:], start=costs[0]) if costs else None,
    )


@given(seed=st.integers(0, 2**32), count=st.integers(1, 30), rings=st.booleans())
def test_any_tree_in_any_order(seed: int, count: int, rings: bool) -> None:
    chooser = random.Random(seed)
    spans: list[SpanRow] = []
    for number in range(1, count + 1):
        # Some parents never come; where rings are allowed, a parent may be below its child.
        parents = range(max(1, number - 5), count + 4 if rings else number)
        parent = chooser.choice(parents) if parents and chooser.random() < 0.9 else None
        spans.append(_span(number, parent, chooser))
    if not rings:
        spans = [span for span in spans if chooser.random() < 0.8] or spans[:1]
    chooser.shuffle(spans)
    running = summing([])
    for at, span in enumerate(spans, start=1):
        running.add(span)
        assert running.summary() == _brute_force(spans[:at])
    assert summarise(spans) == running.summary()


@given(seed=st.integers(0, 2**32), count=st.integers(1, 12))
def test_a_span_in_place_of_another(seed: int, count: int) -> None:
    chooser = random.Random(seed)
    spans = [_span(n, chooser.choice([None, *range(1, n)]), chooser) for n in range(1, count + 1)]
    running = summing(spans)
    for _ in range(10):
        at = chooser.randrange(count)
        new = replace(spans[at])
        for field in ("name", "status", "end_ns", "start_ns", "usage", "parent_id"):
            if chooser.random() < 0.25:
                setattr(new, field, getattr(_span(at + 1, None, chooser), field))
        replaced = running.replace(spans[at], new)
        spans[at] = new
        if not replaced:
            running = summing(spans)
        assert running.summary() == _brute_force(spans)


def summing(spans: Sequence[SpanRow]) -> RunningSummary:
    running = RunningSummary()
    for span in spans:
        running.add(span)
    return running


@pytest.mark.parametrize("upwards", [False, True])
def test_a_chain_deeper_than_the_call_stack(upwards: bool) -> None:
    chooser = random.Random(1)
    spans = [_span(n, n - 1 if n > 1 else None, chooser) for n in range(1, 5001)]
    spans[0].usage = TokenUsage(7, 7, 14)
    running = RunningSummary()
    for span in reversed(spans) if upwards else spans:
        running.add(span)
    assert running.summary().usage == TokenUsage(7, 7, 14)
    assert spans[4999].span_id in running
