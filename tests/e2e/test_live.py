"""Live streams across server processes: nothing is lost, nothing comes twice in one version."""

import json
import time
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from tests.conftest import RunningServer, start_server
from tests.spans import make_request, make_span, public_id

WAIT_S = 20


@contextmanager
def two_servers(folder: Path, store_url: str) -> Generator[tuple[RunningServer, RunningServer]]:
    with ExitStack() as running:
        servers: list[RunningServer] = []
        for name in ("a", "b"):
            server = start_server(folder / name, store_url)
            running.callback(server.process.wait, 30)
            running.callback(server.process.terminate)
            servers.append(server)
        yield servers[0], servers[1]


def send(server: RunningServer, *traces: int, span: int = 1, parent: int | None = None) -> None:
    spans = [make_span(n, span, parent, name=f"s{span}", user__id=f"u{n % 2}") for n in traces]
    request = urllib.request.Request(
        server.url + "/v1/traces",
        data=make_request(spans).SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        assert answer.status == 200


class Events:
    """A client of a stream."""

    def __init__(self, server: RunningServer, path: str, last_id: str | None = None) -> None:
        headers = {"accept-encoding": "gzip"} | ({"last-event-id": last_id} if last_id else {})
        request = urllib.request.Request(server.url + path, headers=headers)
        self._answer = cast("HTTPResponse", urllib.request.urlopen(request, timeout=WAIT_S))
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        self.last_id = last_id or ""

    def next(self) -> tuple[str, Any]:
        """The next event and its data."""
        kind, data = "", ""
        while True:
            line = self._answer.readline().decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif line == "" and data:
                return kind, json.loads(data)

    def rest_of_batch(self) -> None:
        """Read the id that ends a batch."""
        while True:
            line = self._answer.readline().decode()
            if line.startswith("id: "):
                self.last_id = line[4:].strip()
                return

    def close(self) -> None:
        self._answer.close()


def test_a_trace_reaches_a_subscriber_of_another_process(store_url: str, tmp_path: Path) -> None:
    with two_servers(tmp_path, store_url) as (one, other):
        events = Events(other, "/api/v1/traces/stream?filter=" + quote("user = 'u1'"))
        assert events.next()[0] == "open"
        delays: list[float] = []
        for n in range(1, 12, 2):
            send(one, n, n + 1)
            sent = time.monotonic()
            kind, data = events.next()
            delays.append(time.monotonic() - sent)
            assert kind == "traces"
            assert [trace["trace_id"] for trace in data["traces"]] == [public_id(n)]
        events.close()
        print(f"acknowledged to seen, ms: {[round(d * 1000) for d in delays]}")  # noqa: T201


def test_a_client_that_comes_back_loses_nothing(store_url: str, tmp_path: Path) -> None:
    with two_servers(tmp_path, store_url) as (one, other):
        events = Events(one, "/api/v1/traces/stream")
        events.next()
        send(other, 1)
        assert events.next()[0] == "traces"
        events.rest_of_batch()
        events.close()
        send(other, 2, 3)
        send(other, 1, span=2, parent=1)
        # Back at the other process.
        events = Events(other, "/api/v1/traces/stream", events.last_id)
        assert events.next()[0] == "open"
        kind, data = events.next()
        assert kind == "traces"
        assert {t["trace_id"]: t["span_count"] for t in data["traces"]} == {
            public_id(1): 2,
            public_id(2): 1,
            public_id(3): 1,
        }
        send(one, 4)
        assert events.next()[1]["traces"][0]["trace_id"] == public_id(4)
        events.close()
        ahead = Events(one, "/api/v1/traces/stream", "999999")
        assert [ahead.next()[0], ahead.next()[0]] == ["open", "behind"]
        ahead.close()


def test_a_burst_comes_whole_and_once(store_url: str, tmp_path: Path) -> None:
    with two_servers(tmp_path, store_url) as (one, other):
        events = Events(other, "/api/v1/traces/stream?experiment_id=0")
        events.next()
        for first in range(1, 1001, 50):
            send(one, *range(first, first + 50))
        for first in range(1, 1001, 50):
            send(one, *range(first, first + 50), span=2, parent=1)
        versions: dict[str, list[int]] = {}
        while len([v for v in versions.values() if v[-1] == 2]) < 1000:
            kind, data = events.next()
            assert kind == "traces"
            for trace in data["traces"]:
                versions.setdefault(trace["trace_id"], []).append(trace["span_count"])
        assert all(seen in ([2], [1, 2]) for seen in versions.values())
        send(one, 5000)
        assert [t["trace_id"] for t in events.next()[1]["traces"]] == [public_id(5000)]
        events.close()


def test_one_trace_as_it_grows(store_url: str, tmp_path: Path) -> None:
    with two_servers(tmp_path, store_url) as (one, other):
        send(one, 1, span=2, parent=1)
        events = Events(other, f"/api/v1/traces/{public_id(1)}/stream")
        kind, data = events.next()
        assert (kind, data["trace"]["state"], data["spans"]) == ("trace", "IN_PROGRESS", [])
        send(one, 2)
        send(one, 1, span=3, parent=2)
        kind, data = events.next()
        assert [span["name"] for span in data["spans"]] == ["s3"]
        events.close()
        send(one, 1)
        again = Events(one, f"/api/v1/traces/{public_id(1)}/stream", events.last_id)
        kind, data = again.next()
        assert (kind, data["trace"]["state"]) == ("trace", "OK")
        assert [span["name"] for span in data["spans"]] == ["s1"]
        delete = json.dumps({"trace_ids": [public_id(1)]}).encode()
        request = urllib.request.Request(
            one.url + "/api/v1/traces/delete", delete, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            assert json.load(answer) == {"traces_deleted": 1, "more": False}
        send(one, 1, span=4, parent=1)
        kind, data = again.next()
        assert (kind, data["trace"]["span_count"]) == ("behind", 1), "made anew: load it again"
        again.close()


def test_streams_that_are_refused_and_servers_that_stop(tmp_path: Path) -> None:
    server = start_server(tmp_path, f"sqlite:///{tmp_path / 'tracelake.db'}")
    try:
        for path in (
            "/api/v1/traces/stream?filter=nonsense",
            "/api/v1/traces/stream?after_id=x",
            "/api/v1/traces/stream?experiment_id=abc",
            f"/api/v1/traces/{public_id(1)}/stream",
            "/api/v1/traces/tr-1/stream",
        ):
            with pytest.raises(HTTPError) as refused:
                urllib.request.urlopen(server.url + path, timeout=WAIT_S)
            assert refused.value.code in (400, 404)
            refused.value.close()
        events = Events(server, "/api/v1/traces/stream")
        events.next()
    finally:
        server.process.terminate()
        # A stream that is open does not hold the server up.
        assert server.process.wait(9) in (0, -15)
    events.close()
