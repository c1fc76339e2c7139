"""Facets against a count by hand, read from the tables, from the index, and from both."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.spans import START_NS, heads_of, make_span, public_id, write
from tracelake.model.entities import AssessmentSource, SourceType
from tracelake.model.errors import InvalidInput
from tracelake.store.api import FacetQuery, NewAssessment
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store, open_store

START_MS = START_NS // 1_000_000
TRACES = 60


@pytest.fixture(params=["tables", "index", "both"])
def filled(request: pytest.FixtureRequest, store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    chance = random.Random(2)
    for n in range(1, TRACES + 1):
        if request.param == "both" and n % 25 == 0:
            catch_up(store.indexer)
        root = make_span(
            n, 1, name=f"Agent {n % 3}", error=n % 7 == 0, user__id=f"user {chance.randrange(9)}"
        )
        call = make_span(
            n, 2, 1, name="chat", gen_ai__request__model=chance.choice(["gpt-4o", "GPT-4o-mini"])
        )
        write(store, root)
        write(store, call)
        if n % 4 == 0:
            store.editor.set_tag(public_id(n), chance.choice(["env", "env2", "en"]), f"v{n % 3}")
        if n % 10 == 0:
            source = AssessmentSource(SourceType.HUMAN)
            store.assessments.add(public_id(n), NewAssessment("good", "feedback", True, source))
    if request.param == "index":
        catch_up(store.indexer)
    yield store
    store.close()


def values_of(store: Store, field: str, filter: str) -> Counter[str]:
    """Counted over what the reader tells, a trace at a time."""
    counts: Counter[str] = Counter()
    for info in store.traces.find_traces(filter=filter, max_results=500).traces:
        heads = heads_of(store, info.trace_id)
        found: dict[str, Any] = {
            "status": [str(info.state)],
            "name": [info.name],
            "user": [info.user],
            "tags": [key for key in info.tags if key != "mlflow.traceName"],
            "tags.env": [info.tags.get("env")],
            "model": [head.model for head in heads],
            "span.name": [head.name for head in heads],
            "error": [head.error for head in heads],
            "feedback": [told.name for told in info.assessments],
        }
        counts.update({value for value in found[field] if value is not None})
    return counts


FIELDS = ("status", "name", "user", "tags", "tags.env", "model", "span.name", "error", "feedback")


@pytest.mark.parametrize(
    "filter", ["", "user LIKE 'user 1%' OR status = 'ERROR'", "trace.text LIKE '%mini%'"]
)
def test_values_and_counts(filled: Store, filter: str) -> None:
    told = filled.facets.find(FacetQuery(FIELDS, filter, max_values=100))
    is_exact = "text" not in filter
    for facet in told:
        wanted = values_of(filled, facet.field, filter)
        found = {each.value: each.count for each in facet.values}
        if is_exact:
            assert found == dict(wanted), facet.field
            assert facet.is_exact
        assert facet.value_count == len(found)
        assert wanted.keys() <= found.keys()
        assert all(count <= found[value] for value, count in wanted.items())
        assert [each.count for each in facet.values] == sorted(found.values(), reverse=True)
    total = filled.facets.count(FacetQuery(filter=filter))
    count = len(filled.traces.find_traces(filter=filter, max_results=500).traces)
    assert (total.count == count and total.is_exact) or (not is_exact and total.count >= count)


def test_a_prefix_and_a_range_narrow_them(filled: Store) -> None:
    query = FacetQuery(("model",), prefix="gpt-4O-M", max_values=5)
    (model,) = filled.facets.find(query)
    assert [each.value for each in model.values] == ["GPT-4o-mini"]
    (tags,) = filled.facets.find(FacetQuery(("tags",), prefix="env"))
    assert {each.value for each in tags.values} == {"env", "env2"}
    for start, end, count in ((None, START_MS, 0), (START_MS, None, TRACES)):
        query = FacetQuery(("name",), start_time_ms=start, end_time_ms=end)
        assert sum(each.count for each in filled.facets.find(query)[0].values) == count
        assert filled.facets.count(query).count == count


def test_an_unknown_field_lists_the_known(filled: Store) -> None:
    with pytest.raises(InvalidInput, match=r"model, provider, tool"):
        filled.facets.find(FacetQuery(("colour",)))


def test_a_count_is_never_too_low(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelake.store.facets._MOST_IN_TAIL", 3)
    for n in range(1, 9):
        write(store, make_span(n, 1, error=n % 2 == 0))
    for filter, least in (("", 8), ("status = 'ERROR'", 4), ("trace.text LIKE '%step%'", 8)):
        told = store.facets.count(FacetQuery(filter=filter))
        assert told.count >= least
        assert not told.is_exact


def test_a_field_that_no_text_can_name_is_refused(store: Store) -> None:
    write(store, make_span(1, 1))
    with pytest.raises(InvalidInput, match="field"):
        store.facets.find(FacetQuery(("tags.\ud800",)))
