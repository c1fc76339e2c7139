"""`make bench-search`: how long answers take over N traces of about 10 spans, warm, one client.

Each question is asked many times with other values, over a connection that stays. The store is
built once under --stores and used again. Where it is small enough, each kind of question is
checked once: the ids found against a plain walk over what the generator sent.
"""

import http.client
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import search_store
from load import percentile
from otlp_traces import PERIOD_NS, START_NS, Facts, TraceSource
from queries import Asked, filters, first_class, random_facts, texts
from report import Report, options
from systems.asking import Call

PAGE_BAR_MS: Final = 20.0
TRACE_BAR_MS: Final = 10.0
METRICS_BAR_MS: Final = 300.0
VALUES_BAR_MS: Final = 150.0
_CHECKED_TRACES: Final = 10_000
_WARM: Final = 3
_PATIENCE_S: Final = 120.0
_BUDGET_S: Final = 60.0
_LEAST: Final = 3
"""A question that takes longer than the budget is asked no more than this often."""

Ask = Callable[[random.Random, Facts], Call]


@dataclass
class Timed:
    """What one question cost. `problem` says why it has no times, or a wrong answer."""

    row: str
    name: str
    bar_ms: float | None
    times_s: list[float] = field(default_factory=list[float])
    checked: str = "–"
    problem: str = ""

    @property
    def held(self) -> bool | None:
        if self.problem:
            return False
        return None if self.bar_ms is None else percentile(self.times_s, 0.95) * 1000 <= self.bar_ms


class Refused(Exception):
    """An answer other than 200."""


