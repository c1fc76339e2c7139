"""Search against a brute-force twin: filters with their orders, page by page."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import new_database
from tests.search.check import all_pages, disagreements
from tests.search.filters import Generator
from tests.search.world import fill, make_world
from tests.spans import make_span, write
from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.parse import parse_filter
from tracelake.store.api import MetricQuery
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store, open_store

WORLD = make_world(seed=7)
FILTERS = 150
"""Of each store; `bench/fuzz_filters.py` asks 20,000."""


@pytest.fixture(scope="module")
def small_blocks() -> Iterator[None]:
    """The few terms of this world lie in many blocks of the index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracelake.store.index.segments.BLOCK_BYTES", 100)
        yield


@pytest.fixture(
    scope="module",
    params=[(e, r) for e in ("sqlite", "postgresql") for r in ("tables", "index", "both")],
    ids="-".join,
)
def filled(
    small_blocks: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store on each engine, read from its tables, from its index, or from both."""
    engine, read_from = request.param
    if engine == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'tracelake.db'}"
    else:
        url = new_database(request.getfixturevalue("postgres_url"))
    store = open_store(url)
    fill(store, WORLD, (lambda: catch_up(store.indexer)) if read_from == "both" else None)
    if read_from == "index":
        catch_up(store.indexer)
    yield store
    store.close()


def test_every_answer_is_the_twins(filled: Store) -> None:
    seed = 11 if filled.database.is_sqlite else 12
    wrong = [str(one) for one in disagreements(all_pages(filled), WORLD, seed, FILTERS)]
    assert not wrong, "\n".join(wrong[:10])


def test_sessions_are_those_of_the_traces_that_match(filled: Store) -> None:
    generator = Generator(21, WORLD)
    for _ in range(25):
        text = generator.text(generator.tree())
        wanted: Counter[tuple[str, str]] = Counter()
        token: str | None = None
        while True:
            page = filled.traces.find_traces(filter=text, max_results=500, page_token=token)
            wanted.update(
                (info.experiment_id, info.session_id)
                for info in page.traces
                if info.session_id is not None
            )
            if (token := page.next_page_token) is None:
                break
        found: Counter[tuple[str, str]] = Counter()
        while True:
            sessions = filled.analytics.find_sessions(filter=text, max_results=3, page_token=token)
            for told in sessions.sessions:
                found[told.experiment_id, told.session_id] += told.trace_count
            if (token := sessions.next_page_token) is None:
                break
        assert found == wanted, text


_LEAVES = (
    "user = 'a'", "span.type = 'x'", "feedback.a = 'x'", "trace.text LIKE '%x%'", "tool != 'x'",
    "feedback.a IS NULL", "session NOT IN ('a', 'b')", "tags.k RLIKE 'x'",
)  # fmt: skip


@pytest.mark.parametrize("leaf", _LEAVES)
def test_the_deepest_filters_are_answered(store: Store, leaf: str) -> None:
    write(store, make_span(1, 1))
    for step in ("NOT {}", "NOT ({leaf} AND {})", "({leaf} OR {})"):
        depth = 10 if step.startswith("NOT (") else 20
        text = deepest = leaf
        for level in range(depth + 1):
            deepest = text
            word = " OR " if level % 2 else " AND "
            text = step.replace(" OR ", word).format(text, leaf=leaf)
        store.analytics.query_metric(MetricQuery("span_count", ("COUNT",), filter=deepest))
        page = store.traces.find_traces(filter=deepest, order_by=["tags.k", "cost"], max_results=1)
        store.traces.find_traces(
            filter=deepest,
            order_by=["tags.k", "cost"],
            max_results=1,
            page_token=page.next_page_token,
        )
        store.analytics.find_sessions(filter=deepest)
        with pytest.raises(InvalidFilter, match="nested deeper"):
            parse_filter(text)


def test_the_longest_patterns_are_answered(store: Store) -> None:
    write(store, make_span(1, 1))
    for field in ("name", "text", "tags.k"):
        text = f"{field} LIKE '{'😀' * 9_999}%'"
        assert not store.traces.find_traces(filter=text, order_by=["cost"]).traces
        with pytest.raises(InvalidFilter, match="longer than"):
            parse_filter(f"{field} ILIKE '{'a' * 10_001}'")


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_a_filter_or_says_where_it_is_not(text: str) -> None:
    _parses_or_points(text)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10_000), at=st.integers(0, 10_000), char=st.characters())
def test_a_filter_with_a_slip_parses_or_says_where(seed: int, at: int, char: str) -> None:
    generator = Generator(seed, WORLD[:20])
    text = generator.text(generator.tree())
    at %= len(text)
    _parses_or_points(text[:at] + text[at + 1 :])
    _parses_or_points(text[:at] + char + text[at:])


def _parses_or_points(text: str) -> None:
    wrong: InvalidFilter | None = None
    try:
        parse_filter(text)
    except InvalidFilter as error:
        wrong = error
    assert wrong is None or 1 <= wrong.column <= len(text) + 1
