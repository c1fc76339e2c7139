"""A server killed between a change and the telling of it: the receiver hears of it all the same."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.conftest import RunningServer, free_port, start_server

Told = tuple[str, bytes]
"""Delivery id and body."""


def test_kill_9_loses_no_event(store_url: str, tmp_path: Path) -> None:
    port = free_port()
    server = _start(tmp_path, store_url)
    hook = {
        "name": "hook",
        "url": f"http://127.0.0.1:{port}/",
        "secret": "shh",
        "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    }
    _call(server, "webhooks", hook)
    _call(server, "registered-models/create", {"name": "m"})
    _kill(server)
    server = _start(tmp_path, store_url)
    with _receiver(port, 503) as refused:
        _until(refused)
        _kill(server)
    server = _start(tmp_path, store_url)
    with _receiver(port, 200) as heard:
        _until(heard)
        time.sleep(2)
    _kill(server)
    assert json.loads(heard[0][1])["data"]["name"] == "m"
    assert heard == [refused[0]]
    assert set(refused) == set(heard)


def _start(home: Path, store_url: str) -> RunningServer:
    return start_server(home, store_url, webhook_networks="127.0.0.0/8")


def _kill(server: RunningServer) -> None:
    server.process.kill()
    server.process.wait()


def _call(server: RunningServer, path: str, body: dict[str, Any]) -> None:
    request = Request(
        f"{server.url}/api/2.0/mlflow/{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@contextmanager
def _receiver(port: int, status: int) -> Generator[list[Told]]:
    told: list[Told] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.append((self.headers["x-mlflow-delivery-id"], body))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    receiver = HTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    try:
        yield told
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


def _until(told: list[Told]) -> None:
    """A lease of the killed server lasts for 15 s, and a pause after failures for some more."""
    ends_s = time.monotonic() + 60
    while not told:
        assert time.monotonic() < ends_s, "the receiver was never told"
        time.sleep(0.05)
