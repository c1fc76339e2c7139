"""What `Live` promises, on every engine."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.spans import make_span, public_id, write
from tracelake.model.entities import Span, TraceInfo
from tracelake.model.errors import NotFound, Unavailable
from tracelake.model.filters.evaluate import Evidence
from tracelake.query.live.routes import router
from tracelake.query.live.subscription import Interest
from tracelake.query.live.tail import LiveTail
from tracelake.store.open import Store
from tracelake.store.operations import TraceScope


def test_a_change_ends_the_wait(store: Store) -> None:
    assert store.live.wait(0, 0.05) == 0
    writer = threading.Timer(0.3, write, (store, make_span(1, 1), make_span(2, 1)))
    writer.start()
    began_s = time.monotonic()
    assert store.live.wait(0, 20) == 2
    assert time.monotonic() - began_s < 15
    writer.join()
    assert store.live.wait(1, 20) == 2
    assert store.live.wait(2, 0.05) == 2
    store.editor.set_tag(public_id(1), "k", "v")
    assert store.live.wait(2, 20) == 3
    assert [(each.seq, each.info.trace_id) for each in store.live.read(1, max_traces=9)] == [
        (2, public_id(2)),
        (3, public_id(1)),
    ]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_listener_that_is_cut_off_listens_again(store: Store) -> None:
    assert store.live.wait(0, 0.05) == 0
    with store.database.read() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %%'"
        ).all()
    write(store, make_span(1, 1))
    with pytest.raises(Unavailable):
        store.live.wait(1, 10)
    assert store.live.wait(0, 20) == 1
    writer = threading.Timer(0.2, write, (store, make_span(2, 1)))
    writer.start()
    assert store.live.wait(1, 20) == 2
    writer.join()


def test_spans_after_a_position(store: Store) -> None:
    write(store, make_span(1, 1), make_span(1, 2, 1))
    first = store.live.read_spans(public_id(1), None, max_spans=10)
    assert (first.spans, first.is_cut) == ([], False)
    write(store, make_span(1, 3, 1))
    write(store, make_span(1, 2, 1, name="again"))
    later = store.live.read_spans(public_id(1), first.trace.position, max_spans=10)
    assert [span.name for span in later.spans] == ["again", "step"]
    position = later.trace.position
    assert store.live.read_spans(public_id(1), position, max_spans=10).spans == []
    assert len(store.live.read_spans(public_id(1), 0, max_spans=10).spans) == 3
    cut = store.live.read_spans(public_id(1), 0, max_spans=2)
    assert (cut.spans, cut.is_cut) == ([], True)
    with pytest.raises(NotFound):
        store.live.read_spans(public_id(9), 0, max_spans=10)
    told = store.live.evidence(later.trace.info)
    assert [span.head.name for span in told.spans()] == ["step", "again", "step"]
    assert told.of_session() == []


async def test_the_stream_of_a_trace_ends_when_it_is_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelake.query.live.routes._HEARTBEAT_S", 0.2)
    write(store, make_span(1, 1))
    tail = LiveTail(store.live)
    _, stream = cast("list[Any]", router(store.live, tail).routes)
    answer = await stream.endpoint(public_id(1))
    events: list[bytes] = []
    try:
        async with asyncio.timeout(20):
            async for event in answer.body_iterator:
                events.append(event)
                if len(events) == 2:
                    scope = TraceScope(trace_ids=(public_id(1),))
                    await asyncio.to_thread(store.deletion.delete, scope)
    finally:
        await tail.stop()
    assert events[0].startswith(b"event: trace")
    assert events[-1].startswith(b"event: gone")


def test_a_position_is_of_one_life_of_a_trace(store: Store) -> None:
    write(store, make_span(1, 1))
    position = store.live.read_spans(public_id(1), None, max_spans=10).trace.position
    store.deletion.delete(TraceScope(trace_ids=(public_id(1),)))
    write(store, make_span(1, 2))
    again = store.live.read_spans(public_id(1), position, max_spans=10)
    assert (again.spans, again.is_cut) == ([], True)
    write(store, make_span(1, 3))
    later = store.live.read_spans(public_id(1), again.trace.position, max_spans=10)
    assert ([span.name for span in later.spans], later.is_cut) == (["step"], False)


async def test_a_filter_on_spans_holds_up_nobody_else(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = store.live.evidence
    read: list[str] = []

    def slow_evidence(info: TraceInfo) -> Evidence:
        told = evidence(info)

        def slow_spans() -> Sequence[Span]:
            read.append(info.trace_id)
            time.sleep(0.2)
            return told.spans()

        return replace(told, spans=slow_spans)

    monkeypatch.setattr(store.live, "evidence", slow_evidence)
    tail = LiveTail(store.live)
    try:
        deep = await tail.subscribe(Interest("span.name = 'step' AND text LIKE '%step%'"))
        plain = await tail.subscribe(Interest("status = 'OK'"))
        await asyncio.to_thread(write, store, *(make_span(n, 1) for n in range(1, 61)))
        batch = await plain.take(20)
        assert batch is not None
        assert len(batch.traces) == 60
        assert len(read) < 60
        batch = await deep.take(60)
        assert batch is not None
        assert len(batch.traces) == 60
    finally:
        await tail.stop()
