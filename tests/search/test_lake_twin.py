"""Search of the Delta tables gives the answers that the store's engines give: the twin's."""

from collections.abc import Iterator

import pytest

from tests.search.check import MAX_PAGES, disagreements
from tests.search.world import fill, make_world
from tracelake.lake.search import Place, find_traces
from tracelake.lake.sql import LakeSql
from tracelake.lake.sync import sync
from tracelake.model.errors import InvalidFilter, InvalidInput
from tracelake.store.open import open_store

WORLD = make_world(seed=7)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeSql]:
    folder = tmp_path_factory.mktemp("lake")
    store = open_store(f"sqlite:///{folder / 'tracelake.db'}")
    fill(store, WORLD)
    assert sync(store.changes, store.leases, str(folder / "lake")) is not None
    store.close()
    opened = LakeSql(str(folder / "lake"))
    yield opened
    opened.close()


def test_every_answer_is_the_twins(lake: LakeSql) -> None:
    def find(text: str, order_by: list[str], size: int) -> list[str]:
        assert not order_by
        found: list[str] = []
        after: Place | None = None
        for _ in range(MAX_PAGES):
            page = find_traces(lake, text, max_results=size, after=after)
            found += [info.trace_id for info in page.traces]
            after = page.after
            if after is None:
                return found
        raise AssertionError(f"more than {MAX_PAGES} pages")

    wrong = [str(one) for one in disagreements(find, WORLD, seed=13, count=300, ordered=False)]
    assert not wrong, "\n".join(wrong[:10])


def test_what_is_found_is_told_as_the_store_tells_it(lake: LakeSql) -> None:
    (trace,) = find_traces(lake, f"request_id = '{WORLD[3]['id']}'").traces
    told = WORLD[3]
    assert (trace.state, trace.name, trace.user) == (told["status"], told["name"], told["user"])
    assert trace.span_count == len(told["spans"])
    assert trace.error_count == sum(span["status"] == "ERROR" for span in told["spans"])
    valid = [item["value"] for item in told["assessments"] if item["valid"]]
    assert sorted(map(repr, valid)) == sorted(repr(item.value) for item in trace.assessments)


def test_one_experiment(lake: LakeSql) -> None:
    found = find_traces(lake, experiment_ids=["1"], max_results=500).traces
    expected = [trace["id"] for trace in WORLD if trace["experiment"] == "1"]
    assert sorted(info.trace_id for info in found) == sorted(expected)


def test_what_cannot_be_asked(lake: LakeSql) -> None:
    with pytest.raises(InvalidFilter):
        find_traces(lake, "nane = 'x'")
    with pytest.raises(InvalidInput):
        find_traces(lake, max_results=0)