class Client:
    """One kept connection to one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)

    def call(self, call: Call) -> bytes:
        body = None if call.body is None else json.dumps(call.body).encode()
        try:
            self._connection.request(
                "GET" if body is None else "POST",
                call.path,
                body,
                {"Content-Type": "application/json"},
            )
            answer = self._connection.getresponse()
            told = answer.read()
        except OSError as error:
            self._connection.close()
            self._connection = self._connect()
            raise Refused(f"no answer within {_PATIENCE_S:g} s") from error
        if answer.status != 200:
            raise Refused(f"{answer.status} {told[:160].decode(errors='replace')}")
        return told


@dataclass
class Bench:
    """One store under test."""

    client: Client
    source: TraceSource
    traces: int
    repeats: int
    results: list[Timed] = field(default_factory=list[Timed])

    def measure(
        self, row: str, name: str, bar_ms: float | None, ask: Ask,
        check: Callable[[], str] | None = None,
    ) -> None:  # fmt: skip
        chooser = random.Random(f"{name} {self.traces}")
        timed = Timed(row, name, bar_ms)
        self.results.append(timed)
        try:
            ends = time.monotonic() + _BUDGET_S
            for number in range(self.repeats + _WARM):
                if time.monotonic() > ends and len(timed.times_s) >= _LEAST:
                    break
                call = ask(chooser, random_facts(chooser, self.source, self.traces))
                began = time.perf_counter()
                self.client.call(call)
                if number >= _WARM:
                    timed.times_s.append(time.perf_counter() - began)
            if check is not None and self.traces <= _CHECKED_TRACES:
                timed.checked = check()
        except Refused as error:
            timed.problem = str(error)
        except AssertionError as error:
            timed.problem = f"WRONG: {error}"
        print(f"{name}: {timed.problem or 'done'}", file=sys.stderr)

    def found(self, filter: str) -> Iterator[str]:
        """Ids of all traces that match, page by page."""
        body: dict[str, Any] = {"filter": filter, "max_results": 500, "experiment_ids": ["0"]}
        while True:
            page = json.loads(self.client.call(Call("/api/v1/traces/search", body)))
            yield from (trace["trace_id"] for trace in page["traces"])
            if not page["next_page_token"]:
                return
            body["page_token"] = page["next_page_token"]

    def check_filter(self, ask: Callable[[random.Random, Facts], Asked]) -> str:
        """Compare a whole answer with a walk over everything that was sent."""
        chooser = random.Random(5)
        asked = ask(chooser, random_facts(chooser, self.source, self.traces))
        found = list(self.found(asked.filter))
        wanted = {
            self.source.facts(number).trace_id
            for number in range(self.traces)
            if asked.holds(self.source.facts(number), self.source.trace(number))
        }
        _same(found, wanted, asked.filter)
        return str(len(wanted))


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--traces", type=int, default=10_000, help="in the store; a multiple of 50")
    parser.add_argument("--repeats", type=int, default=50, help="of each question")
    arguments = parser.parse_args()
    if arguments.traces % 50:
        parser.error("--traces must be a multiple of 50")
    source = search_store.make_source(arguments.traces)
    folder = arguments.stores.resolve() / f"search-{arguments.traces}"
    system = search_store.ensure(folder, arguments.traces, source)
    try:
        system.settle()
        bench = Bench(Client(system.ports[0]), source, arguments.traces, arguments.repeats)
        ask_everything(bench)
        memory_bytes = system.memory_bytes()
    finally:
        system.stop()
    return tell(bench, memory_bytes, system.disk_bytes()).finish(write=arguments.write)


def ask_everything(bench: Bench) -> None:
    bench.measure("5", "first page", PAGE_BAR_MS, lambda _c, _f: _search(None))
    for kind, row in ((filters(), "5"), (first_class(), "5+"), (texts(), "5")):
        for question in kind:
            bench.measure(
                row, question.name, question.bar_ms,
                lambda c, f, ask=question.ask: _search(ask(c, f).filter),
                lambda ask=question.ask: bench.check_filter(ask),
            )  # fmt: skip
    bench.measure("5", "one trace of 10 spans", TRACE_BAR_MS, lambda c, _f: _open(bench, c))
    _ask_metrics(bench)
    _ask_values(bench)


def _ask_metrics(bench: Bench) -> None:
    for metric, aggregation in (("trace_count", "COUNT"), ("span_total_tokens", "SUM")):
        by_model = _metric(metric, aggregation, ["model"])
        bench.measure(
            "6",
            f"30 days by model: {metric}",
            METRICS_BAR_MS,
            lambda _c, _f, call=by_model: call,
            lambda m=metric, a=aggregation: _check_models(bench, m, a),
        )
    by_hour = _metric("trace_count", "COUNT", [], 3600)
    bench.measure(
        "6", "30 days by hour: trace_count", METRICS_BAR_MS,
        lambda _c, _f: by_hour, lambda: _check_hours(bench, by_hour),
    )  # fmt: skip
    for metric, aggregation, dimensions in (
        ("latency", "P95", []),
        ("latency", "P95", ["model"]),
        ("error_rate", "AVG", ["model"]),
        ("span_total_cost", "SUM", ["model"]),
    ):
        call = _metric(metric, aggregation, dimensions, 3600)
        name = f"30 days by {'model and ' if dimensions else ''}hour: {metric} {aggregation}"
        bench.measure("6", name, METRICS_BAR_MS, lambda _c, _f, call=call: call)


def _ask_values(bench: Bench) -> None:
    """The facet rail beside a list, and the completion of a value being typed."""
    rail = {"fields": ["status", "name", "model", "tool", "error", "tags.deploy", "span.name"]}
    for name, filter in (("all traces", None), ("a filter", "status = 'ERROR'")):
        body = rail | {"filter": filter, "experiment_ids": ["0"]}
        call = Call("/api/v1/traces/facets", body)
        bench.measure("facets", f"facets of {name}", VALUES_BAR_MS, lambda _c, _f, call=call: call)
    bench.measure(
        "facets", "completion of a user", VALUES_BAR_MS, lambda _c, f: _completion("user", f.user)
    )
    bench.measure(
        "facets", "a total", VALUES_BAR_MS,
        lambda _c, _f: Call("/api/v1/traces/count", {"filter": "error IS NOT NULL"}),
    )  # fmt: skip


def _completion(field: str, value: str) -> Call:
    body = {"fields": [field], "prefix": value[:-2], "experiment_ids": ["0"]}
    return Call("/api/v1/traces/facets", body)


def _search(filter: str | None) -> Call:
    body = {"filter": filter, "max_results": 100, "experiment_ids": ["0"]}
    return Call("/api/v1/traces/search", body)


def _metric(metric: str, aggregation: str, dimensions: list[str], bucket_s: int = 0) -> Call:
    body: dict[str, Any] = {
        "metric": metric,
        "aggregations": [aggregation],
        "dimensions": dimensions,
        "experiment_ids": ["0"],
        "start_time_ms": START_NS // 10**6,
        "end_time_ms": (START_NS + PERIOD_NS) // 10**6,
    }
    return Call("/api/v1/metrics", body | ({"bucket_seconds": bucket_s} if bucket_s else {}))


def _open(bench: Bench, chooser: random.Random) -> Call:
    while True:
        facts = random_facts(chooser, bench.source, bench.traces)
        if facts.kind.spans == 10:
            return Call(f"/api/v1/traces/{facts.trace_id}/spans")


def _check_models(bench: Bench, metric: str, aggregation: str) -> str:
    wanted: dict[str, int] = {}
    for number in range(bench.traces):
        facts = bench.source.facts(number)
        worth = 1 if metric == "trace_count" else facts.tokens
        wanted[facts.kind.model] = wanted.get(facts.kind.model, 0) + worth
    points = json.loads(bench.client.call(_metric(metric, aggregation, ["model"])))["data_points"]
    found = {p["dimensions"]["model"]: p["values"][aggregation] for p in points}
    assert found == wanted, f"{found} is not {wanted}"
    return f"{len(wanted)} models"


def _check_hours(bench: Bench, by_hour: Call) -> str:
    wanted: dict[int, int] = {}
    for number in range(bench.traces):
        hour = bench.source.facts(number).start_ns // 10**6 // 3_600_000 * 3_600_000
        wanted[hour] = wanted.get(hour, 0) + 1
    points = json.loads(bench.client.call(by_hour))["data_points"]
    found = {p["time_ms"]: p["values"]["COUNT"] for p in points if p["values"]["COUNT"]}
    assert found == wanted, f"{len(found)} hours are not {len(wanted)}, or hold other counts"
    return f"{len(wanted)} hours"


def _same(found: list[str], wanted: set[str], asked: str) -> None:
    assert len(found) == len(set(found)), f"{asked} gave a trace twice"
    missing, extra = len(wanted - set(found)), len(set(found) - wanted)
    assert missing + extra == 0, f"{missing} missing and {extra} too many: {asked}"


def tell(bench: Bench, memory_bytes: int, disk_bytes: int) -> Report:
    report = Report(f"search of {bench.traces}")
    for timed in bench.results:
        if timed.bar_ms is not None:
            told = timed.problem[:40] or f"{percentile(timed.times_s, 0.95) * 1000:.1f} ms"
            report.bar(timed.row, f"{timed.name}: p95 ≤ {timed.bar_ms:.0f} ms", told, timed.held)
    report.table(
        ("question", "p50 ms", "p95 ms", "most ms", "matches checked"),
        [
            (
                timed.name,
                *(f"{percentile(timed.times_s, share) * 1000:.1f}" for share in (0.5, 0.95, 1.0)),
                timed.checked,
            )
            for timed in bench.results
        ],
        f"{bench.traces} traces, {bench.repeats} times each. Server {memory_bytes / 1e6:.0f} MB; "
        f"disk {disk_bytes / bench.traces / 1024:.1f} KB a trace.",
    )
    problems = [(timed.name, timed.problem) for timed in bench.results if timed.problem]
    if problems:
        report.table(("question", "problem"), problems)
    return report


if __name__ == "__main__":
    sys.exit(main())
