"""The lake beside a running server: routes, the background job, the recorded real runs."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.conftest import RunningServer, start_server
from tests.spans import parts_in

from tracelake.lake.job import LakeJob
from tracelake.lake.process import LakePlace, SyncFailed, run_sync
from tracelake.lake.sql import LakeSql
from tracelake.lake.status import LakeStatus, read_status
from tracelake.lake.sync import LEASE
from tracelake.store.open import Store, open_store

ROOT = Path(__file__).parents[3]
RUNS = "data/airline_trajectories.json.gz"


def call(server: RunningServer, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    with urlopen(Request(server.url + path, data, headers), timeout=120) as answer:
        return json.load(answer)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    running = start_server(tmp_path, f"sqlite:///{tmp_path / 'tracelake.db'}")
    yield running
    running.process.terminate()
    running.process.wait(30)


def test_the_job_syncs_again_and_again_and_stops(tmp_path: Path) -> None:
    place = LakePlace(f"sqlite:///{tmp_path / 'tracelake.db'}", str(tmp_path / "lake"))

    async def wait_for(seq_above: int) -> int:
        for _ in range(300):
            seq = read_status(place.lake_uri).seq
            if seq > seq_above:
                return seq
            await asyncio.sleep(0.1)
        raise AssertionError("the job did not sync within 30 s")

    async def run() -> None:
        job = LakeJob(place, 0.1)
        job.start()
        send(place.store_url)
        first = await wait_for(0)
        send(place.store_url)
        await wait_for(first)
        await asyncio.sleep(0.2)
        await job.stop()
        send(place.store_url)
        seq = read_status(place.lake_uri).seq
        await asyncio.sleep(1.0)
        assert read_status(place.lake_uri).seq == seq, "a pass ran after the job was stopped"

    asyncio.run(run())


def test_the_jobs_of_two_servers_copy_once(
    store_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = LakePlace(store_url, str(tmp_path / "lake"))

    async def run() -> LakeStatus:
        jobs = [LakeJob(place, 0.1), LakeJob(place, 0.1)]
        for job in jobs:
            job.start()
        for count in range(1, 4):
            send(store_url)
            for _ in range(300):
                status = read_status(place.lake_uri)
                if status.traces >= count and status.spans >= count:
                    break
                await asyncio.sleep(0.1)
        for job in jobs:
            await job.stop()
        return read_status(place.lake_uri)

    caplog.set_level("INFO")
    status = asyncio.run(run())
    assert (status.traces, status.spans) == (3, 3)
    assert "failed" not in caplog.text


def test_a_job_waits_for_the_one_that_has_the_lease(
    store: Store, store_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = LakePlace(store_url, str(tmp_path / "lake"))
    send(store_url)

    async def until(is_so: Callable[[], bool]) -> None:
        for _ in range(300):
            if is_so():
                return
            await asyncio.sleep(0.1)
        raise AssertionError("not within 30 s")

    async def run() -> None:
        job = LakeJob(place, 0.1)
        job.start()
        await until(lambda: "another one is running" in caplog.text)
        assert read_status(place.lake_uri).traces == 0
        store.leases.release(LEASE, "another")
        await until(lambda: read_status(place.lake_uri).traces == 1)
        await job.stop()

    caplog.set_level("INFO")
    assert store.leases.acquire(LEASE, "another", 120)
    asyncio.run(run())


def send(store_url: str) -> None:
    """A trace with a fresh id."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=os.urandom(16),
        span_id=os.urandom(8),
        name="step",
        start_time_unix_nano=time.time_ns(),
        end_time_unix_nano=time.time_ns(),
    )
    store = open_store(store_url)
    try:
        store.spans.write(parts_in(request)[0])
    finally:
        store.close()


async def test_a_sync_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where the folder should be")
    with pytest.raises(SyncFailed, match=r"\w"):
        await run_sync(LakePlace(f"sqlite:///{tmp_path / 't.db'}", str(tmp_path / "lake")))


