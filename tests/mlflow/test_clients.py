"""MLflow's own clients against a real server: each bullet of what they can do has its file."""

from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.mlflow.conftest import ClientEnvironment

FILES = sorted(path.name for path in (Path(__file__).parent / "client").glob("test_*.py"))
LIGHT = ["test_light.py"]
ALONE = ["test_login.py", "test_workspace.py"]
"""They need a server that asks for tokens: test_tokens.py."""


def test_the_client_does_all_it_can(client: ClientEnvironment, server: RunningServer) -> None:
    names = LIGHT if client.is_light else [name for name in FILES if name not in ALONE]
    client.run_tests(server, *names)


@pytest.mark.parametrize("name", ALONE)
def test_the_others_are_run_elsewhere(name: str) -> None:
    assert name in FILES
