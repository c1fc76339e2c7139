"""What deletion promises, on every engine."""

import threading
from pathlib import Path
from random import Random

import pytest

from tests.spans import START_NS, make_span, public_id, write
from tracelake.model.entities import AssessmentSource, SourceType
from tracelake.model.errors import InvalidFilter, InvalidInput
from tracelake.store.api import NewAssessment
from tracelake.store.index.follow import catch_up
from tracelake.store.open import Store, open_store
from tracelake.store.operations import Deleted, TraceScope

_TABLES = ("traces", "spans", "chunks", "assessments")


def fill(store: Store, *numbers: int, experiment_id: int = 0, error: bool = False) -> None:
    for n in numbers:
        root = make_span(n, 1, name="root", error=error)
        root.start_time_unix_nano = START_NS + n * 1_000_000
        root.end_time_unix_nano = root.start_time_unix_nano + 1_000_000
        child = make_span(n, 2, 1)
        child.start_time_unix_nano = child.end_time_unix_nano = root.end_time_unix_nano
        write(store, root, experiment_id=experiment_id)
        write(store, child, experiment_id=experiment_id)


def stored(store: Store) -> set[int]:
    return {int(info.trace_id[3:], 16) for info in store.traces.find_traces().traces}


def row_counts(store: Store) -> list[int]:
    with store.database.read() as connection:
        return [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in _TABLES
        ]


def test_a_trace_goes_whole_and_others_stay(store: Store) -> None:
    fill(store, 1, 2, 3, 4)
    human = AssessmentSource(SourceType.HUMAN)
    for n in (2, 3):
        store.assessments.add(public_id(n), NewAssessment("ok", "feedback", True, human))
    with store.database.read() as connection:
        versions = set(
            connection.exec_driver_sql(
                "SELECT seq FROM traces UNION ALL SELECT seq FROM stale_versions"
            ).scalars()
        )
    assert len(versions) == store.changes.last_seq()
    scope = TraceScope(trace_ids=(public_id(2), public_id(99), public_id(4)))
    assert store.deletion.count(scope) == 2
    assert store.deletion.delete(scope) == Deleted(2, True)
    assert store.deletion.delete(scope) == Deleted(0, True)
    assert stored(store) == {1, 3}
    assert row_counts(store) == [2, 4, 4, 1]
    with store.database.read() as connection:
        after = connection.exec_driver_sql(
            "SELECT seq FROM traces UNION ALL SELECT seq FROM stale_versions"
        ).scalars()
        assert sorted(after) == sorted(versions)


def test_the_number_of_changes_never_goes_back(store: Store) -> None:
    fill(store, 1, 2)
    last = store.changes.last_seq()
    store.deletion.delete(TraceScope(trace_ids=(public_id(2),)))
    assert store.changes.last_seq() == last


def test_a_late_span_of_a_deleted_trace_makes_a_new_trace(store: Store) -> None:
    fill(store, 1)
    store.deletion.delete(TraceScope(trace_ids=(public_id(1),)))
    write(store, make_span(1, 3, 1, name="late"))
    info = store.traces.get_trace(public_id(1))
    assert (info.span_count, info.name) == (1, None)
    assert row_counts(store) == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (TraceScope(until_ms=START_NS // 1_000_000 + 3), {4, 5, 6}),
        (TraceScope(until_ms=START_NS // 1_000_000 + 99, max_traces=4), {5, 6}),
        (TraceScope(experiment_ids=("0",)), {5, 6}),
        (TraceScope(experiment_ids=("0",), max_traces=1), {2, 3, 4, 5, 6}),
        (TraceScope(filter="status = 'ERROR'"), {1, 2, 3}),
        (TraceScope(filter="status = 'ERROR'", experiment_ids=("0",)), {1, 2, 3, 5, 6}),
        (TraceScope(filter="status = 'ERROR'", max_traces=2), {1, 2, 3, 6}),
        (
            TraceScope(
                filter="name = 'no' OR status = 'ERROR'", until_ms=START_NS // 1_000_000 + 5
            ),
            {1, 2, 3, 6},
        ),
        (TraceScope(filter="trace.text LIKE '%nowhere%'"), {1, 2, 3, 4, 5, 6}),
        (TraceScope(trace_ids=()), {1, 2, 3, 4, 5, 6}),
    ],
)
def test_scopes(store: Store, scope: TraceScope, left: set[int]) -> None:
    other = int(store.experiments.create("other", {}).experiment_id)
    fill(store, 1, 2, 3)
    fill(store, 4, error=True)
    fill(store, 5, 6, experiment_id=other, error=True)
    assert store.deletion.count(scope) == 6 - len(left)
    assert store.deletion.delete(scope) == Deleted(6 - len(left), True)
    assert stored(store) == left


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        (TraceScope(), "Nothing given would be all"),
        (TraceScope(max_traces=5), "Nothing given would be all"),
        (TraceScope(trace_ids=("tr-1",)), "is not a trace id"),
        (TraceScope(trace_ids=(public_id(1),), filter="name = 'x'"), "not both"),
        (TraceScope(filter="name = 'x'", max_traces=0), "at least 1"),
        (TraceScope(experiment_ids=("x",)), "whole numbers"),
    ],
)
def test_scopes_that_are_refused(store: Store, scope: TraceScope, says: str) -> None:
    fill(store, 1)
    with pytest.raises(InvalidInput, match=says):
        store.deletion.delete(scope)
    assert stored(store) == {1}


