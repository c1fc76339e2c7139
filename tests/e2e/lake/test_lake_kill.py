"""`kill -9` at random moments of `tracelake sync`: the tables hold every trace once."""

import random
import subprocess
import sys
import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.spans import parts_in

from tracelake.lake.sql import LakeSql
from tracelake.lake.status import read_status
from tracelake.store.open import Store, open_store

ROUNDS = 20
NOON_NS = 1_790_000_000_000_000_000
HOUR_NS = 3600 * 10**9


def send(store: Store, trace: int, span_numbers: range, start_ns: int) -> None:
    request = ExportTraceServiceRequest()
    scope_spans = request.resource_spans.add().scope_spans.add()
    for number in span_numbers:
        scope_spans.spans.add(
            trace_id=trace.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            parent_span_id=b"" if number == 1 else (1).to_bytes(8, "big"),
            name=f"step {number}",
            start_time_unix_nano=start_ns + number,
            end_time_unix_nano=start_ns + number + 10**6,
        )
    store.spans.write(parts_in(request)[0])


def start_sync(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tracelake", "sync", "--home", str(home)),
            *("--commit-traces", "10", "--lease-seconds", "0.5"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def sync_to_the_end(home: Path) -> float:
    """Seconds it took; waits for the lease of a killed one to end."""
    output = ""
    for _ in range(40):
        started = time.monotonic()
        process = start_sync(home)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        if output.startswith("synced"):
            return time.monotonic() - started
        time.sleep(0.1)
    raise AssertionError(output)


def rows(lake_uri: Path, statement: str) -> list[tuple[object, ...]]:
    lake = LakeSql(str(lake_uri))
    try:
        return list(lake.query(statement).rows)
    finally:
        lake.close()


def assert_tables_hold_the_store(store: Store, lake_uri: Path) -> None:
    changes = store.changes.read(0, max_traces=10**6, max_spans=10**7)
    traces = sorted((change.info.trace_id, len(change.spans)) for change in changes)
    spans = sorted(
        (change.info.trace_id, span.head.span_id) for change in changes for span in change.spans
    )
    assert rows(lake_uri, "SELECT trace_id, len(spans) FROM traces ORDER BY ALL") == traces
    assert rows(lake_uri, "SELECT trace_id, span_id FROM spans ORDER BY ALL") == spans


def assert_nothing_twice(lake_uri: Path) -> None:
    for key, table in (("trace_id", "traces"), ("(trace_id, span_id)", "spans")):
        ((count, distinct),) = rows(
            lake_uri, f"SELECT count(*), count(DISTINCT {key}) FROM {table}"
        )
        assert count == distinct, table


def test_twenty_kills_leave_every_trace_once(tmp_path: Path) -> None:
    chooser = random.Random(20)
    store = open_store(f"sqlite:///{tmp_path / 'tracelake.db'}")
    killed = interrupted = 0
    try:
        for trace in range(1, 151):
            send(store, trace, range(1, 4), NOON_NS + trace * HOUR_NS)
        count = 150
        whole_s = sync_to_the_end(tmp_path)
        for _ in range(ROUNDS):
            for trace in range(count + 1, count + 61):
                send(store, trace, range(1, 4), NOON_NS + trace * HOUR_NS)
            count += 60
            for trace in chooser.sample(range(1, count), 15):
                # Late spans, some of them earlier than their trace.
                number = chooser.randrange(4, 10)
                start_ns = NOON_NS + (trace - chooser.choice((0, 0, 200))) * HOUR_NS
                send(store, trace, range(number, number + 1), start_ns)
            between = read_status(str(tmp_path / "lake")).seq
            process = start_sync(tmp_path)
            time.sleep(chooser.uniform(0.3, 1.0) * whole_s)
            process.kill()
            process.communicate()
            killed += process.returncode == -9
            interrupted += (
                between < read_status(str(tmp_path / "lake")).seq < store.changes.last_seq()
            )
            assert_nothing_twice(tmp_path / "lake")
        sync_to_the_end(tmp_path)
        assert killed >= ROUNDS // 2, "most passes were over before they were killed"
        assert interrupted >= 1, "no pass was killed between its commits"
        assert_tables_hold_the_store(store, tmp_path / "lake")
    finally:
        store.close()
