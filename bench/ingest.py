"""`make bench-ingest`: traces a second that each system stores durably, the generator beside it.

Every system gets the same bytes, traces of 10 spans and 28 KB, one a request and 50 a request, over
1, 16 and 64 connections. A trace counts when it is in the system's database after the run, and the
time runs until the last one is; some of them are read back whole through the system's own API. What
bars are set for runs several times, and the best run counts, for every system: others on the same
machine take from a run, and none of them adds to it.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Final

import raw
from load import Load, drive
from otlp_traces import SPANS, TRACE_BYTES, TraceSource
from report import Report, options, ratio
from systems.base import System
from systems.choose import NAMES, Systems
from systems.ours import Tracelake

_WARM_CONNECTIONS: Final = 16
_MADE_BYTES: Final = 1 << 30
"""Of bodies that are made before the clock starts. To make them on the way took a tenth of a core,
which beside real agents is the system's; what is sent beyond that is still made so."""
_PATIENCE_S: Final = 120.0
"""For a system to store what it has acknowledged; what it stores later is not counted."""
_READ_BACK: Final = 20
_BARRED: Final = 16
"""Connections of the runs that the bars are about."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One run: a system, a size of requests, a number of connections."""

    system: str
    per_request: int
    connections: int
    load: Load
    stored: int
    elapsed_s: float
    """Until the last trace was counted."""
    unreadable: int
    peak_bytes: int
    other_rates: tuple[float, ...] = ()
    """Of runs like it that were slower."""

    @property
    def rate(self) -> float:
        return self.stored / self.elapsed_s


@dataclass(frozen=True, slots=True)
class Store:
    """What a system's store took after all runs of one size of requests."""

    system: str
    per_request: int
    version: str
    traces: int
    disk_bytes: int
    """Beyond what the empty store took."""
    lag_traces: float
    catch_up_s: float

    @property
    def kb_a_trace(self) -> float:
        return self.disk_bytes / self.traces / 1024 if self.traces else float("nan")

    @property
    def catch_up(self) -> str:
        return f"{self.lag_traces / max(self.catch_up_s, 0.001):.0f}" if self.lag_traces else "–"


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--systems", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME")
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--per-request", nargs="+", type=int, default=[1, 50])
    parser.add_argument("--seconds", type=float, default=10.0, help="of sending, for each run")
    parser.add_argument("--runs", type=int, default=3, help="of what the bars are about")
    arguments = parser.parse_args()
    arguments.stores.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="ingest-", dir=arguments.stores.resolve()))
    systems = Systems(home, arguments.peers)
    cells: list[Cell] = []
    stores: list[Store] = []
    limits: dict[int, tuple[float, ...]] = {}
    try:
        for per_request in arguments.per_request:
            source = TraceSource(per_request)
            limits[per_request] = (
                raw.append_and_fsync(source, home / "raw", min(arguments.seconds, 5.0)),
                raw.parse(source, min(arguments.seconds, 5.0)),
                raw.parse(source, min(arguments.seconds, 5.0), read=True),
            )
            for name in arguments.systems:
                system = systems.make(name, str(per_request))
                runs, store = measure(system, name, source, arguments)
                cells += runs
                stores.append(store)
                print(f"{system.name}, {per_request} a request: done", file=sys.stderr)
                shutil.rmtree(system.folder)
    finally:
        systems.stop()
        shutil.rmtree(home)
    return tell(cells, stores, limits).finish(write=arguments.write)


def measure(
    system: System, name: str, source: TraceSource, arguments: argparse.Namespace
) -> tuple[list[Cell], Store]:
    """All runs of one system with one size of requests, on one store that grows."""
    system.start()
    cells: list[Cell] = []
    try:
        empty_bytes = system.disk_bytes()
        warm = _send(system, source, _bodies(source, 0), _WARM_CONNECTIONS, system.warm_seconds)
        system.wait_counted(warm.acknowledged, _PATIENCE_S)
        workers = count(1)
        for number in arguments.connections:
            runs = [
                run_cell(system, name, source, next(workers), number, arguments.seconds)
                for _ in range(arguments.runs if number == _BARRED else 1)
            ]
            cells.append(best_of(runs))
        lag = system.index_lag() if isinstance(system, Tracelake) else 0.0
        began = time.monotonic()
        system.settle()
        catch_up_s = time.monotonic() - began
        traces = system.count_traces()
        version = system.version()
    finally:
        system.stop()
    disk = system.disk_bytes() - empty_bytes
    store = Store(name, source.traces_per_request, version, traces, disk, lag, catch_up_s)
    return cells, store


