"""One runner process: started, waited for, stopped; and what is left behind by a killed server."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tracelake.agents.runner import STOP_WITHIN_S, TOKEN_HEADER, TOKEN_VARIABLE
from tracelake.model.errors import TracelakeError

START_TIMEOUT_S = 60.0
LOG_TAIL_BYTES = 64 << 10
MAX_LOG_BYTES = 8 << 20
_POLL_S = 0.05


class StartFailed(TracelakeError):
    """The process ended, or did not answer in time. The message says which, and its last words."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: `package` is an unpacked package, `log` is appended to."""

    python: Path
    package: Path
    workspace: Path
    """The working folder of the process; its files stay between versions."""
    log: Path
    record: Path
    """Where the process id is written down while the process lives."""
    environment: Mapping[str, str]


class RunnerProcess:
    """A process that has answered /health. `requests` counts what the router has in flight."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, token: str, launch: Launch
    ) -> None:
        self._process = process
        self._launch = launch
        self.base_url = f"http://127.0.0.1:{port}"
        self.headers = {TOKEN_HEADER: token}
        self.requests = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """The exit code, once the process has ended; negative for a signal."""
        return await self._process.wait()

    async def drain(self, within_s: float) -> None:
        """Wait until no request is in flight, at most this long."""
        deadline = time.monotonic() + within_s
        while self.requests and self.alive and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """TERM, then KILL after the time requests in flight may take, for its whole group."""
        if self.alive:
            _signal_group(self.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_WITHIN_S + 7):
                    await self._process.wait()
        # What the agent itself started and left behind is in the same group.
        _signal_group(self.pid, signal.SIGKILL)
        await self._process.wait()
        self._launch.record.unlink(missing_ok=True)


async def start(launch: Launch, *, timeout_s: float = START_TIMEOUT_S) -> RunnerProcess:
    """Start a runner and wait until it is healthy. Raises StartFailed, and leaves no process."""
    token = secrets.token_urlsafe(24)
    for folder in (launch.workspace, launch.log.parent, launch.record.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if launch.log.exists() and launch.log.stat().st_size > MAX_LOG_BYTES:
        launch.log.replace(launch.log.with_suffix(".log.1"))
    # The socket is opened here and inherited, so that no other process can take the port between.
    with socket.socket() as listener, launch.log.open("ab") as log:
        log_start = log.tell()
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            launch.python,
            # Safe path: a file in the working folder must not stand in for a module.
            *("-P", "-m", "tracelake.agents.runner", "--follow-parent"),
            *("--package", launch.package, "--listen-fd", str(listener.fileno())),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**launch.environment, TOKEN_VARIABLE: token, "PYTHONUNBUFFERED": "1"},
            cwd=launch.workspace,
            pass_fds=(listener.fileno(),),
            start_new_session=True,
        )
    runner = RunnerProcess(process, port, token, launch)
    try:
        launch.record.write_text(
            json.dumps({"pid": runner.pid, "started": process_start(runner.pid)})
        )
        await _until_healthy(runner, timeout_s)
    except StartFailed as error:
        await runner.stop()
        last = read_tail(launch.log, since=log_start, max_bytes=2000)
        raise StartFailed(
            f"{error.message}. Its last lines:\n{last}" if last else error.message
        ) from None
    except BaseException:
        await runner.stop()
        raise
    return runner


async def _until_healthy(runner: RunnerProcess, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    async with httpx.AsyncClient(base_url=runner.base_url, trust_env=False) as client:
        while time.monotonic() < deadline:
            if not runner.alive:
                code = await runner.wait()
                raise StartFailed(f"the agent's process ended with code {code} before it was ready")
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/health", timeout=2)).status_code == 200:
                    return
            await asyncio.sleep(_POLL_S)
    raise StartFailed(f"the agent's process was not ready after {timeout_s:.0f} s")


def read_tail(log: Path, *, since: int = 0, max_bytes: int = LOG_TAIL_BYTES) -> str:
    """The last part of a log, from byte `since` on at the earliest; empty where there is none."""
    if not log.is_file():
        return ""
    with log.open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        source.seek(max(since, size - max_bytes))
        return source.read(max_bytes).decode("utf-8", "replace").strip()


def kill_left_behind(records: Path) -> list[int]:
    """End runners that a killed server wrote down in this folder; their process ids.

    A process that merely got the same id later is left alone: its start time differs.
    """
    killed: list[int] = []
    for record in sorted(records.glob("*.json")):
        with contextlib.suppress(ValueError, KeyError, OSError):
            known = json.loads(record.read_text())
            started = process_start(known["pid"])
            if started is not None and started == known["started"]:
                _signal_group(known["pid"], signal.SIGKILL)
                killed.append(known["pid"])
        record.unlink(missing_ok=True)
    return killed


def process_start(pid: int) -> str | None:
    """When a process began, in the system's own words; None where it does not run."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # The name in parentheses may hold blanks; the 20th field after it is the start time.
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    said = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
