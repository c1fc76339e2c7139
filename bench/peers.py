"""`make bench-peers`: the same questions to ours, MLflow and Phoenix, over the same traces.

Each system is loaded with the same bytes until it holds them all, then asked each question in its
own words, warm, one client. A question that takes long is asked a few times only; one that is not
answered in time is told so. Stores are built under --stores and used again.
"""

import json
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from load import drive, percentile
from otlp_traces import TraceSource
from report import Report, options, ratio
from search import Client, Refused
from systems.asking import QUESTIONS, Ask, mlflow, ours, phoenix
from systems.base import System
from systems.choose import Systems

_ASKING: Final = {"ours": ours, "mlflow": mlflow, "phoenix": phoenix}
_CONNECTIONS: Final = 4
_BUILD_SECONDS: Final = 4 * 3600.0
_BUDGET_S: Final = 60.0
_PER_REQUEST: Final = 10


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--systems", nargs="+", default=list(_ASKING), choices=list(_ASKING))
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=20, help="of each question")
    arguments = parser.parse_args()
    home = arguments.stores.resolve() / f"peers-{arguments.traces}"
    systems = Systems(home, arguments.peers)
    source = TraceSource(_PER_REQUEST, shape="mixed", total=arguments.traces)
    answers: dict[str, dict[str, list[float] | str]] = {}
    notes: list[str] = []
    for name in arguments.systems:
        system = open_store(systems, name, source, arguments.traces)
        try:
            system.settle()
            answers[name] = {
                question: ask(system, way, source, arguments.traces, arguments.repeats)
                for question, way in _ASKING[name]().items()
            }
            notes.append(f"{name} {system.version()}: {system.memory_bytes() / 1e6:.0f} MB")
        finally:
            system.stop()
    report = Report("search beside others")
    others = [name for name in arguments.systems if name != "ours"]
    report.table(
        ("question", *(f"{other} ÷ ours" for other in others)),
        [(q, *(_times(answers, other, q) for other in others)) for q in QUESTIONS],
        f"Ratios of the median, over {arguments.traces} traces.",
    )
    report.table(
        ("question", *(f"{name}, p50 / p95 ms" for name in arguments.systems)),
        [(q, *(_told(answers[name][q]) for name in arguments.systems)) for q in QUESTIONS],
        "; ".join(notes) + ".",
    )
    return report.finish(write=arguments.write)


def open_store(systems: Systems, name: str, source: TraceSource, traces: int) -> System:
    """The system, started, with all traces in it."""
    system = systems.make(name, "store")
    built = system.folder / "built.json"
    if not built.exists() and any(system.folder.iterdir()):
        shutil.rmtree(system.folder)
        system.folder.mkdir()
    system.start()
    if built.exists():
        return system
    try:
        _build(system, built, source, traces)
    except BaseException:
        system.stop()
        raise
    return system


def _build(system: System, built: Path, source: TraceSource, traces: int) -> None:
    bodies = (source.body(range(n, n + _PER_REQUEST)) for n in range(0, traces, _PER_REQUEST))
    began = time.monotonic()
    drive(bodies, _PER_REQUEST, system.addresses, _CONNECTIONS, _BUILD_SECONDS, system.headers)
    count, _last = system.wait_counted(traces, _BUILD_SECONDS)
    if count != traces:
        raise RuntimeError(f"{system.name} holds {count} of {traces} traces")
    built.write_text(json.dumps({"traces": traces, "seconds": time.monotonic() - began}))
    print(f"{system.name}: built in {time.monotonic() - began:.0f} s", file=sys.stderr)


def ask(
    system: System, question: Ask, source: TraceSource, traces: int, repeats: int
) -> list[float] | str:
    """Seconds of each answer; or why there is none."""
    client = Client(system.ports[0])
    chooser = random.Random(11)
    taken: list[float] = []
    began = time.monotonic()
    try:
        for number in range(repeats + 2):
            facts = source.facts(chooser.randrange(traces))
            started = time.perf_counter()
            answer = client.call(question(facts))
            taken.append(time.perf_counter() - started)
            if b'"errors":' in answer[:200]:
                return answer[:80].decode(errors="replace")
            if number >= 2 and time.monotonic() - began > _BUDGET_S:
                break
    except Refused as error:
        return str(error)[:80]
    return taken[2:]


def _times(answers: dict[str, dict[str, list[float] | str]], other: str, question: str) -> str:
    theirs, mine = answers[other][question], answers.get("ours", {}).get(question, "")
    if isinstance(theirs, str) or isinstance(mine, str):
        return "–"
    return ratio(percentile(theirs, 0.5), percentile(mine, 0.5))


def _told(taken: list[float] | str) -> str:
    if isinstance(taken, str):
        return taken.replace("|", " ")
    return f"{percentile(taken, 0.5) * 1000:.1f} / {percentile(taken, 0.95) * 1000:.1f}"


if __name__ == "__main__":
    sys.exit(main())