def best_of(runs: Sequence[Cell]) -> Cell:
    best, *others = sorted(runs, key=lambda cell: cell.rate, reverse=True)
    return replace(
        best,
        unreadable=sum(cell.unreadable for cell in runs),
        peak_bytes=max(cell.peak_bytes for cell in runs),
        other_rates=tuple(cell.rate for cell in others),
    )


def run_cell(
    system: System, name: str, source: TraceSource, worker: int, connections: int, seconds: float
) -> Cell:
    before = system.count_traces()
    peak = [system.memory_bytes()]
    bodies = _bodies(source, worker)
    began = time.monotonic()
    load = _send(system, source, bodies, connections, seconds, peak)
    counted, last = system.wait_counted(before + load.acknowledged, _PATIENCE_S)
    # A system that had everything when it was first asked was done with its last answer.
    trailing = last - began if last > began + load.elapsed_s + 0.1 else load.elapsed_s
    peak.append(system.memory_bytes())
    sent = load.acknowledged // source.traces_per_request
    unreadable = sum(
        not system.is_readable(trace_id, SPANS) for trace_id in sample_ids(source, worker, sent)
    )
    return Cell(
        name, source.traces_per_request, connections, load, counted - before, trailing,
        unreadable, max(peak),
    )  # fmt: skip


def _bodies(source: TraceSource, worker: int) -> Iterator[bytes]:
    bodies = (body for body, _ids in source.bodies(worker, 10**7))
    made: deque[bytes] = deque()
    size_bytes = 0
    while size_bytes < _MADE_BYTES:
        made.append(next(bodies))
        size_bytes += len(made[-1])
    return chain((made.popleft() for _ in range(len(made))), bodies)


def _send(
    system: System, source: TraceSource, bodies: Iterator[bytes], connections: int, seconds: float,
    peak: list[int] | None = None,
) -> Load:  # fmt: skip
    return drive(
        bodies,
        source.traces_per_request,
        system.addresses,
        connections,
        seconds,
        system.headers,
        each_tick=None if peak is None else lambda: peak.append(system.memory_bytes()),
    )


