"""`make bench-big-trace`: one trace of many spans, sent in batches, then opened.

Its spans are those of an agent that went on for long: model and tool calls of about 2 KB each in a
tree three deep. Traces of 10 and of 1,000 spans are opened beside it.
"""

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from load import drive, percentile
from otlp_traces import START_NS
from report import Report, options
from search import Client
from systems.asking import Call
from systems.ours import Tracelake
from words import Pool, make_pools

INGEST_BAR_S: Final = 60.0
PAGE_BAR_MS: Final = 100.0
_TEXT_BYTES: Final = 1800
_CHILDREN: Final = 50


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--spans", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=500, help="spans in one request")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=50, help="of each opening")
    arguments = parser.parse_args()
    arguments.stores.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="big-", dir=arguments.stores.resolve()))
    system = Tracelake(home / "ours")
    report = Report("big traces")
    rows: list[tuple[str, ...]] = []
    pool = make_pools(random.Random(3), 1_000_000)["en"]
    try:
        system.start()
        client = Client(system.ports[0])
        for spans in sorted({10, 1000, arguments.spans}):
            trace_id = spans.to_bytes(16)
            load = drive(batches(trace_id, spans, arguments.batch, pool), arguments.batch,
                         system.addresses, arguments.connections, 600, system.headers)  # fmt: skip
            if load.refused or load.unanswered:
                raise RuntimeError(f"{dict(load.refused)} refused, {load.unanswered} unanswered")
            ingest_s = load.elapsed_s
            count = _count_spans(client, trace_id)
            if count != spans:
                raise RuntimeError(f"{count} of {spans} spans can be read")
            opened = _open(client, trace_id, arguments.repeats)
            rows.append((str(spans), f"{ingest_s:.2f}", *(f"{ms:.1f}" for ms in opened.values())))
            if spans == arguments.spans:
                report.bar("7", f"{spans} spans in batches of {arguments.batch}: ≤ 60 s",
                           f"{ingest_s:.1f} s", ingest_s <= INGEST_BAR_S)  # fmt: skip
                for name in ("first page", "first skeleton page"):
                    report.bar("7", f"{name}: p95 ≤ {PAGE_BAR_MS:.0f} ms",
                               f"{opened[name]:.1f} ms", opened[name] <= PAGE_BAR_MS)  # fmt: skip
    finally:
        memory = system.memory_bytes()
        system.stop()
    size = system.disk_bytes() / 1e6
    shutil.rmtree(home)
    report.table(
        ("spans", "ingest s", *(f"{name}, p95 ms" for name in _OPENINGS)),
        rows,
        f"About {_TEXT_BYTES} bytes of text a span. "
        f"Server {memory / 1e6:.0f} MB, disk {size:.0f} MB.",
    )
    return report.finish(write=arguments.write)


_OPENINGS: Final = ("trace info", "first page", "first skeleton page", "one span's payload")


def _open(client: Client, trace_id: bytes, repeats: int) -> dict[str, float]:
    """p95 of each way of opening, in ms."""
    path = f"/api/v1/traces/tr-{trace_id.hex()}"
    span = f"{path}/spans/{_span_id(7).hex()}"
    paths = (path, f"{path}/spans", f"{path}/spans?view=skeleton", span)
    times: dict[str, float] = {}
    for name, each in zip(_OPENINGS, paths, strict=True):
        taken: list[float] = []
        for _ in range(repeats + 2):
            began = time.perf_counter()
            client.call(Call(each))
            taken.append(time.perf_counter() - began)
        times[name] = percentile(taken[2:], 0.95) * 1000
    return times


def _count_spans(client: Client, trace_id: bytes) -> int:
    path = f"/api/v1/traces/tr-{trace_id.hex()}/spans?view=skeleton&max_results=5000"
    count, token = 0, ""
    while True:
        page: dict[str, Any] = json.loads(client.call(Call(path + token)))
        count += len(page["span_id"])
        if not page["next_page_token"]:
            return count
        token = f"&page_token={page['next_page_token']}"


def batches(trace_id: bytes, spans: int, size: int, pool: Pool) -> Iterator[bytes]:
    for first in range(0, spans, size):
        request = ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        scope.spans.extend(
            _span(trace_id, number, pool) for number in range(first, min(first + size, spans))
        )
        yield request.SerializeToString()


def _span(trace_id: bytes, number: int, pool: Pool) -> Span:
    parent = b"" if number == 0 else _span_id((number - 1) // _CHILDREN)
    text = pool.take(number * 99_991, _TEXT_BYTES).decode()
    attributes = {
        "openinference.span.kind": ("LLM", "TOOL")[number % 2] if number else "AGENT",
        "input.value": text[:1000],
        "output.value": text[1000:],
    }
    return Span(
        trace_id=trace_id,
        span_id=_span_id(number),
        parent_span_id=parent,
        name=f"step {number}",
        start_time_unix_nano=START_NS + number * 1_000_000,
        end_time_unix_nano=START_NS + number * 1_000_000 + 900_000,
        attributes=[
            KeyValue(key=key, value=AnyValue(string_value=value))
            for key, value in attributes.items()
        ],
        status=Status(code=Status.STATUS_CODE_OK),
    )


def _span_id(number: int) -> bytes:
    return (number + 1).to_bytes(8)


if __name__ == "__main__":
    sys.exit(main())
