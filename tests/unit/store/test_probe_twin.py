"""What a quick look at payloads says of a text, beside what reading the spans says."""

import json
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from sqlalchemy import create_engine, insert
from tests.values import key_values

from tracelake.model.entities import SpanHead, SpanStatus, SpanType
from tracelake.model.filters.evaluate import compare, content_of
from tracelake.model.filters.tree import And, Clause, Entity, Node, Not, Op
from tracelake.store.payload import pack, spans_in_order, unpack, whole_span
from tracelake.store.probe import Known, TextProbe
from tracelake.store.schema import CHUNK_BITS, chunks

# Letters that fold oddly, letters without case, marks that JSON escapes, and digits it rewrites.
_ALPHABET = 'aK\u212aİiΣσς é退款حق_ .,:!/\\"\n\0\ufffd10e-%$'
texts = st.text(_ALPHABET, max_size=8)
values: st.SearchStrategy[Any] = st.recursive(
    texts | st.sampled_from([1e22, 1e5, 0.00001, 12, True, b"\xfb\xff"]),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(texts, inside, max_size=2),
    max_leaves=4,
)


def _json(value: dict[str, Any], is_ascii: bool) -> str:
    return json.dumps(value, ensure_ascii=is_ascii)


members = st.dictionaries(texts, texts | st.integers() | st.floats(allow_nan=False), max_size=2)
json_texts = st.builds(_json, members, st.booleans())
keys = st.sampled_from(
    ["input.value", "output.value", "note", "gen_ai.prompt.0.content", "gen_ai.prompt.0.role"]
)
attributes = st.lists(st.tuples(keys, texts | values | json_texts), max_size=4)
events = st.dictionaries(keys, texts, max_size=1)


def _make_span(name: str, own: list[tuple[str, Any]], event: dict[str, Any]) -> Span:
    return Span(
        name=name,
        attributes=[pair for key, value in own for pair in key_values({key: value})],
        events=[Span.Event(name="said", attributes=key_values(event))],
    )


spans = st.builds(_make_span, texts, attributes, events)
_ENGINE = create_engine("sqlite://")
chunks.create(_ENGINE)


def _clause(pattern: str) -> Clause:
    return Clause(Entity.ATTRIBUTE, "text", Op.ILIKE, pattern, 1)


def _case(pattern: str, **told: str) -> tuple[list[list[Span]], bool, Clause]:
    return [[Span(attributes=key_values(told))]], False, _clause(pattern)


def _twice(before: str, after: str) -> Span:
    return Span(attributes=[*key_values({"note": before}), *key_values({"note": after})])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[Span]], bool, Clause]:
    """Chunks of spans, whether the first span has come again, and a clause."""
    held = draw(st.lists(st.lists(spans, min_size=1, max_size=2), min_size=1, max_size=2))
    whole = "".join(_content(span) for batch in held for span in batch)
    at = draw(st.integers(0, max(len(whole) - 1, 0)))
    piece = whole[at : at + draw(st.integers(1, 5))] if draw(st.booleans()) else draw(texts)
    pattern = draw(st.sampled_from(["%{}%", "{}%", "%{}%a%", "{}"])).format(piece)
    op = draw(st.sampled_from([Op.LIKE, Op.ILIKE]))
    if draw(st.booleans()):
        pattern = pattern.swapcase()
    return held, draw(st.booleans()), Clause(Entity.ATTRIBUTE, "text", op, pattern, 1)


@given(cases())
@settings(max_examples=1500, deadline=None)
@example(_case("%k 1%", note="\u212a 1"))
@example(_case("%退款 %", **{"input.value": '{"q": "\\u9000\\u6b3e 1"}'}))
@example(_case("%100000.0%", **{"input.value": '{"n": 1e5}'}))
@example(_case(r"%CHAT\_MODEL%"))
@example(([[_twice("said 1", "other")]], False, _clause("%said 1%")))
def test_a_look_never_says_what_reading_denies(case: tuple[list[list[Span]], bool, Clause]) -> None:
    held, is_sent_again, clause = case
    first, *others = [span for batch in held for span in batch]
    alive = others if is_sent_again else [first, *others]
    holds = any(compare(clause.op, _content(span), clause.value) for span in alive)

    demanded = _look(clause, held, len(alive))
    optional = _look(Not(And((clause,))), held, len(alive))

    if holds:
        assert demanded is not None
        assert demanded.get(clause, True)
        assert optional is not None
        assert optional.get(clause, True)
    else:
        assert demanded is None or not demanded.get(clause, False)
        assert optional is not None
        assert not optional.get(clause, False)


def test_a_plain_text_is_decided_without_reading() -> None:
    held = [[Span(name="chat", attributes=key_values({"note": "Give me back, please"}))]]

    def said(op: Op, pattern: str) -> dict[Clause, bool] | None:
        clause = Clause(Entity.ATTRIBUTE, "text", op, pattern, 1)
        known = _look(clause, held, 1)
        return None if known is None else dict(known)

    assert list((said(Op.LIKE, "%me back%") or {}).values()) == [True]
    assert list((said(Op.ILIKE, "%ME BACK%") or {}).values()) == [True]
    assert said(Op.LIKE, "%me bark%") is None
    assert said(Op.LIKE, "%退款%") is None


def _look(tree: Node, held: list[list[Span]], span_count: int) -> Known | None:
    row: Any = SimpleNamespace(trace_key=3, chunk_count=len(held), span_count=span_count)
    with _ENGINE.begin() as connection:
        connection.execute(chunks.delete())
        for n, batch in enumerate(held):
            data = _data(batch)
            connection.execute(
                insert(chunks).values(
                    chunk_id=(3 << CHUNK_BITS) + n, payload=pack(data.SerializeToString())
                )
            )
        return TextProbe(tree).known(connection, [row]).get(3)


def _data(batch: list[Span]) -> TracesData:
    data = TracesData()
    data.resource_spans.add().scope_spans.add().spans.extend(batch)
    return data


def _content(span: Span) -> str:
    [(resource, scope, read)] = spans_in_order(unpack(pack(_data([span]).SerializeToString())))
    head = SpanHead(
        trace_id="tr-1",
        span_id="1",
        parent_span_id=None,
        name=span.name.replace("\0", "\ufffd"),
        span_type=SpanType.CHAT_MODEL,
        status=SpanStatus.UNSET,
        start_time_ns=0,
        end_time_ns=None,
    )
    return content_of(whole_span(head, resource, scope, read))
