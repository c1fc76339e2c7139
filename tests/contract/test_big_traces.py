"""Traces of very many spans and spans of very many bytes: whole again, whatever their size."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from sqlalchemy import func, select

from tests.spans import START_NS, make_request, make_span, parts_in, public_id, write
from tracelake.ingest.split import CHUNK_BYTES
from tracelake.model.anyvalue import to_json_object
from tracelake.model.errors import NotFound
from tracelake.store.chunks import read_whole
from tracelake.store.large import LARGE_VALUE_BYTES, PIECE_BYTES
from tracelake.store.open import Store, open_store
from tracelake.store.payload import spans_in_order
from tracelake.store.schema import CHUNK_BITS, FIRST_PIECE, chunks

SPANS = 10_000


def _id(number: int) -> str:
    return number.to_bytes(8).hex()


def _chunk_count(store: Store) -> int:
    with store.database.read() as connection:
        return connection.execute(select(func.count()).select_from(chunks)).scalar_one()


def test_many_spans_in_batches_that_come_backwards(store: Store) -> None:
    spans = [
        make_span(1, n, n // 10 or None, name=f"step {n % 7}", gen_ai__usage__input_tokens=3)
        if n % 2
        else make_span(1, n, n // 10 or None, name=f"step {n % 7}")
        for n in range(1, SPANS + 1)
    ]
    for at in range(SPANS - 500, -1, -500):
        write(store, *spans[at : at + 500])
    info = store.traces.get_trace(public_id(1))
    assert info.span_count == SPANS
    # Every odd span whose ancestors, n // 10 and on, are all even.
    tops = [n for n in range(1, SPANS + 1) if n % 2 and not any(int(d) % 2 for d in str(n)[:-1])]
    assert info.token_usage is not None
    assert info.token_usage.input_tokens == 3 * len(tops)

    seen: list[tuple[str, str | None, str]] = []
    token: str | None = None
    while True:
        page = store.traces.get_skeleton(public_id(1), max_results=3000, page_token=token)
        assert page.span_count == SPANS
        names = [page.words[number] for number in page.name]
        seen += zip(page.span_id, page.parent_span_id, names, strict=True)
        assert page.start_ns[0] == 0
        token = page.next_page_token
        if token is None:
            break
    assert seen == [
        (_id(n), _id(n // 10) if n // 10 else None, f"step {n % 7}") for n in range(1, SPANS + 1)
    ]
    assert store.traces.get_span(public_id(1), _id(7777)).head.name == f"step {7777 % 7}"


def test_a_large_request_is_split_and_every_span_found(store: Store) -> None:
    spans = [make_span(1, n, note=f"{n} " + "x" * 2000) for n in range(1, 1001)]
    write(store, *spans)
    assert _chunk_count(store) == pytest.approx(2_000_000 / CHUNK_BYTES, abs=2)
    found = store.traces.get_spans(public_id(1), max_results=1000).spans
    assert [span.attributes["note"] for span in found] == [
        span.attributes[0].value.string_value for span in spans
    ]


def _sized(kind: str, size_bytes: int) -> AnyValue:
    match kind:
        case "ascii":
            return AnyValue(string_value="a" * size_bytes)
        case "chinese":
            return AnyValue(string_value=("长" * (size_bytes // 3 + 1))[: size_bytes // 3])
        case "bytes":
            return AnyValue(bytes_value=bytes(n % 251 for n in range(size_bytes)))
        case "array":
            items = [AnyValue(double_value=n / 3) for n in range(size_bytes // 11)]
            return AnyValue(array_value=ArrayValue(values=items))
        case _:
            pairs = [
                KeyValue(key=str(n), value=AnyValue(int_value=n)) for n in range(size_bytes // 12)
            ]
            return AnyValue(kvlist_value=KeyValueList(values=pairs))


_BOUNDS = (LARGE_VALUE_BYTES, CHUNK_BYTES, PIECE_BYTES, 2 * PIECE_BYTES, 40)


@st.composite
def _attributes(draw: st.DrawFn) -> list[KeyValue]:
    """Some attributes whose sizes lie around the bounds; keys may come twice."""
    pairs: list[KeyValue] = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["ascii", "chinese", "bytes", "array", "map"]))
        size_bytes = draw(st.sampled_from(_BOUNDS)) + draw(st.sampled_from([-30, -1, 0, 1, 30]))
        key = draw(st.sampled_from("abcdef"))
        pairs.append(KeyValue(key=key, value=_sized(kind, size_bytes)))
    return pairs


def _stored_spans(store: Store, trace: int) -> dict[bytes, OtlpSpan]:
    """What the chunks of the latest trace hold, large values in their places."""
    with store.database.read() as connection:
        key = connection.execute(select(func.max(chunks.c.chunk_id))).scalar_one() >> CHUNK_BITS
        ids = [(key << CHUNK_BITS) + n for n in range(20)]
        found: dict[bytes, OtlpSpan] = {}
        for _, data in read_whole(connection, ids):
            found |= {span.span_id: span for _, _, span in spans_in_order(data)}
        return found


def test_sizes_around_every_threshold_come_back_whole(store: Store) -> None:
    trace = 0

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(st.tuples(_attributes(), _attributes()), min_size=1, max_size=3))
    def check(told: Sequence[tuple[list[KeyValue], list[KeyValue]]]) -> None:
        nonlocal trace
        trace += 1
        sent: list[OtlpSpan] = []
        for n, (attributes, of_event) in enumerate(told, start=1):
            span = make_span(trace, n, n - 1 or None)
            span.attributes.extend(attributes)
            span.events.add(name="said", time_unix_nano=START_NS).attributes.extend(of_event)
            sent.append(span)
        before = [span.SerializeToString() for span in sent]
        write(store, *sent)
        originals = [OtlpSpan.FromString(content) for content in before]
        assert _stored_spans(store, trace) == {span.span_id: span for span in originals}
        for n, original in enumerate(originals, start=1):
            whole = store.traces.get_span(public_id(trace), _id(n), whole=True)
            assert whole.attributes == to_json_object(original.attributes)
            assert whole.events[0].attributes == to_json_object(original.events[0].attributes)
            _check_cut(store, trace, original)

    check()


def _check_cut(store: Store, trace: int, original: OtlpSpan) -> None:
    """What a list shows: values as they are up to the threshold, markers above it."""
    (cut,) = [
        span
        for span in store.traces.get_spans(public_id(trace)).spans
        if span.head.span_id == original.span_id.hex()
    ]
    for pair in original.attributes:
        kind = pair.value.WhichOneof("value")
        content = pair.value.SerializeToString()
        if kind == "string_value":
            content = pair.value.string_value.encode()
        elif kind == "bytes_value":
            content = pair.value.bytes_value
        told = cut.attributes[pair.key]
        if pair != [other for other in original.attributes if other.key == pair.key][-1]:
            continue
        if len(content) > LARGE_VALUE_BYTES:
            assert told["$large"]["size_bytes"] == len(content)
            assert told["$large"]["field"] == f"attributes.{pair.key}"
        else:
            assert told == to_json_object([pair])[pair.key]


def test_ranges_of_a_large_value(store: Store) -> None:
    chooser = random.Random(3)
    text = "".join(chooser.choice("aé长😀") for _ in range(400_000))
    raw = chooser.randbytes(700_000)
    span = make_span(1, 1, mlflow__spanInputs=text, small="s")
    span.attributes.add(key="raw").value.bytes_value = raw
    span.events.add(name="e").attributes.add(key="of.event").value.string_value = text
    write(store, span)
    fields = {"inputs": text.encode(), "attributes.raw": raw, "events.0.of.event": text.encode()}
    fields |= {"attributes.mlflow.spanInputs": text.encode(), "attributes.small": b"s"}
    for field, wanted in fields.items():
        content = store.traces.get_content(public_id(1), _id(1), field)
        assert content.size_bytes == len(wanted)
        for _ in range(20):
            start = chooser.randrange(len(wanted))
            stop = chooser.randint(start, len(wanted))
            assert b"".join(content.read(start, stop)) == wanted[start:stop]
        for start, stop in ((0, len(wanted)), (PIECE_BYTES - 1, PIECE_BYTES + 1)):
            assert b"".join(content.read(start, stop)) == wanted[start:stop]
    for field in ("outputs", "attributes.other", "events.1.x", "events.x", "nothing", ""):
        with pytest.raises(NotFound):
            store.traces.get_content(public_id(1), _id(1), field)


def test_text_in_a_large_value_is_found(store: Store) -> None:
    text = "word " * 60_000 + "needle-in-the-last-piece"
    write(store, make_span(1, 1, note=text), make_span(2, 1, note="word"))
    for _ in range(2):
        page = store.traces.find_traces(filter="trace.text LIKE '%needle-in-the-last%'")
        assert [info.trace_id for info in page.traces] == [public_id(1)]
        store.indexer.index_facts()
        store.indexer.index_text()


def test_what_is_replaced_gives_its_bytes_back(store: Store) -> None:
    large = "x" * (3 * PIECE_BYTES)
    write(store, make_span(1, 1, note=large), make_span(1, 2, 1))
    write(store, make_span(1, 2, 1, note="again"))
    assert _chunk_count(store) == 2 + 3
    write(store, make_span(1, 1, note="short"))
    assert _chunk_count(store) == 2
    for _ in range(3):
        write(store, make_span(1, 1, note=large))
    assert _chunk_count(store) == 2 + 3
    info = store.traces.get_trace(public_id(1))
    assert info.span_count == 2
    found = store.traces.get_span(public_id(1), _id(1), whole=True)
    assert found.attributes["note"] == large


def test_two_writers_in_turn_know_of_each_others_spans(store: Store, store_url: str) -> None:
    other = open_store(store_url)
    try:
        write(store, *(make_span(1, n, 1, gen_ai__usage__input_tokens=1) for n in range(2, 2002)))
        for first in range(2002, 2602, 200):
            for each, at in ((store, first), (other, first + 100)):
                spans = [
                    make_span(1, n, 1, error=True, gen_ai__usage__input_tokens=1)
                    for n in range(at, at + 100)
                ]
                write(each, *spans)
        write(store, make_span(1, 2, 1, error=True, gen_ai__usage__input_tokens=50))
        write(other, make_span(1, 3, 1, error=True, gen_ai__usage__input_tokens=1))
        write(store, make_span(1, 2602, 1, gen_ai__usage__input_tokens=1))
        info = store.traces.get_trace(public_id(1))
        assert (info.span_count, info.error_count) == (2601, 602)
        assert info.token_usage is not None
        assert info.token_usage.input_tokens == 2600 + 50
        write(other, make_span(1, 1, gen_ai__usage__input_tokens=7))
        usage = store.traces.get_trace(public_id(1)).token_usage
        assert usage is not None
        assert usage.input_tokens == 7
    finally:
        other.close()


def test_chunks_never_run_into_pieces(store: Store) -> None:
    write(store, make_span(1, 1, note="x" * (LARGE_VALUE_BYTES + 1)))
    with store.database.read() as connection:
        numbers = sorted(connection.scalars(select(chunks.c.chunk_id)))
    assert [number & ((1 << CHUNK_BITS) - 1) for number in numbers] == [0, FIRST_PIECE]


def test_a_resource_with_much_to_say_is_not_repeated_for_long(store: Store) -> None:
    request = make_request([make_span(1, n, note="x" * 1000) for n in range(1, 3001)])
    resource = request.resource_spans[0].resource
    resource.attributes.add(key="env").value.string_value = "e" * 600_000
    parts, _ = parts_in(request)
    assert len(parts[0].chunks) == 2
    store.spans.write(parts)
    found = store.traces.get_span(public_id(1), _id(3000))
    assert len(found.resource["env"]) == 600_000


def test_payloads_around_the_slices_of_postgresql(store: Store) -> None:
    chooser = random.Random(3)
    notes = {
        n: chooser.randbytes(size).hex()
        for n, size in enumerate([*range(1600, 2000, 9), *range(3600, 4100, 23), 30_000], 1)
    }
    for n, note in notes.items():
        write(store, make_span(n, 1, note=note))
    with store.database.read() as connection:
        rows = connection.execute(select(chunks)).all()
    slices = {len(row.payload_slices) for row in rows if row.payload_slices is not None}
    assert slices == (set() if store.database.is_sqlite else {1996, 2 * 1996, 15 * 1996})
    for n, note in notes.items():
        assert store.traces.get_span(public_id(n), _id(1)).attributes["note"] == note
