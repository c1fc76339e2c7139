"""`make bench-overload`: ten times too much for a minute, then calm.

Hundreds of connections send without a pause. Beside them one probe sends a trace a request, as a
calm client does: before, during and after. Exit code 1 where memory passes its bar, an answer is
neither 200 nor 503 with Retry-After, an acknowledged trace is missing, or calm does not return.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import psutil

from otlp_traces import TraceSource
from systems.base import free_port
from tracelake.store.open import open_store

MEMORY_BAR_MB: Final = 500
CALM_WITHIN_S: Final = 5.0
_PROBE_CONNECTION: Final = 90
_GIVE_UP_S: Final = 30.0


@dataclass
class Seen:
    """What the clients saw."""

    answers: Counter[str] = field(default_factory=Counter[str])
    acknowledged: set[bytes] = field(default_factory=set[bytes])
    slowest_s: float = 0.0
    probes: list[tuple[float, float, int]] = field(default_factory=list[tuple[float, float, int]])
    """When each probe was sent, the seconds until its answer, its status."""


@dataclass
class Memory:
    """Of the server and all its children."""

    peak_bytes: int = 0
    parts_mb: list[int] = field(default_factory=list[int])
    """Of the server and of each child at that moment."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self, pid: int) -> None:
        server = psutil.Process(pid)
        while not self.ended.is_set():
            held: list[int] = []
            for process in (server, *server.children(recursive=True)):
                try:
                    held.append(process.memory_full_info().pss)
                except psutil.Error:
                    continue
            if sum(held) > self.peak_bytes:
                self.peak_bytes = sum(held)
                self.parts_mb = [part // 1_000_000 for part in held]
            await asyncio.sleep(0.1)


class Connection:
    """HTTP/1.1 as small as it can be: the generator must not cost more than the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, body: bytes | bytearray) -> tuple[int, dict[str, str]]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = (
            "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode())
        self._writer.write(body)
        # The answer may come before the body is sent; the body is sent all the same.
        await self._writer.drain()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        await self._reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split()[1]), headers

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Bodies:
    """Request bodies made by writing new ids into one: cheap enough to outrun the server."""

    def __init__(self, per_request: int) -> None:
        self._body, ids = next(TraceSource(per_request).bodies(0, 1))
        self._places = [
            [found.start() for found in re.finditer(re.escape(trace_id), self._body)]
            for trace_id in ids
        ]
        self._made = 0

    def next(self) -> tuple[bytearray, list[bytes]]:
        body = bytearray(self._body)
        ids: list[bytes] = []
        for places in self._places:
            self._made += 1
            trace_id = b"\2overload" + self._made.to_bytes(7)
            for at in places:
                body[at : at + 16] = trace_id
            ids.append(trace_id)
        return body, ids


async def overload(port: int, bodies: Bodies, connections: int, seconds: float, seen: Seen) -> None:
    """Send on so many connections at once, each without a pause, what was refused once more."""
    until = time.monotonic() + seconds

    async def sender() -> None:
        connection = Connection(port)
        body, ids = bodies.next()
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                async with asyncio.timeout(_GIVE_UP_S):
                    status, headers = await connection.post(body)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                seen.answers[type(error).__name__] += 1
                connection.close()
                continue
            seen.slowest_s = max(seen.slowest_s, time.monotonic() - began)
            label = str(status)
            if status == 503:
                label += f" retry-after {headers.get('retry-after')}"
            seen.answers[label] += 1
            if status == 200:
                seen.acknowledged.update(ids)
                body, ids = bodies.next()
        connection.close()

    await asyncio.gather(*(sender() for _ in range(connections)))


async def probe(port: int, seconds: float) -> Seen:
    """A calm client: a small request ten times a second."""
    seen = Seen()
    connection = Connection(port)
    until = time.monotonic() + seconds
    for body, ids in TraceSource(1).bodies(_PROBE_CONNECTION, 1_000_000):
        sent = time.monotonic()
        if sent >= until:
            break
        try:
            status, _headers = await connection.post(body)
        except (OSError, asyncio.IncompleteReadError):
            connection.close()
            status = 0
        seen.probes.append((sent, time.monotonic() - sent, status))
        if status == 200:
            seen.acknowledged.update(ids)
        await asyncio.sleep(0.1)
    connection.close()
    return seen


def probe_process(port: int, seconds: float) -> Seen:
    """`probe` in a process of its own, so that it measures the server and not the generator."""
    return asyncio.run(probe(port, seconds))


def calm_after_s(seen: Seen, calm_from: float, usual_s: float) -> float:
    """Seconds of calm until every later probe is taken about as fast as before the storm."""
    late = [
        sent + took - calm_from
        for sent, took, status in seen.probes
        if sent + took > calm_from and (status != 200 or took > max(usual_s * 3, 0.1))
    ]
    return max(late, default=0.0)


def missing_of(seen: Seen, store_url: str) -> int:
    store = open_store(store_url)
    try:
        with store.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT trace_id FROM traces")
            stored = {bytes(row.trace_id) for row in rows}
    finally:
        store.close()
    return len(seen.acknowledged - stored)


async def storm(port: int, pid: int, options: argparse.Namespace) -> tuple[Seen, Memory, float]:
    """Calm, storm, calm; what was seen, and when the second calm began."""
    seen, memory = Seen(), Memory()
    watching = asyncio.create_task(memory.watch(pid))
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        whole_s = options.seconds + 4 * options.calm
        probing = loop.run_in_executor(pool, probe_process, port, whole_s)
        await asyncio.sleep(options.calm)
        bodies = Bodies(options.per_request)
        await overload(port, bodies, options.connections, options.seconds, seen)
        calm_from = time.monotonic()
        probed = await probing
    seen.probes = probed.probes
    seen.acknowledged |= probed.acknowledged
    memory.ended.set()
    await watching
    return seen, memory, calm_from


def run(home: Path, options: argparse.Namespace) -> int:
    port = free_port()
    store_url = f"sqlite:///{home / 'tracelake.db'}"
    process = start_server(home, port, store_url)
    try:
        seen, memory, calm_from = asyncio.run(storm(port, process.pid, options))
    finally:
        process.terminate()
        process.wait(60)
    missing = missing_of(seen, store_url)
    storm_from = calm_from - options.seconds
    before = sorted(took for sent, took, _ in seen.probes if sent < storm_from - 0.5)
    during = sorted(took for sent, took, _ in seen.probes if storm_from < sent < calm_from)
    usual_s = before[len(before) // 2]
    calm_s = calm_after_s(seen, calm_from, usual_s)
    odd = {
        label: count
        for label, count in seen.answers.items()
        if label not in ("200", "503 retry-after 1")
    }
    print(
        f"{options.connections} connections, {options.per_request} traces a request, "
        f"{options.seconds:g} s: {dict(seen.answers)}\n"
        f"memory peak {memory.peak_bytes / 1e6:.0f} MB {memory.parts_mb}; "
        f"{len(seen.acknowledged)} traces acknowledged, {missing} of them missing; "
        f"slowest answer {seen.slowest_s:.1f} s\n"
        f"probe: {usual_s * 1000:.0f} ms before, {during[len(during) // 2] * 1000:.0f} ms in the "
        f"middle of the storm and {during[-1] * 1000:.0f} ms at worst, usual again after "
        f"{calm_s:.1f} s of calm"
    )
    held = not odd and not missing and calm_s <= CALM_WITHIN_S
    held = held and memory.peak_bytes < MEMORY_BAR_MB * 1e6
    print("held" if held else f"MISSED {odd or ''}")
    return 0 if held else 1


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--calm", type=float, default=5.0)
    options.add_argument("--connections", type=int, default=400)
    options.add_argument("--per-request", type=int, default=50)
    with tempfile.TemporaryDirectory(prefix="tracelake-bench-", dir=Path.cwd()) as home:
        return run(Path(home), options.parse_args())


def start_server(folder: Path, port: int, store_url: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "TRACELAKE_HOME": str(folder),
        "TRACELAKE_LAKE_SYNC_SECONDS": "0",
        "TRACELAKE_OTLP_GRPC_PORT": "0",
        "TRACELAKE_OTLP_DEFAULT_EXPERIMENT": "0",
    }
    if store_url:
        environment["TRACELAKE_STORE_URL"] = store_url
    process = subprocess.Popen(
        [sys.executable, "-m", "tracelake", "server", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return process
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start within 30 s")


if __name__ == "__main__":
    sys.exit(main())
