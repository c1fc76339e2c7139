"""What `Live` promises, on every engine."""

import asyncio
import threading
import time
from typing import Any, cast

import pytest

from tests.spans import make_span, public_id, write
from tracelake.model.errors import NotFound, Unavailable
from tracelake.query.live.routes import router
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
    assert (first.trace.part_count, first.spans, first.is_cut) == (1, [], False)
    write(store, make_span(1, 3, 1))
    write(store, make_span(1, 2, 1, name="again"))
    later = store.live.read_spans(public_id(1), first.trace.part_count, max_spans=10)
    assert [span.name for span in later.spans] == ["again", "step"]
    assert later.trace.part_count == 3
    assert store.live.read_spans(public_id(1), 3, max_spans=10).spans == []
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