def test_a_wrong_filter_says_where_in_the_callers_own_text(store: Store) -> None:
    with pytest.raises(InvalidFilter) as caught:
        store.deletion.delete(TraceScope(filter="nonsense = 'x'", until_ms=1))
    assert caught.value.column == 1


def test_work_that_is_ended_can_be_taken_up(store: Store) -> None:
    fill(store, *range(1, 8))
    scope = TraceScope(experiment_ids=("0",))
    assert store.deletion.delete(scope, lambda: False) == Deleted(0, False)
    assert store.deletion.delete(scope) == Deleted(7, True)


def test_deletion_while_spans_come_in(store: Store) -> None:
    fill(store, *range(1, 60))
    failed: list[Exception] = []

    def ingest() -> None:
        try:
            fill(store, *range(1001, 1040), error=True)
        except Exception as error:
            failed.append(error)

    writer = threading.Thread(target=ingest)
    writer.start()
    deleted = store.deletion.delete(TraceScope(filter="status = 'OK' AND name = 'root'"))
    writer.join()
    assert failed == []
    assert deleted.traces == 59
    assert stored(store) == set(range(1001, 1040))
    assert row_counts(store) == [39, 78, 78, 0]


def test_the_index_forgets_what_is_deleted(store: Store) -> None:
    fill(store, *range(1, 30))
    catch_up(store.indexer)
    gone = TraceScope(trace_ids=tuple(public_id(n) for n in range(1, 30, 2)))
    assert store.deletion.delete(gone) == Deleted(15, True)
    for text in ("", "status = 'OK'", "name = 'root' AND trace.text LIKE '%root%'"):
        found = store.traces.find_traces(filter=text).traces
        assert {int(info.trace_id[3:], 16) for info in found} == set(range(2, 30, 2))
    write(store, make_span(1, 1, name="again"))
    catch_up(store.indexer)
    assert store.traces.find_traces(filter="name = 'again'").traces[0].trace_id == public_id(1)
    assert store.deletion.delete(TraceScope(filter="status = 'OK'")) == Deleted(15, True)
    catch_up(store.indexer)
    assert store.traces.find_traces().traces == []


@pytest.mark.parametrize("is_ended", [False, True])
def test_what_is_found_by_feedback_on_its_session_goes_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_ended: bool
) -> None:
    """Also where the trace that the feedback stands on is among the first, or work is ended."""
    monkeypatch.setattr("tracelake.store.deletion._PAGE", 2)
    monkeypatch.setattr("tracelake.store.deletion._ROWS", (2, 2, 2))
    for n in range(1, 8):
        write(store, make_span(n, 1, session__id="s1" if n < 7 else "s2"))
    source = AssessmentSource(SourceType.HUMAN)
    said = NewAssessment("bad", "feedback", True, source, metadata={"mlflow.trace.session": "s1"})
    store.assessments.add(public_id(6), said)
    scope = TraceScope(filter="feedback.bad = true")
    assert store.deletion.count(scope) == 6
    asked = iter([True, True, False])
    if is_ended:
        assert not store.deletion.delete(scope, lambda: next(asked)).is_complete
        assert store.deletion.count(scope) == 4
    store.deletion.delete(scope)
    assert [info.trace_id for info in store.traces.find_traces().traces] == [public_id(7)]


def test_disk_is_given_back(tmp_path: Path) -> None:
    file = tmp_path / "tracelake.db"
    store = open_store(f"sqlite:///{file}")
    try:
        for n in range(1, 120):
            write(store, make_span(n, 1, note=Random(n).randbytes(20_000).hex()))
        store.database.checkpoint()
        full_bytes = file.stat().st_size
        assert store.deletion.give_back() == 0
        store.deletion.delete(TraceScope(experiment_ids=("0",)))
        given_bytes = store.deletion.give_back()
        assert given_bytes > full_bytes / 2
        assert file.stat().st_size < full_bytes / 2
        assert store.deletion.give_back() == 0
    finally:
        store.close()


def test_ages_and_filters_at_their_limits(store: Store) -> None:
    write(store, make_span(1, 1, name="a"))
    assert store.deletion.count(TraceScope(until_ms=-(10**15))) == 0
    assert store.deletion.count(TraceScope(until_ms=10**15)) == 1
    longest = " OR ".join(["name = 'a'"] * 200)
    assert store.deletion.count(TraceScope(filter=longest, until_ms=9 * 10**12)) == 1
    assert store.deletion.count(TraceScope(filter=longest, until_ms=1)) == 0
