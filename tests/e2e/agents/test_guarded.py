"""An agent of a server that asks for tokens: who calls needs one, and the agent's spans arrive."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import start_server
from tracelake.agents.client import deploy
from tracelake.store.open import open_store

AGENT = """
from tracelake.agents import last_user_text, set_agent


class Agent:
    def predict(self, request):
        return "again: " + last_user_text(request)


set_agent(Agent())
"""


def test_an_agent_behind_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    server = start_server(tmp_path / "home", url, auth="required")
    try:
        environment = {"TRACELAKE_HOME": str(tmp_path / "home"), "TRACELAKE_STORE_URL": url}
        command = [sys.executable, "-m", "tracelake", "tokens", "create", "ann"]
        told = subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, check=True
        )
        token = told.stdout.split()[0]
        headers = {"authorization": f"Bearer {token}"}
        path = tmp_path / "agent.py"
        path.write_text(AGENT)
        with pytest.raises(Exception, match="token"):
            deploy(path, name="main.test.guarded", tracking_uri=server.url)
        monkeypatch.setenv("TRACELAKE_TRACKING_TOKEN", token)
        made = deploy(path, name="main.test.guarded", tracking_uri=server.url)

        assert httpx.post(made.url, json={"input": "hi"}, timeout=30).status_code == 401
        answer = httpx.post(made.url, json={"input": "hi"}, headers=headers, timeout=30)
        assert answer.json()["output"][0]["content"][0]["text"] == "again: hi"
        place = f"{server.url}/api/v1/traces/{answer.headers['x-tracelake-trace-id']}"
        until_s = time.monotonic() + 20
        while httpx.get(place, headers=headers).status_code != 200:
            assert time.monotonic() < until_s, "the agent's spans did not arrive"
            time.sleep(0.2)
    finally:
        server.process.terminate()
        server.process.wait()
    store = open_store(url)
    own = store.principals.get("tracelake-agents")
    assert all(each.revoked_ms for each in store.principals.credentials_of(own.principal_id))
    store.close()
