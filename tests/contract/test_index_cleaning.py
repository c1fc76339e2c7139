"""What is deleted or replaced leaves the index, and its space, in the end."""

import pytest
from sqlalchemy import func, select

from tests.spans import make_span, public_id, write
from tracelake.store.api import FacetQuery
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store
from tracelake.store.operations import TraceScope
from tracelake.store.schema import index_blocks, index_segments, stale_versions

TRACES = 40


@pytest.fixture(autouse=True)
def a_term_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelake.store.index.segments.BLOCK_BYTES", 1)


def test_segments_of_deleted_traces_go(store: Store) -> None:
    for n in range(1, TRACES + 1):
        write(store, make_span(n, 1, name=f"word{n} common"))
        if n % 5 == 0:
            catch_up(store.indexer)
    before = rows(store)
    gone = tuple(public_id(n) for n in range(1, TRACES + 1) if n % 10)
    store.deletion.delete(TraceScope(trace_ids=gone), lambda: True)
    catch_up(store.indexer)
    after = rows(store)
    assert after[0] <= before[0] // 4
    assert after[2] == 0
    for text, found in (("word10", 1), ("word11", 0), ("common", TRACES // 10)):
        page = store.traces.find_traces(filter=f"trace.text LIKE '%{text}%'")
        assert len(page.traces) == found, text
    assert store.facets.count(FacetQuery()).count == TRACES // 10


def test_an_index_of_nothing_is_empty(store: Store) -> None:
    for n in range(1, 9):
        write(store, make_span(n, 1))
    catch_up(store.indexer)
    store.deletion.delete(TraceScope(until_ms=9 * 10**12), lambda: True)
    catch_up(store.indexer)
    assert rows(store) == [0, 0, 0]
    write(store, make_span(9, 1, name="again"))
    catch_up(store.indexer)
    assert len(store.traces.find_traces(filter="name = 'again'").traces) == 1


def test_spans_of_the_first_moments_of_time(store: Store) -> None:
    """Clocks that were never set: numbers so small that they are stored in a byte each."""
    spans = [make_span(n, 1, name="early") for n in range(1, 21)]
    for span in spans:
        span.start_time_unix_nano = span.end_time_unix_nano = 1
        write(store, span)
    catch_up(store.indexer)
    for span in spans[:15]:
        write(store, span)
    catch_up(store.indexer)
    assert store.facets.count(FacetQuery(filter="span.name = 'early'")).count == 20


def rows(store: Store) -> list[int]:
    """Of blocks, segments and stale versions."""
    with store.database.read() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (index_blocks, index_segments, stale_versions)
        ]
