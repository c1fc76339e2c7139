"""Processes that a server starts while gRPC calls are under way begin unharmed."""

import subprocess
import sys


def test_children_start_beside_calls() -> None:
    command = [sys.executable, "-m", "tests.unit.ingest.grpc_children", "200"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