def sample_ids(source: TraceSource, worker: int, requests: int) -> Iterator[str]:
    """Ids of traces in the requests that were surely answered: all but the last under way."""
    step = max(1, requests // _READ_BACK)
    for n in range(0, max(0, requests - 64), step):
        yield source.facts(source.first_number(worker) + n * source.traces_per_request).trace_id[3:]


def tell(
    cells: Sequence[Cell], stores: Sequence[Store], limits: dict[int, tuple[float, ...]]
) -> Report:
    report = Report("ingest")
    rates = {(c.system, c.per_request, c.connections): c.rate for c in cells}
    set_bars(report, rates, stores, limits)
    report.table(
        ("traces a request", "connections", *(f"ours ÷ {peer}" for peer in _PEERS)),
        [
            (str(size), str(number), *(_ratio(rates, peer, size, number) for peer in _PEERS))
            for size, number in sorted({(c.per_request, c.connections) for c in cells})
        ],
        "Ratios of durable traces a second; PostgreSQL beside PostgreSQL, ours with two servers.",
    )
    report.table(
        (
            "a request", "system", "connections", "traces/s", "other runs", "p50 ms", "p99 ms",
            "stored", "acknowledged", "refused", "not read back", "peak MB", "generator",
        ),
        [_row(cell) for cell in cells],
        f"{SPANS} spans and {TRACE_BYTES} bytes a trace.",
    )  # fmt: skip
    report.table(
        ("system", "version", "a request", "traces", "KB a trace", "index lag", "catch-up/s"),
        [
            (
                s.system, s.version, str(s.per_request), str(s.traces), f"{s.kb_a_trace:.1f}",
                f"{s.lag_traces:.0f}", s.catch_up,
            )
            for s in stores
        ],
        "On disk, beyond the empty store, logs folded in and the index caught up.",
    )  # fmt: skip
    report.table(
        ("a request", "append and fsync/s", "parse on one core/s", "parse and read attributes/s"),
        [(str(size), *(f"{rate:.0f}" for rate in rates)) for size, rates in limits.items()],
        "The machine's limits for the same bytes, in traces.",
    )
    return report


_PEERS: Final = ("mlflow", "mlflow-postgres", "phoenix")


def _ours_beside(peer: str) -> str:
    return "ours-postgres-2" if "postgres" in peer else "ours"


def _ratio(rates: dict[tuple[str, int, int], float], peer: str, size: int, number: int) -> str:
    ours, theirs = rates.get((_ours_beside(peer), size, number)), rates.get((peer, size, number))
    return "–" if ours is None or theirs is None else ratio(ours, theirs)


def _row(cell: Cell) -> tuple[str, ...]:
    refused = " ".join(f"{why}:{count}" for why, count in cell.load.refused.items()) or "0"
    if cell.load.unanswered:
        refused += f" unanswered:{cell.load.unanswered}"
    return (
        str(cell.per_request), cell.system, str(cell.connections), f"{cell.rate:.0f}",
        " ".join(f"{rate:.0f}" for rate in cell.other_rates),
        f"{cell.load.percentile_ms(0.5):.1f}", f"{cell.load.percentile_ms(0.99):.1f}",
        str(cell.stored), str(cell.load.acknowledged), refused, str(cell.unreadable),
        f"{cell.peak_bytes / 1e6:.0f}", f"{cell.load.cpu_s / cell.load.elapsed_s:.0%} of a core",
    )  # fmt: skip


def set_bars(
    report: Report,
    rates: dict[tuple[str, int, int], float],
    stores: Sequence[Store],
    limits: dict[int, tuple[float, ...]],
) -> None:
    """Rows 1 to 4 of the bars, all at 16 connections."""

    def at_least(row: str, system: str, size: int, bar: float) -> None:
        rate = rates.get((system, size, _BARRED))
        told = "–" if rate is None else f"{rate:.0f}/s"
        report.bar(row, f"{system}, {size} a request: ≥ {bar:.0f}/s", told,
                   None if rate is None else rate >= bar)  # fmt: skip

    def times(row: str, peer: str, size: int, bar: float) -> None:
        ours, theirs = (rates.get((s, size, _BARRED)) for s in (_ours_beside(peer), peer))
        measured = None if ours is None or theirs is None else ours / max(theirs, 0.01)
        report.bar(row, f"{size} a request: ≥ {bar:.0f} × {peer}",
                   "–" if measured is None else f"{measured:.1f} ×",
                   None if measured is None else measured >= bar)  # fmt: skip

    at_least("1", "ours", 1, 1800)
    times("1", "mlflow", 1, 30)
    times("1", "phoenix", 1, 10)
    at_least("2", "ours", 50, 3500)
    times("2", "mlflow", 50, 20)
    batch = rates.get(("ours", 50, _BARRED))
    if batch is not None:
        disk, parsed, _read = limits[50]
        told = f"{batch / parsed:.2f} and {batch / disk:.2f}"
        report.bar("2", "share of the parse rate and of append and fsync", told, None)
    for store in stores:
        if store.system == "ours" and store.lag_traces:
            rate = store.lag_traces / max(store.catch_up_s, 0.001)
            report.bar("2", f"index catch-up ≥ 500/s, {store.per_request} a request",
                       f"{rate:.0f}/s from {store.lag_traces:.0f} behind", rate >= 500)  # fmt: skip
    times("3", "mlflow-postgres", 1, 10)
    for store in stores:
        if store.system.startswith("ours"):
            report.bar("4", f"{store.system}, {store.per_request} a request: ≤ 10 KB a trace",
                       f"{store.kb_a_trace:.1f} KB", store.kb_a_trace <= 10)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
