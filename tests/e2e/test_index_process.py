"""The server's index process: it follows what comes, and is replaced when it dies."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
from sqlalchemy import text

from tests.conftest import RunningServer, start_server
from tests.spans import make_request, make_span
from tracelake.store.open import open_store


def send(server: RunningServer, first: int, count: int) -> None:
    spans = [make_span(n, 1, name=f"call {n % 3}") for n in range(first, first + count)]
    body = make_request(spans).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    with urlopen(Request(server.url + "/v1/traces", body, headers)) as answer:
        assert answer.status == 200


def index_processes(server: RunningServer) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if "--follow" in child.cmdline()]


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def stop(*servers: RunningServer) -> None:
    for server in servers:
        server.process.terminate()
    for server in servers:
        server.process.wait(30)


def test_it_follows_and_is_replaced(tmp_path: Path, store_url: str) -> None:
    first = start_server(tmp_path / "one", store_url)
    second = start_server(tmp_path / "two", store_url) if "postgres" in store_url else None
    servers = [first, second] if second else [first]
    store = open_store(store_url)
    try:
        send(first, 1, 40)
        wait_until(lambda: store.indexer.lag("text") == 0)
        assert len(store.traces.find_traces(filter="name = 'call 1'").traces) == 14
        for server in servers:
            (process,) = index_processes(server)
            process.kill()
        send(first, 41, 20)
        # Before the next one comes, what is not indexed is found all the same.
        assert len(store.traces.find_traces(filter="name = 'call 1'").traces) == 20
        wait_until(lambda: store.indexer.lag("text") == 0)
        assert len(store.traces.find_traces(filter="name = 'call 1'").traces) == 20
        with urlopen(first.url + "/metrics") as answer:
            assert 'tracelake_index_lag_traces{index="text"} 0.0' in answer.read().decode()
        processes = [process for server in servers for process in index_processes(server)]
    finally:
        store.close()
        stop(*servers)
    assert all(not process.is_running() for process in processes)


def test_it_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    server = start_server(tmp_path, f"sqlite:///{tmp_path / 'tracelake.db'}")
    (process,) = index_processes(server)
    server.process.kill()
    server.process.wait()
    process.wait(20)


def test_it_is_built_again_when_asked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    command = [sys.executable, "-m", "tracelake", "index", "--rebuild", "--store-url", url]
    server = start_server(tmp_path, url)
    try:
        send(server, 1, 40)
        store = open_store(url)
        wait_until(lambda: store.indexer.lag("text") == 0)
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "Stop the server that uses this store" in refused.stderr
    finally:
        stop(server)
    with store.database.write() as connection:
        connection.execute(text("DELETE FROM index_blocks"))
    assert not store.traces.find_traces(filter="name = 'call 1'").traces
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout) == (0, "The index is up to date.\n")
    assert store.indexer.lag("text") == 0
    assert len(store.traces.find_traces(filter="name = 'call 1'").traces) == 14
    store.close()
