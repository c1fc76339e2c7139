"""Search of the Delta tables gives the answers that the store's engines give: the twin's."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.search.check import MAX_PAGES, disagreements
from tests.search.world import fill, make_world
from tracelake.cli.main import main
from tracelake.lake.search import Place, find_traces
from tracelake.lake.sql import LakeSql
from tracelake.lake.sync import sync
from tracelake.model.errors import InvalidFilter, InvalidInput
from tracelake.store.open import open_store

WORLD = make_world(seed=7)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    store = open_store(f"sqlite:///{folder / 'tracelake.db'}")
    fill(store, WORLD)
    assert sync(store.changes, store.leases, str(folder / "lake")) is not None
    store.close()
    return folder


@pytest.fixture(scope="module")
def lake(home: Path) -> Iterator[LakeSql]:
    opened = LakeSql(str(home / "lake"))
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


def test_the_command_finds_the_same_in_both(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["traces", "--home", str(home), "--filter", "status = 'error' AND model IS NOT NULL"]
    assert main([*asked, "--max-results", "150"]) == 0
    in_store = capsys.readouterr().out.splitlines()
    assert main([*asked, "--max-results", "150", "--lake"]) == 0
    in_lake = capsys.readouterr().out.splitlines()
    assert len(in_store) > 20
    assert [line[:35] for line in in_lake] == [line[:35] for line in in_store]
    assert main([*asked, "--max-results", "1", "--lake", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trace_id"] == in_store[0][:35]


def test_what_cannot_be_asked(lake: LakeSql) -> None:
    with pytest.raises(InvalidFilter):
        find_traces(lake, "nane = 'x'")
    with pytest.raises(InvalidInput):
        find_traces(lake, max_results=0)
