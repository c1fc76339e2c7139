"""The store that the search benchmark asks: N mixed traces and feedback on a fiftieth of them.

Built once in a folder through the public API and kept there; what is true of it is known from the
generator alone.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from load import Load, drive, send
from otlp_traces import TraceSource
from systems.ours import Tracelake

FEEDBACK: Final = "quality"
_PER_REQUEST: Final = 50
_CONNECTIONS: Final = 4
_FEEDBACK_STEP: Final = 50
_BUILD_SECONDS: Final = 6 * 3600.0


def make_source(traces: int) -> TraceSource:
    return TraceSource(_PER_REQUEST, shape="mixed", total=traces)


def feedback_of(number: int) -> float | None:
    """The value of the trace's feedback; None where it has none."""
    if number % _FEEDBACK_STEP != 7:
        return None
    return number // _FEEDBACK_STEP * 7 % 11 / 10


def ensure(folder: Path, traces: int, source: TraceSource) -> Tracelake:
    """The store's server, started; the store is built first where it is not whole."""
    system = Tracelake(folder)
    built = folder / "built.json"
    if built.exists():
        system.start()
        return system
    if any(folder.iterdir()):
        shutil.rmtree(folder)
        folder.mkdir()
    system.start()
    try:
        told = build(system, traces, source)
    except BaseException:
        system.stop()
        raise
    built.write_text(json.dumps(told))
    print(f"built: {told}", file=sys.stderr)
    return system


def build(system: Tracelake, traces: int, source: TraceSource) -> dict[str, float]:
    """Send everything; how fast it went."""
    sent = drive(_bodies(source, traces), _PER_REQUEST, system.addresses, _CONNECTIONS,
                 _BUILD_SECONDS, system.headers)  # fmt: skip
    _insist("traces", sent, traces)
    numbers = [n for n in range(traces) if feedback_of(n) is not None]
    requests = (_feedback_request(source, number) for number in numbers)
    said = send(requests, 1, system.addresses, _CONNECTIONS, _BUILD_SECONDS)
    _insist("feedback", said, len(numbers))
    began = time.monotonic()
    system.settle()
    return {
        "traces": traces,
        "traces_per_second": round(sent.rate, 1),
        "feedback_per_second": round(said.rate, 1),
        "index_behind_seconds": round(time.monotonic() - began, 1),
    }


def _bodies(source: TraceSource, traces: int) -> Iterator[bytes]:
    for first in range(0, traces, _PER_REQUEST):
        yield source.body(range(first, first + _PER_REQUEST))


def _feedback_request(source: TraceSource, number: int) -> bytes:
    feedback = {"name": FEEDBACK, "feedback": {"value": feedback_of(number)}}
    body = json.dumps(feedback).encode()
    path = f"/api/v1/traces/{source.facts(number).trace_id}/assessments"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _insist(what: str, load: Load, wanted: int) -> None:
    if load.acknowledged != wanted:
        raise RuntimeError(
            f"{load.acknowledged} of {wanted} {what} acknowledged; {dict(load.refused)}"
        )