def test_sync_over_the_api(server: RunningServer, tmp_path: Path) -> None:
    lake_uri = str(tmp_path / "lake")
    empty = {"location": lake_uri, "seq": 0, "traces": 0, "spans": 0}
    assert call(server, "/api/v1/lake") == empty
    send(f"sqlite:///{tmp_path / 'tracelake.db'}")
    answer = call(server, "/api/v1/lake/sync", {})
    assert (answer["traces"], answer["spans"]) == (1, 1)
    assert call(server, "/api/v1/lake") == {"location": lake_uri, **answer}
    assert read_status(lake_uri) == LakeStatus(answer["seq"], 1, 1)


def recorded_runs() -> Path:
    shared = Path(os.environ.get("TRACELAKE_SHARED") or ROOT.parent / "shared")
    if not (shared / RUNS).is_file():
        pytest.skip("the recorded runs are not here: set TRACELAKE_SHARED")
    return shared / RUNS


def pages(server: RunningServer, path: str, body: dict[str, Any] | None) -> Iterator[Any]:
    """Every page of a search (with a body) or a listing."""
    token = None
    for _ in range(1000):
        if body is None:
            page = call(server, path + (f"&page_token={token}" if token else ""))
        else:
            page = call(server, path, body | {"page_token": token})
        yield page
        token = page["next_page_token"]
        if token is None:
            return


def told_spans(server: RunningServer, trace_id: str) -> list[dict[str, Any]]:
    path = f"/api/v1/traces/{trace_id}/spans?max_results=100"
    return [span for page in pages(server, path, None) for span in page["spans"]]


def test_the_tables_agree_with_the_api_on_the_recorded_runs(
    server: RunningServer, tmp_path: Path
) -> None:
    path = recorded_runs()
    subprocess.run(
        [sys.executable, str(ROOT / "bench" / "load_airline.py"), "airline", str(path)],
        env=os.environ | {"TRACELAKE_TRACKING_URI": server.url},
        check=True,
        timeout=200,
    )
    call(server, "/api/v1/lake/sync", {})
    traces = {
        trace["trace_id"]: trace
        for page in pages(server, "/api/v1/traces/search", {"max_results": 500})
        for trace in page["traces"]
    }
    lake = LakeSql(str(tmp_path / "lake"))
    try:
        rows = by_column(lake, "SELECT * FROM traces")
        spans = by_column(lake, "SELECT * FROM spans")
    finally:
        lake.close()
    assert sorted(row["trace_id"] for row in rows) == sorted(traces)
    assert len(rows) > 150
    span_rows = {(row["trace_id"], row["span_id"]): row for row in spans}
    assert len(span_rows) == len(spans) == sum(trace["span_count"] for trace in traces.values())
    for row in rows:
        check_trace(row, traces[row["trace_id"]])
    for trace_id in list(traces)[::10]:
        for told in told_spans(server, trace_id):
            check_span(span_rows[trace_id, told["span_id"]], told)


def by_column(lake: LakeSql, statement: str) -> list[dict[str, Any]]:
    answer = lake.query(statement)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def check_trace(row: dict[str, Any], told: dict[str, Any]) -> None:
    for name in ("state", "client_request_id", "request_preview", "response_preview"):
        assert row[name] == told[name]
    assert (row["tags"], row["trace_metadata"]) == (told["tags"], told["trace_metadata"])
    assert row["request_time"] == datetime.fromisoformat(told["request_time"])
    assert row["execution_duration_ms"] == int(told["execution_duration_ms"])
    assert len(row["spans"]) == told["span_count"]
    assert row["trace_location"]["mlflow_experiment"]["experiment_id"] == told["experiment_id"]
    found = {item["assessment_id"]: item for item in row["assessments"]}
    assert set(found) == {item["assessment_id"] for item in told["assessments"]}
    for item in told["assessments"]:
        value = found[item["assessment_id"]]["expectation"]["value"]
        assert json.loads(value) == item["expectation"]["value"]


def check_span(row: dict[str, Any], told: dict[str, Any]) -> None:
    for name in ("parent_span_id", "name", "span_type", "status", "status_message", "kind"):
        assert row[name] == told[name]
    for name in ("model", "provider"):
        assert row[name] == told[name]
    for name in ("inputs", "outputs"):
        assert (row[name] and json.loads(row[name])) == told[name]
    assert {key: json.loads(value) for key, value in row["attributes"].items()} == (
        told["attributes"]
    )
    usage = told["token_usage"]
    assert row["total_tokens"] == (usage and usage["total_tokens"])
