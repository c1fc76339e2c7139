"""The trace of a request is with the server before the caller has the answer."""

import json
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.conftest import start_server
from tracelake.agents.client import deploy
from tracelake.model.ids import parse_trace_id
from tracelake.store.open import open_store

AGENT = """
from tracelake.agents import create_text_output_item, set_agent


class Echo:
    def predict(self, request):
        return {"output": [create_text_output_item("yes")]}


set_agent(Echo())
"""


@pytest.mark.timeout(300)
def test_a_killed_server_has_the_traces_of_all_its_answers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    server = start_server(tmp_path, url)
    try:
        file = tmp_path / "echo.py"
        file.write_text(AGENT)
        deployment = deploy(file, name="main.test.echo", tracking_uri=server.url)
        answered: list[str] = []
        for stream in (False, True, False):
            body = {"input": [{"role": "user", "content": "?"}], "stream": stream}
            request = Request(
                deployment.url,
                json.dumps(body).encode(),
                {"content-type": "application/json"},
            )
            with urlopen(request, timeout=30) as answer:
                answered.append(answer.headers["x-tracelake-trace-id"])
                assert b"yes" in answer.read()
    finally:
        server.process.kill()
        server.process.wait()
    store = open_store(url)
    try:
        for trace_id in answered:
            assert parse_trace_id(trace_id)
            assert store.traces.get_trace(trace_id).state == "OK"
    finally:
        store.close()
