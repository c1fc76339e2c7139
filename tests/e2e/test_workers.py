"""A server with ingest processes: one that dies is replaced, and nothing acknowledged is lost."""

import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import psutil

from tests.conftest import RunningServer, start_server
from tests.e2e.stored import spans_by_trace
from tests.spans import make_request, make_span

PROCESSES = 2
LARGE = "x" * 1_500_000
"""Two with it are enough for a process to be busy, so that the next one is started."""


def test_an_ingest_process_that_dies_is_replaced(store_url: str, tmp_path: Path) -> None:
    server = start_server(tmp_path, store_url, workers=PROCESSES)
    sending = Sending(server)
    try:
        for round_number in range(4):
            eventually(lambda: len(ingest_processes(server)) == PROCESSES)
            enough = len(sending.acknowledged) + 15
            eventually(lambda enough=enough: len(sending.acknowledged) > enough)
            victim = ingest_processes(server)[round_number % PROCESSES]
            victim.kill()
            assert psutil.wait_procs([victim], timeout=30)[1] == []
        eventually(lambda: len(ingest_processes(server)) == PROCESSES)
        enough = len(sending.acknowledged) + 15
        eventually(lambda: len(sending.acknowledged) > enough)
    finally:
        sending.stop()
        server.process.terminate()
        assert server.process.wait(30) in (0, -15)
    assert sending.acknowledged <= spans_by_trace(store_url).keys()
    # Every other answer was one to send again after.
    assert set(sending.refused) <= {(503, "1")}


def test_the_end_of_the_server_is_the_end_of_all(store_url: str, tmp_path: Path) -> None:
    for end in (psutil.Process.terminate, psutil.Process.kill):
        server = start_server(tmp_path, store_url, workers=PROCESSES)
        assert ingest_processes(server) == []
        sending = Sending(server)
        eventually(lambda server=server: len(ingest_processes(server)) == PROCESSES)
        children = ingest_processes(server)
        enough = len(sending.acknowledged) + 20
        eventually(lambda sending=sending, enough=enough: len(sending.acknowledged) > enough)
        end(psutil.Process(server.process.pid))
        server.process.wait(30)
        sending.stop()
        assert psutil.wait_procs(children, timeout=30)[1] == []
        assert sending.acknowledged <= spans_by_trace(store_url).keys()


class Sending:
    """Four senders that go on until they are stopped."""

    def __init__(self, server: RunningServer) -> None:
        self.acknowledged: set[int] = set()
        self.refused: list[tuple[int, str | None]] = []
        self._url = server.url
        self._ended = threading.Event()
        first = time.time_ns()
        self._threads = [
            threading.Thread(target=self._send, args=(first + n * 10**9,)) for n in range(4)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _send(self, trace: int) -> None:
        while not self._ended.is_set():
            trace += 1
            request = urllib.request.Request(
                self._url + "/v1/traces",
                data=make_request([make_span(trace, 1, said=LARGE)]).SerializeToString(),
                headers={"content-type": "application/x-protobuf"},
            )
            try:
                with urllib.request.urlopen(request, timeout=30):
                    self.acknowledged.add(trace)
            except HTTPError as error:
                with error:
                    self.refused.append((error.code, error.headers["retry-after"]))
                time.sleep(0.02)
            except (OSError, HTTPException):
                return


def ingest_processes(server: RunningServer) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if "tracelake.server.ingest_process" in command_of(child)]


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold within 60 s"
        time.sleep(0.02)
