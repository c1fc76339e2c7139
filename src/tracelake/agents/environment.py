"""The Python environment of an agent: one per set of requirements, built by uv and kept.

An agent's own requirements come first; behind them it sees the packages of the server, so that
tracelake, the OpenTelemetry SDK and the HTTP server are there without a download.
"""

import asyncio
import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uv

from tracelake.agents.requirements import Wanted, fit
from tracelake.model.errors import TracelakeError

BUILD_TIMEOUT_S = 900.0
_READY = "tracelake-ready"
_FALLBACK = "tracelake-server.pth"
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
"""What an agent sees of the server's environment. The rest may be the server's secrets."""
_BUILD_PASSED_ON = ("UV_", "PIP_", "XDG_")


class BuildFailed(TracelakeError):
    """The requirements could not be installed. The message ends with what uv said."""


@dataclass(frozen=True, slots=True)
class Environment:
    python: Path
    key: str
    built: bool
    """False where one that was there could be used."""


class Environments:
    """Builds environments under `home` and hands out the ones that are there.

    One server at a time uses a `home`. `environ` is the server's own environment.
    """

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        self._home = home
        self._environ = os.environ if environ is None else environ
        self._locks: dict[str, asyncio.Lock] = {}

    def base_variables(self) -> dict[str, str]:
        """The variables that every agent starts with."""
        return {name: self._environ[name] for name in _PASSED_ON if name in self._environ}

    async def ensure(self, requirements: str) -> Environment:
        """The environment for these requirement lines, built where it is missing.

        No requirement needs no network. Raises BuildFailed; a failed build leaves nothing behind
        but its log.
        """
        wanted = fit(requirements)
        key = _key(wanted)
        async with self._locks.setdefault(key, asyncio.Lock()):
            folder = self._home / key
            python = folder / "bin" / "python"
            built = not (folder / _READY).is_file() or not python.exists()
            if built:
                try:
                    await self._build(folder, python, wanted)
                except BaseException:
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                    raise
            # Written every time: the server's own packages may have moved since.
            await asyncio.to_thread(_write_fallback, folder)
            return Environment(python, key, built)

    def log_of(self, key: str) -> Path:
        return self._home / f"{key}.log"

    async def _build(self, folder: Path, python: Path, wanted: Wanted) -> None:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self._home.mkdir(parents=True, exist_ok=True)
        log = self.log_of(folder.name)
        log.write_bytes(b"")
        await self._uv(log, ["venv", "--no-project", "--python", sys.executable, str(folder)])
        if wanted.requirements:
            listed, fixed = folder / "requirements.txt", folder / "constraints.txt"
            listed.write_text("\n".join(wanted.requirements) + "\n", "utf-8")
            fixed.write_text("\n".join(wanted.constraints) + "\n", "utf-8")
            files = ["--requirement", str(listed), "--constraint", str(fixed)]
            await self._uv(log, ["pip", "install", "--python", str(python), *files])
        (folder / _READY).write_text("")

    async def _uv(self, log: Path, arguments: list[str]) -> None:
        variables = self.base_variables() | {
            name: value
            for name, value in self._environ.items()
            if name.startswith(_BUILD_PASSED_ON)
        }
        with log.open("ab") as out:
            begin = out.tell()
            process = await asyncio.create_subprocess_exec(
                uv.find_uv_bin(),
                "--no-progress",
                "--color=never",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=variables,
                cwd=self._home,
            )
            try:
                async with asyncio.timeout(BUILD_TIMEOUT_S):
                    code = await process.wait()
            except TimeoutError:
                raise BuildFailed(
                    f"building the environment took over {BUILD_TIMEOUT_S:.0f} s"
                ) from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if code != 0:
            said = log.read_bytes()[begin:].decode("utf-8", "replace").strip()[-2000:]
            raise BuildFailed(f"the requirements could not be installed: {said}")


def _key(wanted: Wanted) -> str:
    parts = [sys.version, sys.base_prefix, *wanted.requirements, "", *wanted.constraints]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def _write_fallback(folder: Path) -> None:
    packages = next((folder / "lib").glob("python*/site-packages"))
    target = packages / _FALLBACK
    # `addsitedir` reads the path files found there too: editable installs work as in the server.
    lines = [f"import site; site.addsitedir({path!r})" for path in _server_paths(sys.path)]
    partial = target.with_suffix(".partial")
    partial.write_text("\n".join(lines) + "\n", "utf-8")
    partial.replace(target)


def _server_paths(paths: Sequence[str]) -> list[str]:
    """Folders of the server's import path that hold packages, not the standard library."""
    own = Path(__file__).resolve().parents[2]
    found = [path for path in paths if Path(path).name in ("site-packages", "dist-packages")]
    return found if str(own) in found else [*found, str(own)]
