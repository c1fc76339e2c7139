"""Text is read some traces at a time; what changes meanwhile is found all the same."""

import pytest

from tests.spans import make_span, public_id, write
from tracelake.store.index.facts import FACTS
from tracelake.store.index.text import TEXT
from tracelake.store.open import Store

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
