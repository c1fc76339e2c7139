"""The same said to MLflow's own server and to ours: what reads back, what is found, what is
refused is the same, but for what is listed here."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import RunningServer, free_port
from tests.mlflow.conftest import ClientEnvironment
from tracelake.model.entities import JsonValue
from tracelake.model.jsonvalue import as_list, as_object

Place = tuple[str | int, ...]
Difference = tuple[Place, JsonValue, JsonValue]

TEXTS_THAT_ARE_JSON = {"json": '{"a": 1}', "quoted": '"x"'}
"""Attributes that are texts stay texts. MLflow's server parses those that look like JSON, except
for numbers and words, so that what was a text comes back as something else."""


@pytest.fixture(scope="module")
def mlflow_server(
    tmp_path_factory: pytest.TempPathFactory, newest_environment: ClientEnvironment
) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("mlflow-server")
    port = free_port()
    command = [
        str(newest_environment.python.with_name("mlflow")),
        *("server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, folder / "log")
        yield RunningServer(process, url)
    finally:
        # Its workers are processes of their own.
        os.killpg(process.pid, 15)
        process.wait(30)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s and process.poll() is None:
        try:
            with urlopen(url + "/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"MLflow's server did not start: {log.read_text()[-2000:]}")


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_same_traces_read_back_the_same(
    newest_environment: ClientEnvironment, mlflow_server: RunningServer, server: RunningServer
) -> None:
    theirs, ours = (
        json.loads(newest_environment.run_program("story.py", each.url))
        for each in (mlflow_server, server)
    )
    differences = list(_differences(theirs, ours, ()))
    allowed: dict[Place, str] = {
        (*place, name): text
        for place in _places(ours, "attributes")
        for name, text in TEXTS_THAT_ARE_JSON.items()
    }
    for place, their, our in differences:
        assert allowed.get(place) == our, (place, their, our)
        assert their == json.loads(our)
    assert len(differences) == 2 * len(TEXTS_THAT_ARE_JSON)


@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
def test_the_same_filters_find_the_same_in_the_same_order(
    newest_environment: ClientEnvironment, mlflow_server: RunningServer, server: RunningServer
) -> None:
    """`same_answers.py --traces 2000 --filters 300` is the same with more of both."""
    urls = (mlflow_server.url, server.url)
    sizes = ("--traces", "150", "--filters", "120")
    printed = newest_environment.run_program("same_answers.py", *urls, *sizes)
    assert printed.splitlines()[-1].endswith(": 0 differ"), printed


def test_wrong_calls_are_told_the_same(
    newest_environment: ClientEnvironment, mlflow_server: RunningServer
) -> None:
    """That ours tells the same is in test_clients.py."""
    newest_environment.run_tests(mlflow_server, "test_errors.py")


def _differences(theirs: JsonValue, ours: JsonValue, place: Place) -> Iterator[Difference]:
    their_items, our_items = _items(theirs), _items(ours)
    if their_items is None or our_items is None:
        if theirs != ours or type(theirs) is not type(ours):
            yield place, theirs, ours
        return
    for key in sorted({*their_items, *our_items}, key=str):
        yield from _differences(their_items.get(key), our_items.get(key), (*place, key))


def _places(told: JsonValue, name: str, place: Place = ()) -> Iterator[Place]:
    """Where members of this name are."""
    for key, value in (_items(told) or {}).items():
        if key == name:
            yield (*place, key)
        else:
            yield from _places(value, name, (*place, key))


def _items(value: JsonValue) -> dict[str | int, JsonValue] | None:
    """What an object or a list has; None for any other value."""
    members, items = as_object(value), as_list(value)
    if members is not None:
        return dict(members.items())
    return None if items is None else dict(enumerate(items))
