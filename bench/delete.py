"""`make bench-delete`: how long acknowledgements take while many traces are deleted.

The store is the search benchmark's, copied. Ingest runs at a steady closed loop; its p99 is taken
before, and then while one client deletes the oldest traces until so many are gone.
"""

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import search_store
from load import Load, drive
from otlp_traces import TraceSource
from report import Report, options
from search import Client
from systems.asking import Call
from systems.ours import Tracelake

ACKNOWLEDGED_BAR_MS: Final = 200.0
_PATIENCE_S: Final = 900.0
_BEFORE_WORKER: Final = 50


@dataclass
class Deletion:
    """What the deleting client saw."""

    deleted: int = 0
    requests: int = 0
    elapsed_s: float = 0.0
    failed: str = ""
    done: bool = False


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000, help="in the store")
    parser.add_argument("--delete", type=int, default=100_000, help="traces to delete")
    parser.add_argument("--connections", type=int, default=4, help="that ingest meanwhile")
    parser.add_argument("--before-seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    built = arguments.stores.resolve() / f"search-{arguments.traces}"
    store_source = search_store.make_source(arguments.traces)
    search_store.ensure(built, arguments.traces, store_source).stop()
    home = Path(tempfile.mkdtemp(prefix="delete-", dir=arguments.stores.resolve()))
    shutil.copytree(built, home / "ours")
    system = Tracelake(home / "ours")
    source = TraceSource(1)
    try:
        system.start()
        before = ingest(system, source, arguments.connections, arguments.before_seconds)
        stored = system.count_traces()
        deletion = Deletion()
        client = threading.Thread(target=delete, args=(system.ports[0], arguments.delete, deletion))
        client.start()
        during = ingest(system, source, arguments.connections, _PATIENCE_S, until=deletion)
        client.join()
        left = system.count_traces()
    finally:
        system.stop()
        shutil.rmtree(home)
    report = Report("delete")
    wanted = stored + during.acknowledged - deletion.deleted
    p99 = during.percentile_ms(0.99)
    told = deletion.failed[:60] or f"{p99:.0f} ms"
    report.bar("9", f"{arguments.delete} deleted during ingest: p99 ≤ {ACKNOWLEDGED_BAR_MS:.0f} ms",
               told, not deletion.failed and p99 <= ACKNOWLEDGED_BAR_MS)  # fmt: skip
    report.bar("9", "exactly what was deleted is gone", f"{left} left of {wanted}",
               left == wanted and deletion.deleted == arguments.delete)  # fmt: skip
    report.table(
        ("", "traces/s", "p50 ms", "p99 ms", "most ms", "refused"),
        [_row("before", before), _row("while deleting", during)],
        f"{deletion.deleted} deleted in {deletion.elapsed_s:.1f} s, {deletion.requests} requests.",
    )
    return report.finish(write=arguments.write)


def ingest(
    system: Tracelake, source: TraceSource, connections: int, seconds: float,
    *, until: Deletion | None = None,
) -> Load:  # fmt: skip
    def bodies() -> Iterator[bytes]:
        worker = _BEFORE_WORKER + (until is not None)
        for body, _ids in source.bodies(worker, 10**7):
            if until is not None and until.done:
                return
            yield body

    return drive(bodies(), 1, system.addresses, connections, seconds, system.headers)


def delete(port: int, count: int, seen: Deletion) -> None:
    """Ask for the oldest `count` traces to go, again and again until they are gone."""
    client = Client(port)
    began = time.monotonic()
    try:
        while seen.deleted < count and time.monotonic() - began < _PATIENCE_S:
            body = {"experiment_ids": ["0"], "max_traces": count - seen.deleted}
            answer = json.loads(client.call(Call("/api/v1/traces/delete", body)))
            seen.deleted += answer["traces_deleted"]
            seen.requests += 1
            if not answer["more"]:
                break
    except Exception as error:  # the other thread waits for `done`, whatever went wrong here
        seen.failed = repr(error)
    finally:
        seen.elapsed_s = time.monotonic() - began
        seen.done = True


def _row(name: str, load: Load) -> tuple[str, ...]:
    shares = (0.5, 0.99, 1.0)
    return (
        name, f"{load.rate:.0f}", *(f"{load.percentile_ms(share):.1f}" for share in shares),
        str(sum(load.refused.values())),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
