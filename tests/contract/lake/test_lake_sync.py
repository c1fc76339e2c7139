"""What a pass promises: every trace once, in its latest state, whatever happened before."""

from collections.abc import Callable

import pytest
from deltalake import DeltaTable
from lake_world import DAY_NS, NOON_NS, Lake
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracelake.lake.sync import LEASE, SyncOptions, sync
from tracelake.lake.table import SPANS_TABLE, TRACES_TABLE, LakeTable, table_uri
from tracelake.model.entities import AssessmentSource, SourceType
from tracelake.model.errors import Conflict
from tracelake.store.api import AssessmentChange, Changes, ClientInfo, NewAssessment, TraceChange

ONE_BY_ONE = SyncOptions(commit_traces=1)


def versions(lake: Lake) -> tuple[int, int]:
    traces, spans = (DeltaTable(table_uri(lake.uri, name)) for name in ("traces", "spans"))
    return traces.version(), spans.version()


def assert_every_trace_once(lake: Lake) -> None:
    """Ids, span ids and states in both tables are those of the store, each once."""
    wanted_spans: list[tuple[str, str]] = []
    wanted_traces: list[tuple[str, str, int]] = []
    for change in lake.store.changes.read(0, max_traces=10_000, max_spans=10**6):
        info = change.info
        wanted_traces.append((info.trace_id, str(info.state), len(change.spans)))
        wanted_spans.extend((info.trace_id, span.head.span_id) for span in change.spans)
    assert lake.rows("SELECT trace_id, state, len(spans) FROM traces ORDER BY 1") == sorted(
        wanted_traces
    )
    assert lake.rows("SELECT trace_id, span_id FROM spans ORDER BY ALL") == sorted(wanted_spans)


def feedback(value: object) -> NewAssessment:
    return NewAssessment("helpful", "feedback", value, AssessmentSource(SourceType.HUMAN, "ann"))


