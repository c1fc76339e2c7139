"""The server as a process: one a home, a port that is taken, words instead of tracebacks."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import free_port, start_server


def tracelake(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tracelake", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"TRACELAKE_OTLP_GRPC_PORT": "0"},
    )


def test_a_home_has_one_server(tmp_path: Path) -> None:
    first = start_server(tmp_path, f"sqlite:///{tmp_path / 'tracelake.db'}")
    try:
        second = tracelake("server", "--home", str(tmp_path), "--port", str(free_port()))
        assert second.returncode == 1
        assert f"another server (process {first.process.pid}) uses {tmp_path}" in second.stderr
        assert first.process.poll() is None
    finally:
        first.process.kill()
        first.process.wait()
    # Killed, it holds nothing back.
    again = start_server(tmp_path, f"sqlite:///{tmp_path / 'tracelake.db'}")
    again.process.terminate()
    assert again.process.wait(30) in (0, -15)


@pytest.mark.parametrize("option", ["--port", "--otlp-grpc-port"])
def test_a_port_that_is_taken(tmp_path: Path, option: str) -> None:
    ports = {"--port": str(free_port())}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports[option] = str(taken.getsockname()[1])
        given = [word for pair in ports.items() for word in pair]
        done = tracelake("server", "--home", str(tmp_path), *given)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {ports[option]}" in done.stderr
    assert option in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("server", "--home", __file__), "Name another folder"),
        (("server", "--home", "{home}", "--store-url", "bogus"), "is no store URL"),
        (("server", "--home", "{home}", "--log-level", "loud"), "no such level"),
        (("server", "--home", "{home}", "--store-url", "postgresql://u@127.0.0.1:9/d"), "answer"),
        (("sync", "--home", "{home}/none"), "Start a server first"),
        (("sql", "--home", "{home}/none", "SELECT 1"), "none"),
    ],
)
def test_one_line_and_no_traceback(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = tracelake(*(argument.format(home=tmp_path) for argument in arguments))
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none").exists()
