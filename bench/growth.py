"""`make bench-growth`: the ingest rate on a full store against the rate on an empty one.

Both are measured in turns on the same machine, with one trace a request over 16 connections, so
that a slow minute of the machine meets both. The full store is the search benchmark's, copied, so
that it stays as it is.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

import search_store
from load import Load, drive
from otlp_traces import TraceSource
from report import Report, options
from systems.ours import Tracelake

SHARE_BAR: Final = 0.7
_CONNECTIONS: Final = 16
_WARM_SECONDS: Final = 3.0


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000, help="in the full store")
    parser.add_argument("--seconds", type=float, default=10.0, help="of sending, for each run")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    built = arguments.stores.resolve() / f"search-{arguments.traces}"
    source = search_store.make_source(arguments.traces)
    search_store.ensure(built, arguments.traces, source).stop()
    home = Path(tempfile.mkdtemp(prefix="growth-", dir=arguments.stores.resolve()))
    rows: list[tuple[str, ...]] = []
    shares: list[float] = []
    try:
        full_folder = home / "full"
        shutil.copytree(built, full_folder)
        for number in range(arguments.rounds):
            empty = run(home / f"empty{number}", arguments.seconds, worker=1)
            # Far from the numbers that are stored, and from the other rounds'.
            full = run(full_folder, arguments.seconds, worker=10 + number)
            shares.append(full.rate / empty.rate)
            rows.append(
                (
                    str(number + 1), f"{empty.rate:.0f}", f"{full.rate:.0f}", f"{shares[-1]:.2f}",
                    f"{empty.percentile_ms(0.99):.1f}", f"{full.percentile_ms(0.99):.1f}",
                )
            )  # fmt: skip
    finally:
        shutil.rmtree(home)
    report = Report("growth")
    share = statistics.median(shares)
    report.bar("11", f"rate at {arguments.traces} stored ≥ {SHARE_BAR:.0%} of the empty store's",
               f"{share:.0%}", share >= SHARE_BAR)  # fmt: skip
    report.table(
        (
            "round",
            "empty/s",
            f"{arguments.traces} stored/s",
            "share",
            "empty p99 ms",
            "full p99 ms",
        ),
        rows,
    )
    return report.finish(write=arguments.write)


def run(folder: Path, seconds: float, *, worker: int) -> Load:
    system = Tracelake(folder)
    system.start()
    source = TraceSource(1)
    try:
        for number, length in ((worker * 2, _WARM_SECONDS), (worker * 2 + 1, seconds)):
            bodies = (body for body, _ids in source.bodies(number, 10**7))
            load = drive(bodies, 1, system.addresses, _CONNECTIONS, length, system.headers)
            if load.refused or load.unanswered:
                raise RuntimeError(f"{dict(load.refused)} refused, {load.unanswered} unanswered")
        return load
    finally:
        system.stop()


if __name__ == "__main__":
    sys.exit(main())
