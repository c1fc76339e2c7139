"""A server killed under load: what it acknowledged is there, once."""

import random
import threading
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tests.conftest import RunningServer, start_server
from tests.e2e.stored import spans_by_trace
from tests.spans import make_request, make_span

ROUNDS = 20
SPANS = 3


def test_kill_9_loses_nothing_acknowledged(store_url: str, tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    chooser = random.Random(1)
    first = 1
    for _ in range(ROUNDS):
        server = start_server(tmp_path, store_url)
        stop = threading.Event()
        senders = [
            threading.Thread(target=_send, args=(server, first + n * 100_000, stop, acknowledged))
            for n in range(4)
        ]
        for sender in senders:
            sender.start()
        time.sleep(chooser.uniform(0.1, 0.4))
        server.process.kill()
        server.process.wait()
        stop.set()
        for sender in senders:
            sender.join()
        first += 1_000_000
    assert len(acknowledged) > ROUNDS
    stored = spans_by_trace(store_url)
    assert acknowledged <= stored.keys()
    assert set(stored.values()) == {SPANS}


def _send(server: RunningServer, first: int, stop: threading.Event, acknowledged: set[int]) -> None:
    trace = first
    while not stop.is_set():
        spans = [make_span(trace, 1), *(make_span(trace, n, 1) for n in range(2, SPANS + 1))]
        request = urllib.request.Request(
            server.url + "/v1/traces",
            data=make_request(spans).SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.status == 200:
                    acknowledged.add(trace)
        except (OSError, HTTPException):
            return
        trace += 1
