"""Runs in the environment of a client, against the server that TRACKING_URI names."""

import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from typing import Any

os.environ |= {
    "MLFLOW_TRACKING_URI": os.environ["TRACKING_URI"],
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The client makes functions again from their source only when it is told so.
    "MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS": "true",
}

import pytest
from mlflow.exceptions import MlflowException

import mlflow


@pytest.fixture
def unique() -> Callable[[str], str]:
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def experiment_id(unique: Callable[[str], str]) -> str:
    """A new experiment, the one that what follows belongs to."""
    return mlflow.set_experiment(unique("experiment")).experiment_id


@pytest.fixture
def refused() -> Callable[[str, Callable[[], Any]], str]:
    """Call something, which must fail with this code; the message."""

    def call(code: str, something: Callable[[], Any]) -> str:
        with pytest.raises(MlflowException) as caught:
            something()
        assert caught.value.error_code == code, caught.value
        return str(caught.value)

    return call


@pytest.fixture
def program() -> Callable[..., str]:
    """Run a program of its own process; what it printed."""

    def run(text: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    if hasattr(mlflow, "end_run"):
        while mlflow.active_run():
            mlflow.end_run()
