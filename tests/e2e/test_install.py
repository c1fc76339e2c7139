"""`pip install .` where nothing of ours is: the SDK alone, and the server with its UI."""

import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import start_server

ROOT = Path(__file__).parents[2]
SERVER_ONLY = ("sqlalchemy", "fastapi", "starlette", "uvicorn", "deltalake", "duckdb", "pyarrow")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources without anything that was built before."""
    source = tmp_path_factory.mktemp("source")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in files.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(source)
    )
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.timeout(600)
def test_the_bare_install_is_the_sdk_alone(wheel: Path, tmp_path: Path) -> None:
    python = new_environment(tmp_path / "bare")
    run(python, "-m", "pip", "install", "--quiet", str(wheel))
    run(
        python,
        "-W",
        "error",
        "-c",
        "import importlib.util, tracelake\n"
        f"there = [name for name in {SERVER_ONLY!r} if importlib.util.find_spec(name)]\n"
        "assert not there, there\n"
        "tracelake.set_tracking_uri('http://127.0.0.1:9')\n"
        "assert tracelake.trace(lambda x: x + 1)(1) == 2\n",
    )


@pytest.mark.timeout(900)
def test_the_server_extra_is_a_server_with_its_ui(wheel: Path, tmp_path: Path) -> None:
    python = new_environment(tmp_path / "server")
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[server]")
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    server = start_server(tmp_path / "home", url, python=python)
    try:
        with urlopen(server.url + "/", timeout=10) as page:
            assert b'<script type="module"' in page.read()
    finally:
        server.process.terminate()
        server.process.wait(30)


def new_environment(folder: Path) -> str:
    run(sys.executable, "-m", "venv", str(folder))
    return str(folder / "bin" / "python")


def run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
