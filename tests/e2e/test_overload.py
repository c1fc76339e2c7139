"""Far too much at once: refusals say when to come back, memory stays bounded, nothing is lost."""

import argparse
import asyncio
from pathlib import Path
from urllib.request import urlopen

import pytest

from overload import MEMORY_BAR_MB, Seen, missing_of, storm
from tests.conftest import RunningServer, start_server


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_storm(tmp_path: Path, workers: int) -> None:
    store_url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    server = start_server(tmp_path, store_url, workers=workers)
    options = argparse.Namespace(connections=200, per_request=50, seconds=8.0, calm=1.0)
    try:
        seen, memory, _calm_from = await storm(server.port, server.process.pid, options)
        after = await asyncio.to_thread(metrics_of, server)
    finally:
        server.process.terminate()
        assert server.process.wait(60) in (0, -15)
    check(seen)
    assert memory.peak_bytes < MEMORY_BAR_MB * 1e6, memory.parts_mb
    assert missing_of(seen, store_url) == 0
    # All that was reserved has been given back.
    assert "tracelake_ingest_pending_bytes 0.0" in after
    assert "tracelake_ingest_pending_requests 0.0" in after


def check(seen: Seen) -> None:
    assert set(seen.answers) <= {"200", "503 retry-after 1"}, seen.answers
    assert seen.answers["503 retry-after 1"] > 0
    assert seen.answers["200"] > 0
    assert {status for _, _, status in seen.probes} <= {200, 503}


def metrics_of(server: RunningServer) -> str:
    with urlopen(server.url + "/metrics", timeout=60) as answer:
        return answer.read().decode()