@pytest.mark.parametrize("options", [SyncOptions(), ONE_BY_ONE])
def test_everything_arrives_once_over_several_days(lake: Lake, options: SyncOptions) -> None:
    for trace in range(1, 13):
        lake.send(trace, spans=trace % 4 + 1, start_ns=NOON_NS + trace * DAY_NS // 3)
    result = lake.sync(options)
    assert (result.traces, result.spans) == (12, 30)
    assert result.seq == lake.store.changes.last_seq()
    assert_every_trace_once(lake)
    days = lake.rows(
        "SELECT count(DISTINCT request_date), count(DISTINCT date_trunc('day', start_time)) "
        "FROM spans"
    )
    assert days == [(5, 5)]


def test_a_pass_without_changes_writes_nothing(lake: Lake) -> None:
    lake.send(1)
    lake.sync()
    before = versions(lake)
    result = lake.sync()
    assert (result.traces, result.spans, versions(lake)) == (0, 0, before)


def test_an_empty_store_makes_empty_tables(lake: Lake) -> None:
    result = lake.sync()
    assert (result.traces, result.spans, result.seq) == (0, 0, 0)
    assert lake.rows("SELECT count(*) FROM traces") == [(0,)]


def test_feedback_given_after_a_sync_arrives_at_the_next(lake: Lake) -> None:
    trace_id = lake.send(1, spans=2)
    lake.send(2)
    lake.sync()
    added = lake.store.assessments.add(trace_id, feedback(True))
    result = lake.sync()
    assert (result.traces, result.spans) == (1, 2)
    query = "SELECT a.feedback.value FROM (SELECT unnest(assessments) AS a FROM traces)"
    assert lake.rows(query) == [("true",)]
    change = AssessmentChange({"value": False})
    lake.store.assessments.update(trace_id, added.assessment_id, change)
    lake.sync()
    assert lake.rows(query) == [("false",)]
    lake.store.assessments.delete(trace_id, added.assessment_id)
    lake.sync()
    assert lake.rows(query) == []
    assert_every_trace_once(lake)


def test_an_assessment_that_was_overridden_stays_and_is_marked(lake: Lake) -> None:
    trace_id = lake.send(1)
    first = lake.store.assessments.add(trace_id, feedback("no"))
    second = NewAssessment(
        "helpful",
        "feedback",
        "yes",
        AssessmentSource(SourceType.HUMAN, "bob"),
        overrides=first.assessment_id,
    )
    lake.store.assessments.add(trace_id, second)
    lake.sync()
    rows = lake.rows(
        "SELECT a.feedback.value, a.valid FROM (SELECT unnest(assessments) AS a FROM traces) "
        "ORDER BY 1"
    )
    assert rows == [('"no"', False), ('"yes"', True)]


def test_changed_tags_replace_the_row(lake: Lake) -> None:
    trace_id = lake.send(1)
    lake.sync()
    lake.store.editor.set_tag(trace_id, "grade", "A")
    lake.sync()
    lake.store.editor.delete_tag(trace_id, "service.name")
    lake.sync()
    assert lake.rows("SELECT tags['grade'], tags['service.name'] FROM traces") == [("A", None)]
    assert_every_trace_once(lake)


def test_a_late_span_joins_its_trace(lake: Lake) -> None:
    lake.send(1, spans=2)
    lake.send(2, spans=2)
    lake.sync()
    lake.send(1, first_span=3, spans=3)
    lake.sync()
    assert lake.rows("SELECT len(spans) FROM traces ORDER BY 1") == [(2,), (5,)]
    assert_every_trace_once(lake)


@pytest.mark.parametrize("options", [SyncOptions(), ONE_BY_ONE])
@pytest.mark.parametrize("days", [0.0001, 1, 40, 4000])
def test_a_late_earlier_span_moves_the_start(lake: Lake, days: float, options: SyncOptions) -> None:
    for trace in range(1, 8):
        lake.send(trace, spans=2, start_ns=NOON_NS + trace * 10**9)
    lake.sync(options)
    earlier_ns = NOON_NS - int(days * DAY_NS)
    for trace in (2, 5):
        lake.send(trace, first_span=7, start_ns=earlier_ns + trace)
    lake.send(90, start_ns=NOON_NS + 3 * DAY_NS)
    result = lake.sync(options)
    assert (result.traces, result.spans) == (3, 7)
    assert_every_trace_once(lake)
    moved = lake.rows("SELECT min(epoch_us(request_time)) FROM traces")
    assert moved == [((earlier_ns + 2 + 7000) // 1000,)]
    one_place = "SELECT count(DISTINCT request_date) FROM spans GROUP BY trace_id"
    assert set(lake.rows(one_place)) == {(1,)}


def test_a_span_sent_again_with_another_time_moves_the_start_back(lake: Lake) -> None:
    lake.send(1, start_ns=NOON_NS)
    lake.send(2, start_ns=NOON_NS)
    lake.sync()
    lake.send(1, start_ns=NOON_NS + 30 * DAY_NS)
    lake.sync()
    assert_every_trace_once(lake)


class Meanwhile:
    """The store's changes, with something happening right after the first read."""

    def __init__(self, changes: Changes, happen: Callable[[], None]) -> None:
        self._changes = changes
        self._happen: Callable[[], None] | None = happen

    def read(self, after_seq: int, *, max_traces: int, max_spans: int) -> list[TraceChange]:
        found = self._changes.read(after_seq, max_traces=max_traces, max_spans=max_spans)
        if self._happen is not None:
            happen, self._happen = self._happen, None
            happen()
        return found

    def last_seq(self) -> int:
        return self._changes.last_seq()


@pytest.mark.parametrize("changed", [(1,), (1, 3), (2, 5)])
@pytest.mark.parametrize("read_traces", [1, 2, 3])
def test_a_trace_that_changes_during_the_pass_is_there_once(
    lake: Lake, read_traces: int, changed: tuple[int, ...]
) -> None:
    for trace in range(1, 6):
        lake.send(trace)

    def change() -> None:
        for trace in changed:
            lake.send(trace, first_span=2)

    options = SyncOptions(read_traces=read_traces)
    result = sync(Meanwhile(lake.store.changes, change), lake.store.leases, lake.uri, options)
    assert result is not None
    lake.sync()
    assert_every_trace_once(lake)


@pytest.mark.parametrize("ahead", [SPANS_TABLE, TRACES_TABLE])
def test_a_table_that_is_behind_the_other_catches_up(lake: Lake, ahead: object) -> None:
    for trace in range(1, 4):
        lake.send(trace, spans=2)
    lake.sync()
    lake.send(2, first_span=3, start_ns=NOON_NS - DAY_NS)
    lake.send(4, spans=2)
    # As if killed between the two commits of a batch.
    spec = SPANS_TABLE if ahead is SPANS_TABLE else TRACES_TABLE
    table = LakeTable(spec, lake.uri)
    changes = lake.store.changes.read(table.cursor, max_traces=100, max_spans=100)
    ids = {f"tr-{2:032x}"}
    table.commit([spec.rows(changes)], ids, changes[-1].seq)
    lake.send(1, first_span=3)
    lake.send(2, first_span=4)
    lake.sync()
    assert_every_trace_once(lake)


def test_one_sync_at_a_time(lake: Lake) -> None:
    lake.send(1)
    assert lake.store.leases.acquire(LEASE, "someone", 60)
    assert sync(lake.store.changes, lake.store.leases, lake.uri) is None
    lake.store.leases.release(LEASE, "someone")
    assert lake.sync().traces == 1
    assert lake.store.leases.acquire(LEASE, "someone", 60), "the lease was not given back"


def test_a_commit_by_a_process_that_slept_is_refused(lake: Lake) -> None:
    lake.send(1)
    lake.sync()
    asleep = [LakeTable(spec, lake.uri) for spec in (SPANS_TABLE, TRACES_TABLE)]
    lake.send(2)
    changes = lake.store.changes.read(asleep[0].cursor, max_traces=9, max_spans=9)
    lake.sync()
    for table in asleep:
        for replaced in (set[str](), {f"tr-{2:032x}"}):
            with pytest.raises(Conflict, match="another process"):
                table.commit([table.spec.rows(changes)], replaced, changes[-1].seq)
    assert_every_trace_once(lake)


def test_a_lost_lease_stops_the_pass(lake: Lake) -> None:
    for trace in range(1, 4):
        lake.send(trace)

    def take_over() -> None:
        # The lease of this pass is over at once, as if the process had slept.
        assert lake.store.leases.acquire(LEASE, "someone", 60)

    options = SyncOptions(read_traces=1, lease_s=0.0)
    with pytest.raises(Conflict, match="took over"):
        sync(Meanwhile(lake.store.changes, take_over), lake.store.leases, lake.uri, options)


def test_tables_of_another_store_are_refused(lake: Lake) -> None:
    lake.send(1)
    table = LakeTable(TRACES_TABLE, lake.uri)
    change = lake.store.changes.read(0, max_traces=1, max_spans=1)
    table.commit([TRACES_TABLE.rows(change)], set(), 10**6)
    with pytest.raises(Conflict, match="another store"):
        lake.sync()


def test_compaction_joins_files_and_keeps_rows_and_cursor(lake: Lake) -> None:
    for trace in range(1, 11):
        lake.send(trace, spans=2)
        lake.sync(SyncOptions(compact_files=1000))
    uri = table_uri(lake.uri, "traces")
    assert len(DeltaTable(uri).file_uris()) == 10
    seq = lake.sync(SyncOptions(compact_files=5)).seq
    assert len(DeltaTable(uri).file_uris()) == 1
    assert LakeTable(TRACES_TABLE, lake.uri).cursor == seq
    after = versions(lake)
    assert lake.sync(SyncOptions(compact_files=5)).traces == 0
    assert versions(lake) == after
    lake.send(3, first_span=9, start_ns=NOON_NS - 9 * DAY_NS)
    lake.sync()
    assert_every_trace_once(lake)


def test_many_traces_change_in_one_commit(lake: Lake) -> None:
    for trace in range(1, 401):
        lake.send(trace, start_ns=NOON_NS + trace * DAY_NS // 50)
    lake.sync()

    def second_span(request: ExportTraceServiceRequest) -> None:
        request.resource_spans[0].scope_spans[0].spans[0].name = "second"

    for trace in range(1, 401, 2):
        lake.send(trace, first_span=2, start_ns=NOON_NS, edit=second_span)
    lake.sync()
    assert_every_trace_once(lake)
    assert lake.rows("SELECT count(*) FROM spans WHERE name = 'second'") == [(200,)]


def test_a_trace_that_changes_its_experiment_is_there_once(lake: Lake) -> None:
    trace_id = lake.send(1, spans=2)
    lake.sync()
    other = lake.store.experiments.create("other", {}).experiment_id
    lake.store.client_infos.put(ClientInfo(trace_id, other, NOON_NS))
    lake.sync()
    assert_every_trace_once(lake)
    for query in (
        "trace_location.mlflow_experiment.experiment_id FROM traces",
        "experiment_id FROM spans",
    ):
        assert lake.rows(f"SELECT DISTINCT {query}") == [(other,)]
