"""`import tracelake` is light: nothing of the server, of OpenTelemetry's exporters or of pandas."""

import os
import subprocess
import sys

HEAVY = (
    "sqlalchemy",
    "starlette",
    "fastapi",
    "deltalake",
    "duckdb",
    "pyarrow",
    "pandas",
    "numpy",
    "requests",
    "opentelemetry",
)
FIRST_USE_HEAVY = (*HEAVY[:8], "requests", "opentelemetry.exporter")

SCRIPT = """
import socket, sys
def refuse(*_): raise OSError("no network at import")
socket.socket.connect = refuse
before = set(sys.modules)
{statement}
print(",".join(sorted(set(sys.modules) - before)))
"""


def modules_of(statement: str) -> list[str]:
    """The modules a statement loads in a fresh interpreter without a network or settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRACELAKE_")}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(statement=statement)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return run.stdout.strip().split(",")


def loaded(names: tuple[str, ...], modules: list[str]) -> list[str]:
    return [m for m in modules if any(m == n or m.startswith(n + ".") for n in names)]


def test_a_bare_import_loads_next_to_nothing() -> None:
    modules = modules_of("import tracelake")
    assert loaded(HEAVY, modules) == []
    assert len(modules) < 40


def test_the_first_use_loads_no_exporter_and_no_server() -> None:
    modules = modules_of("import tracelake\n@tracelake.trace\ndef f(): pass")
    assert loaded(FIRST_USE_HEAVY, modules) == []
    assert len(modules) < 400


def test_every_public_name_is_there() -> None:
    names = "import tracelake\nfor name in tracelake.__all__: getattr(tracelake, name)"
    assert loaded(HEAVY[:8], modules_of(names)) == []
    code = "import tracelake; assert set(tracelake.__all__) <= set(dir(tracelake)); tracelake.nope"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "has no attribute 'nope'" in run.stderr
