"""`make bench-live`: from a trace's acknowledgement to its arrival at a live subscriber.

Once on SQLite, where subscriber and sender meet one server, and once on PostgreSQL with two, where
they do not. Also how soon after its acknowledgement a trace can be read, for each system.
"""

import http.client
import json
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from load import percentile
from otlp_traces import SPANS, TraceSource
from report import Report, options
from systems.base import System
from systems.choose import NAMES, Systems

LIVE_BAR_S: Final = 1.0
_PATIENCE_S: Final = 10.0
_READ_PATIENCE_S: Final = 30.0
_SUBSCRIBED_SECONDS: Final = 1.0
_LIVE: Final = ("ours", "ours-postgres-2")


class Subscriber(threading.Thread):
    """Reads a stream of server-sent events, and notes when each trace was first told."""

    def __init__(self, port: int, filter: str) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.problem = ""
        self.ready = threading.Event()
        self._ended = False
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._path = f"/api/v1/traces/stream?filter={quote(filter)}"

    def run(self) -> None:
        try:
            self._connection.request("GET", self._path, headers={"Accept": "text/event-stream"})
            answer = self._connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {answer.read(200)!r}")
            self.ready.set()
            for line in answer:
                if line.startswith(b"data:"):
                    self._note(line[5:])
        except Exception as error:  # the thread's only way to tell; the closing is one too
            if not self._ended:
                self.problem = repr(error)
            self.ready.set()

    def _note(self, data: bytes) -> None:
        now = time.monotonic()
        told = json.loads(data)
        for trace in told.get("traces", [told]):
            if "trace_id" in trace:
                self.seen.setdefault(trace["trace_id"], now)

    def close(self) -> None:
        self._ended = True
        self._connection.close()


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--systems", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME")
    parser.add_argument("--traces", type=int, default=50)
    arguments = parser.parse_args()
    arguments.stores.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="live-", dir=arguments.stores.resolve()))
    systems = Systems(home, arguments.peers)
    report = Report("live")
    rows: list[tuple[str, ...]] = []
    try:
        for name in arguments.systems:
            system = systems.make(name, "live")
            try:
                system.start()
                rows.append(_row(name, "read back by its API", *readable(system, arguments.traces)))
                if name in _LIVE:
                    delays, problem = live(system, arguments.traces)
                    rows.append(_row(name, "live event", delays, len(delays)))
                    worst = max(delays, default=float("nan"))
                    complete = len(delays) == arguments.traces
                    report.bar("10", f"{name}: each trace at a subscriber ≤ {LIVE_BAR_S:g} s",
                               problem[:60] or f"{worst:.2f} s, {len(delays)} traces",
                               complete and worst <= LIVE_BAR_S)  # fmt: skip
            finally:
                system.stop()
    finally:
        systems.stop()
        shutil.rmtree(home)
    report.table(
        ("system", "seen by", "p50 ms", "p95 ms", "most ms", "traces"),
        rows,
        "After the acknowledgement, one trace at a time.",
    )
    return report.finish(write=arguments.write)


def readable(system: System, traces: int) -> tuple[list[float], int]:
    """Seconds until each trace could be read whole, and how many ever could."""
    source = TraceSource(1)
    delays: list[float] = []
    for number in range(traces):
        acknowledged = post(system, source.trace(number))
        trace_id = source.facts(number).trace_id[3:]
        while time.monotonic() - acknowledged < _READ_PATIENCE_S:
            if system.is_readable(trace_id, SPANS):
                delays.append(time.monotonic() - acknowledged)
                break
            time.sleep(0.002)
    return delays, len(delays)


def live(system: System, traces: int) -> tuple[list[float], str]:
    """Seconds from acknowledgement by the first server to the event from the last."""
    source = TraceSource(1)
    subscriber = Subscriber(system.ports[-1], "status = 'OK'")
    subscriber.start()
    subscriber.ready.wait(_PATIENCE_S)
    time.sleep(_SUBSCRIBED_SECONDS)
    first = source.first_number(1)
    wanted = [n for n in range(first, first + traces * 2) if not source.facts(n).kind.failed]
    acknowledged: dict[str, float] = {}
    for number in wanted[:traces]:
        if subscriber.problem:
            break
        acknowledged[source.facts(number).trace_id] = post(system, source.trace(number))
        time.sleep(0.05)
    until = time.monotonic() + _PATIENCE_S
    while len(subscriber.seen) < len(acknowledged) and time.monotonic() < until:
        time.sleep(0.05)
    subscriber.close()
    delays = [subscriber.seen[each] - at for each, at in acknowledged.items()
              if each in subscriber.seen]  # fmt: skip
    return delays, subscriber.problem


def post(system: System, body: bytes) -> float:
    """When the trace was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", system.ports[0], timeout=60)
    headers = {"Content-Type": "application/x-protobuf", **system.headers}
    connection.request("POST", "/v1/traces", body, headers)
    answer = connection.getresponse()
    answer.read()
    now = time.monotonic()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{system.name} answered {answer.status}")
    return now


def _row(name: str, way: str, delays: list[float], count: int) -> tuple[str, ...]:
    shares = (0.5, 0.95, 1.0)
    times = (f"{percentile(delays, share) * 1000:.1f}" for share in shares)
    return (name, way, *times, str(count))


if __name__ == "__main__":
    sys.exit(main())
