"""`make bench-fuzz`: mutated OTLP requests through the server's whole way in, on a real store.

No answer may be a 5xx, nothing may be logged as an error, memory must stay flat, and every trace
that was acknowledged must read back through the API. Exit code 1 where one of this does not hold.
"""

import argparse
import asyncio
import gc
import json
import logging
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from otlp_mutations import Mutated, Mutations
from tracelake.ingest.body import content_type_of, parse
from tracelake.ingest.encoding import decompress
from tracelake.ingest.salvage import without_unreadable
from tracelake.model.errors import InvalidInput
from tracelake.model.ids import format_trace_id
from tracelake.server.app import FrontDoor, create_app
from tracelake.server.settings import load_settings

TOGETHER = 32
"""Requests under way at once, so that they meet in group commits."""


@dataclass
class Report:
    """What was found. `wrong` is empty where all is well."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    acknowledged: dict[bytes, set[bytes]] = field(default_factory=dict[bytes, set[bytes]])
    """Span ids by trace id."""
    wrong: list[str] = field(default_factory=list[str])
    warm_bytes: int = 0
    end_bytes: int = 0


class Watch(logging.Handler):
    """Turns what is logged as an error into a finding."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        told = self.format(record)
        self._report.wrong.append(f"logged: {told[-1500:]}")


async def run(home: Path, count: int, first: int = 0) -> Report:
    """Send requests `first` to `first + count`, then read everything back."""
    given = {"home": str(home), "otlp_grpc_port": "0", "lake_sync_seconds": "0"}
    door = create_app(load_settings(given, {}))
    report = Report()
    watch = Watch(report)
    logging.getLogger().addHandler(watch)
    try:
        async with door.app.router.lifespan_context(door.app):
            await _send_all(door, Mutations(), range(first, first + count), report)
            await _read_all(door, report)
    finally:
        logging.getLogger().removeHandler(watch)
    return report


async def _send_all(door: FrontDoor, mutations: Mutations, numbers: range, report: Report) -> None:
    own = psutil.Process()
    for at in range(0, len(numbers), TOGETHER):
        some = [mutations.at(number) for number in numbers[at : at + TOGETHER]]
        answers = await asyncio.gather(*(post(door, mutated) for mutated in some))
        for number, mutated, status in zip(numbers[at:], some, answers, strict=False):
            judge(number, mutated, status, report)
        if at <= len(numbers) // 4:
            gc.collect() if at + TOGETHER > len(numbers) // 4 else None
            report.warm_bytes = own.memory_info().rss
    gc.collect()
    report.end_bytes = own.memory_info().rss


async def post(door: FrontDoor, mutated: Mutated) -> int:
    """The status that the ASGI application answers with."""
    headers = [(b"content-type", mutated.content_type.encode())]
    if mutated.encoding:
        headers.append((b"content-encoding", mutated.encoding.encode()))
    if mutated.experiment is not None:
        headers.append((b"x-mlflow-experiment-id", mutated.experiment.encode()))
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": mutated.body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {"type": "http", "method": "POST", "path": "/v1/traces", "headers": headers}
    await door(scope, receive, send)
    return status


def judge(number: int, mutated: Mutated, status: int, report: Report) -> None:
    """Count an answer; remember what it acknowledged."""
    report.statuses[status] += 1
    if status not in (200, 400, 404, 413, 415):
        report.wrong.append(f"request {number}: answered {status}")
    if status == 200:
        for trace_id, span_id in _storable_spans(mutated):
            report.acknowledged.setdefault(trace_id, set()).add(span_id)


def _storable_spans(mutated: Mutated) -> list[tuple[bytes, bytes]]:
    plain = decompress(mutated.body, mutated.encoding, 2**26)
    media_type = content_type_of(mutated.content_type)
    try:
        request = parse(plain, media_type)
    except InvalidInput as error:
        plain, _ = without_unreadable(plain, media_type, error)
        request = parse(plain, media_type)
    return [
        (span.trace_id, span.span_id)
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
        if len(span.trace_id) == 16 and any(span.trace_id)
        if len(span.span_id) == 8 and any(span.span_id)
        if len(span.parent_span_id) in (0, 8)
        if max(span.start_time_unix_nano, span.end_time_unix_nano) < 2**63
    ]


async def _read_all(door: FrontDoor, report: Report) -> None:
    """Every acknowledged trace, whole, through the API; then the lists."""
    transport = httpx.ASGITransport(door.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://fuzz", timeout=60) as client:
        for trace_id, span_ids in report.acknowledged.items():
            await _read_trace(client, format_trace_id(trace_id), span_ids, report)
        token = None
        listed = 0
        while True:
            answer = await client.post(
                "/api/v1/traces/search", json={"max_results": 500, "page_token": token}
            )
            if answer.status_code != 200:
                report.wrong.append(f"search: {answer.status_code} {answer.text[:300]}")
                return
            page = answer.json()
            listed += len(page["traces"])
            token = page["next_page_token"]
            if token is None:
                break
        if listed != len(report.acknowledged):
            report.wrong.append(f"{listed} traces listed, {len(report.acknowledged)} acknowledged")


async def _read_trace(
    client: httpx.AsyncClient, trace_id: str, span_ids: set[bytes], report: Report
) -> None:
    info = await client.get(f"/api/v1/traces/{trace_id}")
    if info.status_code != 200:
        report.wrong.append(f"{trace_id}: {info.status_code} {info.text[:300]}")
        return

    def odd(name: str) -> None:
        report.wrong.append(f"{trace_id}: {name} in JSON")

    json.loads(info.content, parse_constant=odd)
    found: set[str] = set()
    token: str | None = ""
    while token is not None:
        page = await client.get(
            f"/api/v1/traces/{trace_id}/spans", params={"page_token": token} if token else {}
        )
        if page.status_code != 200:
            report.wrong.append(f"{trace_id} spans: {page.status_code} {page.text[:300]}")
            return
        told = json.loads(page.content, parse_constant=odd)
        found.update(span["span_id"] for span in told["spans"])
        token = told["next_page_token"]
    if found != {span_id.hex() for span_id in span_ids}:
        report.wrong.append(f"{trace_id}: {len(span_ids)} spans acknowledged, {len(found)} read")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=100_000)
    options.add_argument("--first", type=int, default=0)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracelake-bench-", dir=Path.cwd()) as home:
        report = asyncio.run(run(Path(home), arguments.count, arguments.first))
    cpu_s = sum(psutil.Process().cpu_times()[:2])
    grown_mb = (report.end_bytes - report.warm_bytes) / 1e6
    print(
        f"{arguments.count} bodies: {dict(sorted(report.statuses.items()))}; "
        f"{len(report.acknowledged)} traces acknowledged and read back; "
        f"memory {report.warm_bytes / 1e6:.0f} MB after a quarter, {grown_mb:+.0f} MB at the end; "
        f"{cpu_s:.0f} s of CPU; {len(report.wrong)} findings"
    )
    for finding in report.wrong[:20]:
        print("-", finding)
    return 1 if report.wrong or grown_mb > 50 else 0


if __name__ == "__main__":
    sys.exit(main())
