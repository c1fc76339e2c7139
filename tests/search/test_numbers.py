"""Every number that a page shows as a link counts to the list that the link opens."""

import random
from collections.abc import Iterator

import pytest

from tests.search.filters import Generator
from tests.search.short_filters import short_of
from tests.search.test_search_twin import WORLD
from tests.search.world import fill
from tracelake.model.error_groups import group_of
from tracelake.model.filters.parse import with_short
from tracelake.store.api import FacetQuery, GroupQuery, Measure, MetricQuery
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store, open_store

QUERIES = 200
_TERMS = {
    "name": "name",
    "user": "user",
    "session": "session",
    "model": "model",
    "tool": "tool",
    "error": "error",
    "span.name": "span",
    "span.type": "type",
    "tags.env": "tag.env",
}
"""Facets, and the fields of the terms that their values become."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Half of it in the index, the rest in the tables."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'tracelake.db'}")
    fill(store, WORLD, lambda: catch_up(store.indexer))
    yield store
    store.close()


def short_queries() -> Iterator[str]:
    generator = Generator(41, WORLD)
    yield ""
    told = 1
    while told < QUERIES:
        short = short_of(generator.tree())
        if short is not None and short.count("(") < 8:
            told += 1
            yield short


def listed(store: Store, short: str) -> int:
    """How many rows the list has, read to its end."""
    count, token = 0, None
    while True:
        page = store.traces.find_traces(
            filter=with_short(None, short), max_results=500, page_token=token
        )
        count += len(page.traces)
        token = page.next_page_token
        if token is None:
            return count


def both(short: str, term: str) -> str:
    return f"({short}) {term}" if short else term


def quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def counted(store: Store, metric: str, short: str) -> int:
    query = MetricQuery(metric, ("COUNT",), filter=with_short(None, short))
    points = store.analytics.query_metric(query)
    return int(points[0].values["COUNT"]) if points else 0


def test_numbers_count_to_their_lists(filled: Store) -> None:
    chance = random.Random(17)
    for short in short_queries():
        text = with_short(None, short)
        assert counted(filled, "trace_count", short) == listed(filled, short), short
        assert counted(filled, "error_count", short) == listed(filled, both(short, "failed"))
        [name] = chance.sample([*_TERMS], 1)
        [facet] = filled.facets.find(FacetQuery((name,), text, max_values=100))
        if not facet.is_exact:
            continue
        for value in chance.sample(facet.values, min(2, len(facet.values))):
            term = both(short, f"{_TERMS[name]}:{quoted(value.value)}")
            assert value.count == listed(filled, term), term


def test_groups_count_to_their_lists(filled: Store) -> None:
    measures = (Measure("trace_count", "COUNT"), Measure("error_count", "COUNT"))
    chance = random.Random(19)
    for number, short in enumerate(short_queries()):
        if number % 4:
            continue
        [dimension] = chance.sample(["user", "model", "tool", "tags.env"], 1)
        page = filled.analytics.find_groups(
            GroupQuery(measures, (dimension,), filter=with_short(None, short))
        )
        named = [group for group in page.groups if group.dimensions[dimension]]
        for group in chance.sample(named, min(2, len(named))):
            term = f"{_TERMS[dimension]}:{quoted(group.dimensions[dimension] or '')}"
            assert group.values[0] == listed(filled, both(short, term)), term
            assert (group.values[1] or 0) == listed(filled, both(short, f"{term} failed")), term


def test_error_groups_count_to_their_lists(filled: Store) -> None:
    [errors] = filled.facets.find(FacetQuery(("error",), max_values=1000))
    groups = {group_of(value.value) for value in errors.values}
    assert len(groups) > 2
    for group in groups:
        pattern = group.pattern.replace("/", "\\/")
        found = {
            info.trace_id
            for value in errors.values
            if group_of(value.value) == group
            for info in filled.traces.find_traces(
                filter=with_short(None, f"error:{quoted(value.value)}"), max_results=500
            ).traces
        }
        assert listed(filled, f"error:/{pattern}/") == len(found), group
