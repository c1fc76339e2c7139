"""Pages that the index answers newest first, whatever lies in which segment."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.spans import START_NS, make_span, public_id, write
from tracelake.store.index.follow import catch_up
from tracelake.store.index.view import IndexView
from tracelake.store.open import Store

TRACES = 120
MS = 1_000_000
Known = dict[int, dict[str, Any]]


@pytest.fixture(params=["as they start", "in any order"])
def known(store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Known:
    """Traces by number, many of which start at the same moment, in segments of their own and
    beyond the index; some have changed since they were indexed."""
    monkeypatch.setattr("tracelake.store.index.search._SORTED_AT_ONCE", 10)
    monkeypatch.setattr("tracelake.store.index.merge.WIDTH", 1000)
    chance = random.Random(7)
    starts = [START_NS + n * 60_000 * MS for n in range(30)]
    chosen = chance.choices(starts, k=TRACES - 1)
    if request.param == "as they start":
        chosen.sort()
    traces: Known = {}
    for done, n in enumerate(range(1, TRACES)):
        word = f"apple{n % 3}"
        traces[n] = {"start_ns": chosen[done], "tag": None, "word": word, "error": n % 4 == 0}
        root = make_span(n, 1, name="step", error=n % 4 == 0, note=f"an {word} a day")
        root.start_time_unix_nano = traces[n]["start_ns"]
        root.end_time_unix_nano = root.start_time_unix_nano + MS
        write(store, root)
        if done % 9 == 0:
            changed = chance.randint(1, n)
            store.editor.set_tag(public_id(changed), "env", "prod")
            traces[changed]["tag"] = "prod"
        if done % 16 == 15:
            catch_up(store.indexer)
    return traces


MIDDLE_MS = START_NS // MS + 14 * 60_000
FILTERS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "status = 'ERROR'": lambda t: t["error"],
    "NOT status = 'ERROR'": lambda t: not t["error"],
    "tags.env = 'prod'": lambda t: t["tag"] == "prod",
    "trace.text LIKE '%apple1%'": lambda t: t["word"] == "apple1",
    "trace.text LIKE '%pple1 a d%' AND status = 'OK'": lambda t: (
        t["word"] == "apple1" and not t["error"]
    ),
    f"timestamp_ms >= {MIDDLE_MS}": lambda t: t["start_ns"] // MS >= MIDDLE_MS,
    f"status = 'OK' AND timestamp_ms < {MIDDLE_MS}": lambda t: (
        not t["error"] and t["start_ns"] // MS < MIDDLE_MS
    ),
    f"timestamp_ms = {MIDDLE_MS}": lambda t: t["start_ns"] // MS == MIDDLE_MS,
    f"timestamp_ms <= {MIDDLE_MS - 1} OR tags.env IS NOT NULL": lambda t: (
        t["start_ns"] // MS < MIDDLE_MS or t["tag"] is not None
    ),
}


@pytest.mark.parametrize("page_size", [1, 7, 50, 500])
def test_pages_hold_every_match_once_in_order(store: Store, known: Known, page_size: int) -> None:
    for filter, holds in FILTERS.items():
        wanted = sorted(
            (n for n, trace in known.items() if holds(trace)),
            key=lambda n: (-known[n]["start_ns"], n),
        )
        found: list[str] = []
        token: str | None = None
        while True:
            page = store.traces.find_traces(filter=filter, max_results=page_size, page_token=token)
            found += [info.trace_id for info in page.traces]
            token = page.next_page_token
            if token is None:
                break
        assert found == [public_id(n) for n in wanted], filter


def test_a_page_reads_no_more_segments_than_it_needs(
    store: Store, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[int] = set()
    alive = IndexView.alive

    def noted(view: IndexView, segment: Any) -> Any:
        asked.add(segment.segment_id)
        return alive(view, segment)

    monkeypatch.setattr(IndexView, "alive", noted)
    newest = max(known, key=lambda n: (known[n]["start_ns"], -n))
    page = store.traces.find_traces(filter="status != 'IN_PROGRESS'", max_results=1)
    assert [info.trace_id for info in page.traces] == [public_id(newest)]
    starts = [known[n]["start_ns"] for n in known]
    if starts == sorted(starts):
        assert len(asked) <= 2
