"""Text is read some traces at a time: what changes meanwhile is found all the same, and of two
processes that index the same, one is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from tests.spans import make_span, public_id, write
from tracelake.model.errors import Conflict
from tracelake.store.api import FacetQuery
from tracelake.store.index.blocks import pack_blocks
from tracelake.store.index.facts import FACTS, Facts
from tracelake.store.index.follow import catch_up
from tracelake.store.index.indexer import Indexer
from tracelake.store.index.merge import merged
from tracelake.store.index.text import TEXT
from tracelake.store.open import Store
from tracelake.store.schema import index_blocks, index_segments

TRACES = 20


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelake.store.index.indexer._TEXTS_AT_ONCE", 4)


def found(store: Store, text: str) -> set[str]:
    page = store.traces.find_traces(filter=f"trace.text LIKE '%{text}%'")
    return {trace.trace_id for trace in page.traces}


def test_traces_that_change_between_two_readings(store: Store) -> None:
    for n in range(1, TRACES + 1):
        write(store, make_span(n, 1, name=f"word{n} before"))
    while store.indexer.index_facts():
        pass
    pauses: list[int] = []

    def change() -> None:
        pauses.append(store.indexer.lag(TEXT))
        # The first is in what was read, the other in what is still to be read.
        for n in (2 * len(pauses), TRACES - len(pauses)):
            write(store, make_span(n, 1, name=f"word{n} after"))
        write(store, make_span(TRACES + len(pauses), 1, name=f"word{TRACES + len(pauses)} new"))

    assert not store.indexer.index_text(change)
    assert len(pauses) == TRACES // 4 - 1
    assert pauses == sorted(pauses), "nothing is said to be indexed before all of it is"
    changed = {public_id(n) for k in range(1, len(pauses) + 1) for n in (2 * k, TRACES - k)}
    everything = {public_id(n) for n in range(1, TRACES + len(pauses) + 1)}
    for _ in range(2):
        assert found(store, "after") == changed
        assert found(store, "before") == {public_id(n) for n in range(1, TRACES + 1)} - changed
        for n in range(1, TRACES + len(pauses) + 1):
            assert found(store, f"word{n} ") == {public_id(n)}
        assert found(store, "word") == everything
        while store.indexer.index_facts() or store.indexer.index_text():
            pass
    assert store.indexer.lag(FACTS) == store.indexer.lag(TEXT) == 0


def test_a_step_ends_where_it_is_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelake.store.index.indexer._TEXTS_A_STEP", 8)
    for n in range(1, TRACES + 1):
        write(store, make_span(n, 1, name=f"word{n}"))
    assert not store.indexer.index_text(), "not ahead of the facts"
    while store.indexer.index_facts():
        pass
    lags: list[int] = []
    while store.indexer.index_text():
        lags.append(store.indexer.lag(TEXT))
    assert lags == [12, 4]
    assert store.indexer.lag(TEXT) == 0


def test_who_stood_still_while_another_indexed_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(1, TRACES + 1):
        write(store, make_span(n, 1, name=f"word{n} common"))
        if n % 2 == 0:
            store.indexer.index_facts()
    other = Indexer(store.database)

    def overtake() -> None:
        while other.index_text():
            pass

    with pytest.raises(Conflict):
        store.indexer.index_text(overtake)
    assert segments(store, TEXT) == 1
    monkeypatch.setattr("tracelake.store.index.indexer.Facts", overtaking(other.index_facts, Facts))
    write(store, make_span(TRACES, 1, name="common again"))
    with pytest.raises(Conflict):
        store.indexer.index_facts()
    monkeypatch.setattr(
        "tracelake.store.index.indexer.merged", overtaking(lambda: other.merge(FACTS), merged)
    )
    before = segments(store, FACTS)
    with pytest.raises(Conflict):
        store.indexer.merge(FACTS)
    assert segments(store, FACTS) < before
    assert len(found(store, "common")) == TRACES
    assert store.facets.count(FacetQuery()).count == TRACES
    store.indexer.sweep()
    with store.database.read() as connection:
        kept = set(connection.scalars(select(index_blocks.c.segment_id)))
        assert kept == set(connection.scalars(select(index_segments.c.segment_id)))


def test_what_another_sweeps_while_it_is_written_is_not_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracelake.store.index.segments.BLOCK_BYTES", 1)
    monkeypatch.setattr("tracelake.store.index.segments._BLOCKS_A_TRANSACTION", 1)
    for n in range(1, TRACES + 1):
        write(store, make_span(n, 1, name=f"word{n} common"))
    other = Indexer(store.database)

    def swept(*arguments: Any) -> Iterator[Any]:
        for number, block in enumerate(pack_blocks(*arguments)):
            if number == 3:
                other.sweep()
            yield block

    with monkeypatch.context() as patched:
        patched.setattr("tracelake.store.index.segments.pack_blocks", swept)
        with pytest.raises(Conflict):
            store.indexer.index_facts()
    assert segments(store, FACTS) == 0
    store.indexer.sweep()
    catch_up(store.indexer)
    monkeypatch.setattr("tracelake.store.index.segments._unseen_segments", every_segment)
    other.sweep()
    for n in range(1, TRACES + 1):
        assert found(store, f"word{n} ") == {public_id(n)}
    assert len(found(store, "common")) == TRACES


def every_segment(connection: Connection) -> list[int]:
    return list(connection.scalars(select(index_segments.c.segment_id)))


def overtaking(other: Callable[[], object], work: Callable[..., Any]) -> Callable[..., Any]:
    """The work, before which, once, another process does the same."""
    calls: list[None] = []

    def overtaken(*arguments: Any) -> Any:
        if not calls:
            calls.append(None)
            other()
        return work(*arguments)

    return overtaken


def segments(store: Store, name: str) -> int:
    query = select(func.count()).where(index_segments.c.index_name == name)
    with store.database.read() as connection:
        return connection.execute(query).scalar_one()
