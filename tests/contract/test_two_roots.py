"""What a trace is called and whose it is does not depend on the order in which its spans came."""

from itertools import permutations
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.spans import START_NS, make_span, public_id, write
from tracelake.store.open import Store


def root(trace: int, number: int, name: str, **said: Any) -> Span:
    told = {"session__id": f"s{number}", "input__value": f"in{number}"}
    span = make_span(trace, number, name=name, **told, **said)
    span.start_time_unix_nano = START_NS + number
    return span


def spans_of(trace: int) -> list[Span]:
    return [
        root(trace, 1, "first", tracelake__trace__name="the trace", user__id="u1"),
        root(trace, 2, "second", tracelake__trace__name="another", output__value="out2"),
        make_span(trace, 3, 1, name="step", session__id="s3", user__id="u3"),
    ]


def told(store: Store, trace: int) -> tuple[str | None, ...]:
    info = store.traces.get_trace(public_id(trace))
    return info.name, info.session_id, info.user, info.request_preview, info.response_preview


WANTED = ("the trace", "s1", "u1", "in1", "out2")


def test_two_roots_in_any_order(store: Store) -> None:
    trace = 0
    for order in permutations(range(3)):
        for group in (1, 2, 3):
            trace += 1
            spans = [spans_of(trace)[n] for n in order]
            for at in range(0, 3, group):
                write(store, *spans[at : at + group])
            assert told(store, trace) == WANTED, (order, group)
            write(store, spans_of(trace)[0])
            assert told(store, trace) == WANTED, "sent again"


def test_of_spans_that_are_no_root_the_first_word_counts(store: Store) -> None:
    for trace, group in ((1, 1), (2, 2)):
        spans = [make_span(trace, n, 9, session__id=f"s{n}") for n in (2, 1)]
        for at in range(0, 2, group):
            write(store, *spans[at : at + group])
        assert store.traces.get_trace(public_id(trace)).session_id == "s2"
