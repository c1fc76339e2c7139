"""Environments with MLflow's own clients, made once a session, and a server for them to call."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import RunningServer, start_server

CLIENTS = {
    "newest": "mlflow==3.17.2",
    "oldest": "mlflow==3.11.1",
    "tracing": "mlflow-tracing==3.17.2",
}
"""The newest of each package, and the oldest that is supported: six minor versions before."""
collect_ignore = ["client"]
"""Those run in environments that have the packages, by the tests here."""
PROGRAMS = Path(__file__).parent / "client"
_TOOLS = ("pytest", "openai", "opentelemetry-exporter-otlp-proto-http")


class ClientEnvironment:
    """A Python with one of the packages."""

    def __init__(self, folder: Path, requirement: str) -> None:
        self.requirement = requirement
        self._temporary = folder / "tmp"
        self.python = folder / "bin" / "python"
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, folder], check=True)
        subprocess.run(
            [*uv, "pip", "install", "-q", "--python", self.python, requirement, *_TOOLS],
            check=True,
        )

    @property
    def is_light(self) -> bool:
        return self.requirement.startswith("mlflow-tracing")

    def run_tests(self, server: RunningServer, *names: str, **environment: str) -> None:
        """Run the tests of the client in its environment; their output where one fails."""
        done = subprocess.run(
            [
                self.python,
                *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull),
                *("--rootdir", ".", "--confcutdir", ".", "--basetemp", self._temporary, *names),
            ],
            cwd=PROGRAMS,
            env=os.environ
            | {"TRACKING_URI": server.url, "PYTHONDONTWRITEBYTECODE": "1"}
            | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]

    def run_program(self, name: str, *words: str) -> str:
        """What a program prints in this environment, however it ends."""
        command = [self.python, "-W", "ignore", PROGRAMS / name, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr[-3000:]
        return done.stdout


@dataclass
class Guarded:
    server: RunningServer
    environment: dict[str, str]
    """Names the home and the store, for the command line."""

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tracelake", "tokens", *words],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def token(self, *options: str) -> tuple[str, str]:
        """A new token, and its id."""
        printed = self.command("create", "ann", *options)
        return printed.split()[0], printed.split()[-1].rstrip(".")

    def client_secret(self) -> tuple[str, str, str]:
        """Client id and secret of a service principal, and the secret's id."""
        printed = self.command("create", "robot", "--client-secret")
        words = printed.split()
        return words[2], words[5], words[-1].rstrip(".")


class ClientEnvironments:
    """Each is made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, ClientEnvironment] = {}

    def get(self, name: str) -> ClientEnvironment:
        if name not in self._made:
            self._made[name] = ClientEnvironment(self._folder / name, CLIENTS[name])
        return self._made[name]


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> ClientEnvironments:
    return ClientEnvironments(tmp_path_factory.mktemp("clients"))


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, clients: ClientEnvironments) -> ClientEnvironment:
    return clients.get(request.param)


@pytest.fixture(scope="session")
def newest_environment(clients: ClientEnvironments) -> ClientEnvironment:
    return clients.get("newest")


@pytest.fixture
def server(tmp_path: Path, store_url: str) -> Iterator[RunningServer]:
    running = start_server(
        tmp_path / "home", store_url, otlp_default_experiment="", webhook_networks="127.0.0.0/8"
    )
    yield running
    running.process.terminate()
    running.process.wait()


@pytest.fixture
def guarded(tmp_path: Path, store_url: str) -> Iterator[Guarded]:
    """A server that asks for tokens."""
    environment = {"TRACELAKE_HOME": str(tmp_path / "home"), "TRACELAKE_STORE_URL": store_url}
    running = start_server(tmp_path / "home", store_url, auth="required")
    yield Guarded(running, environment)
    running.process.terminate()
    running.process.wait()
