"""What a benchmark may ask of every system, and the processes behind it."""

import os
import socket
import sqlite3
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

START_SECONDS: Final = 600.0


class NotSupported(Exception):
    """The system has no such thing; the message says what is missing."""


class System(ABC):
    """A tracing server with a store of its own in `folder`. Started once, stopped once."""

    name: str
    still_seconds = 5.0
    """A count that has not grown for this long is taken to have ended."""
    warm_seconds = 6.0
    """Of load before the first measurement: it is as fast then as it will be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ports: list[int] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []

    @abstractmethod
    def start(self) -> None:
        """Ready to take traces when it returns."""

    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def count_traces(self) -> int:
        """Traces that are in its database and readable there, whole or not yet whole."""

    @abstractmethod
    def is_readable(self, trace_id: str, spans: int) -> bool:
        """Whether its own API gives this trace (32 hex digits) with all its spans."""

    @abstractmethod
    def disk_bytes(self) -> int:
        """What its database takes, write-ahead logs folded in. Call after `stop`."""

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", port) for port in self.ports]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    def settle(self) -> None:
        """Wait for work behind an acknowledgement, where the system tells of any."""
        return

    def stop(self) -> None:
        for process in self._processes:
            _end_tree(process)
        for log in self._logs:
            log.close()
        self._processes.clear()

    def memory_bytes(self) -> int:
        """Proportional set size of its server processes, children included; no database server."""
        total = 0
        for process in self._processes:
            try:
                root = psutil.Process(process.pid)
                for each in (root, *root.children(recursive=True)):
                    total += each.memory_full_info().pss
            except psutil.Error:
                continue
        return total

    def wait_counted(self, expected: int, patience_s: float) -> tuple[int, float]:
        """Traces once the count reached `expected` or stands still; and when it last grew.

        The time is `time.monotonic()`'s.
        """
        count, changed = self.count_traces(), time.monotonic()
        until = changed + patience_s
        while count < expected and time.monotonic() < until:
            time.sleep(0.1)
            now = self.count_traces()
            if now != count:
                count, changed = now, time.monotonic()
            elif time.monotonic() - changed > self.still_seconds:
                break
        return count, changed

    def _launch(
        self, command: Sequence[str], environment: Mapping[str, str], probe: str, port: int
    ) -> None:
        """Start a server process and wait until `probe` answers on its port."""
        log = (self.folder / f"server-{port}.log").open("wb")
        self._logs.append(log)
        process = subprocess.Popen(
            list(command),
            env={**os.environ, **environment},
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._processes.append(process)
        self.ports.append(port)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if process.poll() is not None:
                self.stop()
                raise RuntimeError(f"{self.name} ended at once; see {log.name}")
            try:
                with urlopen(f"http://127.0.0.1:{port}{probe}", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.name} did not start within {START_SECONDS:g} s")


def _end_tree(process: subprocess.Popen[bytes]) -> None:
    """End a server and the processes it started, which a server may leave behind."""
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    for each in psutil.wait_procs(started, timeout=10)[1]:
        each.kill()


def ask(url: str, body: bytes | None = None, timeout_s: float = 60.0) -> bytes | None:
    """The answer's body; None for 404. A body is sent as JSON by POST."""
    request = Request(url, body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=timeout_s) as answer:
            return answer.read()
    except HTTPError as error:
        if error.code == 404:
            return None
        raise RuntimeError(f"{url}: {error.code} {error.read()[:300]!r}") from error


def count_rows(database: Path, query: str) -> int:
    """One number out of an SQLite file that another process may be writing."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def sqlite_bytes(database: Path) -> int:
    """The file's size after a checkpoint."""
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
    return sum(each.stat().st_size for each in database.parent.glob(database.name + "*"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
