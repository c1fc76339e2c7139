"""Other systems' packages, each in an environment of its own under a folder git does not see."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin


@dataclass(frozen=True, slots=True)
class Peer:
    """`package` names the one whose version is told; `requirements` is what is installed."""

    package: str
    requirements: tuple[str, ...]

    def install(self, peers: Path) -> Path:
        """Its bin folder; installed first where it is not there. The newest versions are taken."""
        environment = (peers / self.package).resolve()
        ready = environment / "installed"
        if not ready.exists():
            print(f"installing {self.package} into {environment}", file=sys.stderr)
            began = time.monotonic()
            uv = find_uv_bin()
            _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
            python = str(environment / "bin" / "python")
            _run(uv, "pip", "install", "--quiet", "--python", python, *self.requirements)
            size = sum(f.stat().st_size for f in environment.rglob("*") if f.is_file())
            ready.write_text(f"{time.monotonic() - began:.0f} s, {size / 1e6:.0f} MB\n")
            print(f"{self.package}: {ready.read_text().strip()}", file=sys.stderr)
        return environment / "bin"

    def version(self, binaries: Path) -> str:
        code = f"from importlib.metadata import version; print(version({self.package!r}))"
        told = subprocess.run(
            [str(binaries / "python"), "-c", code], capture_output=True, text=True, check=True
        )
        return told.stdout.strip()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
