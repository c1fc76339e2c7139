"""`make bench-ingest`: traces a second that one server stores durably, its generator beside it.

Row A sends one trace a request over 16 connections, row B 50 traces a request. Printed beside them,
from the same run: the rate of appending the same bytes to a file with an fsync a request. Every
acknowledged trace is looked for in the store afterwards. Exit code 1 when a bar is missed.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import psutil

from otlp_traces import SPANS, TRACE_BYTES, TraceSource
from tracelake.store.open import open_store

CONNECTIONS: Final = 16
BARS: Final = {1: 1000, 50: 2000}
MEMORY_BAR_MB: Final = 400


@dataclass
class Load:
    """What one run of the generator saw."""

    acknowledged: int = 0
    refused: int = 0
    latencies_s: list[float] = field(default_factory=list[float])
    elapsed_s: float = 0.0

    @property
    def rate(self) -> float:
        return self.acknowledged / self.elapsed_s

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[int((len(ordered) - 1) * share)] * 1000


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--store-url", default="", help="default: SQLite in a new folder")
    arguments = options.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tracelake-bench-", dir=Path.cwd()))
    try:
        return run(home, arguments.seconds, arguments.store_url)
    finally:
        shutil.rmtree(home)


def run(home: Path, seconds: float, store_url: str) -> int:
    print(
        f"{SPANS} spans, {TRACE_BYTES} bytes a trace; {os.cpu_count()} cores; {seconds:g} s a row"
    )
    with_bars: list[bool] = []
    for per_request in BARS:
        source = TraceSource(per_request)
        folder = home / str(per_request)
        port = free_port()
        process = start_server(folder, port, store_url)
        try:
            load, peak_mb = drive(source, per_request, port, seconds, process)
        finally:
            process.terminate()
            process.wait(30)
        stored = 0 if store_url else count_stored(folder)
        raw = append_and_fsync(source, home / "raw", min(seconds, 5.0)) * per_request
        lost = "" if store_url else f"  {stored} in the store"
        disk_kb = sum(f.stat().st_size for f in folder.glob("tracelake.db*")) / 1024
        print(
            f"{per_request:>2} a request: {load.rate:7.0f} traces/s durable"
            f"  (append+fsync of the same bytes {raw:7.0f}/s, ratio {load.rate / raw:.2f})"
            f"  p50 {load.percentile_ms(0.5):.1f} ms  p99 {load.percentile_ms(0.99):.1f} ms"
            f"  peak {peak_mb:.0f} MB  {disk_kb / max(load.acknowledged, 1):.1f} KB/trace on disk"
            f"  {load.acknowledged} acknowledged, {load.refused} refused{lost}"
        )
        with_bars.append(load.rate >= BARS[per_request] and peak_mb < MEMORY_BAR_MB)
        if not store_url:
            with_bars.append(stored == load.acknowledged)
    bars = ", ".join(f"{rate}/s at {n} a request" for n, rate in BARS.items())
    print(f"bars: {bars}, under {MEMORY_BAR_MB} MB: {'held' if all(with_bars) else 'MISSED'}")
    return 0 if all(with_bars) else 1


def start_server(
    folder: Path, port: int, store_url: str, workers: int = 1
) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "TRACELAKE_HOME": str(folder),
        "TRACELAKE_LAKE_SYNC_SECONDS": "0",
        "TRACELAKE_OTLP_GRPC_PORT": "0",
        "TRACELAKE_WORKERS": str(workers),
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


def drive(
    source: TraceSource, per_request: int, port: int, seconds: float,
    process: subprocess.Popen[bytes],
) -> tuple[Load, float]:  # fmt: skip
    loads = [Load() for _ in range(CONNECTIONS)]
    began = time.monotonic()
    threads = [
        threading.Thread(
            target=send, args=(source, worker, per_request, port, began + seconds, load)
        )
        for worker, load in enumerate(loads)
    ]
    for thread in threads:
        thread.start()
    server = psutil.Process(process.pid)
    peak_bytes = 0
    while any(thread.is_alive() for thread in threads):
        peak_bytes = max(peak_bytes, server.memory_info().rss)
        time.sleep(0.25)
    total = Load(elapsed_s=time.monotonic() - began)
    for load in loads:
        total.acknowledged += load.acknowledged
        total.refused += load.refused
        total.latencies_s += load.latencies_s
    return total, peak_bytes / 1e6


def send(
    source: TraceSource, worker: int, per_request: int, port: int, until: float, load: Load
) -> None:
    """One connection: send, wait for the answer, send the next."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for body, _ids in source.bodies(worker, 1_000_000):
            began = time.monotonic()
            if began >= until:
                return
            head = (
                "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Content-Type: application/x-protobuf\r\nx-mlflow-experiment-id: 0\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
            connection.sendall(head + body)
            answer = connection.recv(65536)
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            load.latencies_s.append(time.monotonic() - began)
            if answer.startswith(b"HTTP/1.1 200"):
                load.acknowledged += per_request
            else:
                load.refused += per_request


def append_and_fsync(source: TraceSource, path: Path, seconds: float) -> float:
    """Requests a second of the bare disk: one append and one fsync each."""
    until = time.monotonic() + seconds
    count = 0
    began = time.monotonic()
    with path.open("wb") as file:
        for body, _ids in source.bodies(0, 1_000_000):
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
            count += 1
            if time.monotonic() >= until:
                break
    return count / (time.monotonic() - began)


def count_stored(folder: Path) -> int:
    store = open_store(f"sqlite:///{folder / 'tracelake.db'}")
    with store.database.read() as connection:
        count: int = connection.exec_driver_sql(
            "SELECT count(*) FROM traces WHERE span_count = 10"
        ).scalar_one()
    store.close()
    return count


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
