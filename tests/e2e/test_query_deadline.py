"""A slow question over HTTP: answered with 504 in time, and ended when its client goes."""

import http.client
import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.conftest import RunningServer, start_server
from tests.spans import make_span, write
from tracelake.store.open import open_store

TRACES = 4000
# A page of a search looks at so many traces and no more; a count looks at all of them.
SLOW = {
    "metric": "trace_count",
    "aggregations": ["COUNT"],
    "filter": "span.attributes.note RLIKE 'no(thing|body) says (this|that)'",
}


@pytest.fixture
def filled_url(store_url: str) -> str:
    """A store with traces that take seconds to look through."""
    store = open_store(store_url)
    said = " ".join(str(number) for number in range(12_000))
    try:
        for first in range(1, TRACES, 100):
            numbers = range(first, first + 100)
            write(store, *(make_span(n, 1, note=said[n:] + said[:n]) for n in numbers))
    finally:
        store.close()
    return store_url


@contextmanager
def serving(home: Path, store_url: str) -> Generator[RunningServer]:
    running = start_server(home, store_url)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)


def ask(server: RunningServer) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(
        "POST",
        "/api/v1/metrics",
        json.dumps(SLOW).encode(),
        {"content-type": "application/json"},
    )
    return connection


def cpu_seconds(server: RunningServer) -> float:
    spent = psutil.Process(server.process.pid).cpu_times()
    return spent.user + spent.system


def test_an_answer_that_takes_too_long(
    filled_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACELAKE_QUERY_TIMEOUT_SECONDS", "1")
    with serving(tmp_path, filled_url) as server:
        connection = ask(server)
        answer = connection.getresponse()
        told = json.load(answer)
        connection.close()
    assert (answer.status, told["error_code"]) == (504, "DEADLINE_EXCEEDED")
    assert "Narrow the time range" in told["message"]


def test_clients_that_go_away(filled_url: str, tmp_path: Path) -> None:
    """Thirty questions of seconds each would keep the server busy for a minute."""
    with serving(tmp_path, filled_url) as server:
        for _ in range(30):
            connection = ask(server)
            time.sleep(0.02)
            connection.close()
        assert any(is_idle(server) for _ in range(20))
        with urlopen(server.url + "/health", timeout=5) as answer:
            assert answer.status == 200


def is_idle(server: RunningServer) -> bool:
    """Whether the server has nothing to do for half a second."""
    before = cpu_seconds(server)
    time.sleep(0.5)
    return cpu_seconds(server) - before < 0.05
