"""The same questions in each system's own words: how to ask one, as one HTTP request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import words
from otlp_traces import PERIOD_NS, START_NS, Facts

_PAGE: Final = 100
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Call:
    """One request; with a body it is a POST of JSON."""

    path: str
    body: dict[str, Any] | None = None


Ask = Callable[[Facts], Call]

QUESTIONS: Final = (
    "first page", "status", "user", "session", "time range, an hour",
    "span type and status on one span", "duration", "text: a rare word", "text: a common word",
    "one trace", "30 days by hour: trace_count",
)  # fmt: skip


def ours() -> Mapping[str, Ask]:
    return {
        "first page": lambda _f: _ours(""),
        "status": lambda _f: _ours("status = 'ERROR'"),
        "user": lambda f: _ours(f"user = '{f.user}'"),
        "session": lambda f: _ours(f"session = '{f.session}'"),
        "time range, an hour": lambda f: _ours(_hour(f)),
        "span type and status on one span": lambda _f: _ours(
            "span.type = 'TOOL' AND span.status = 'ERROR'"
        ),
        "duration": lambda _f: _ours("execution_time_ms > 20000"),
        "text: a rare word": lambda _f: _ours(f"trace.text LIKE '%{words.RARE_WORD}%'"),
        "text: a common word": lambda _f: _ours(f"trace.text LIKE '%{words.COMMON_WORD}%'"),
        "one trace": lambda f: Call(f"/api/v1/traces/{f.trace_id}/spans"),
        "30 days by hour: trace_count": lambda _f: Call(
            "/api/v1/metrics",
            {
                "metric": "trace_count", "aggregations": ["COUNT"], "bucket_seconds": _HOUR_S,
                "experiment_ids": ["0"], **_period_ms(),
            },
        ),
    }  # fmt: skip


def mlflow() -> Mapping[str, Ask]:
    return {
        "first page": lambda _f: _mlflow(""),
        "status": lambda _f: _mlflow("status = 'ERROR'"),
        "user": lambda f: _mlflow(f"metadata.`mlflow.trace.user` = '{f.user}'"),
        "session": lambda f: _mlflow(f"metadata.`mlflow.trace.session` = '{f.session}'"),
        "time range, an hour": lambda f: _mlflow(_hour(f)),
        "span type and status on one span": lambda _f: _mlflow(
            "span.type = 'TOOL' AND span.status = 'ERROR'"
        ),
        "duration": lambda _f: _mlflow("execution_time_ms > 20000"),
        "text: a rare word": lambda _f: _mlflow(f"trace.text LIKE '%{words.RARE_WORD}%'"),
        "text: a common word": lambda _f: _mlflow(f"trace.text LIKE '%{words.COMMON_WORD}%'"),
        "one trace": lambda f: Call(f"/api/3.0/mlflow/traces/get?trace_id={f.trace_id}"),
        "30 days by hour: trace_count": lambda _f: Call(
            "/api/3.0/mlflow/traces/metrics",
            {
                "experiment_ids": ["0"], "view_type": "TRACES", "metric_name": "trace_count",
                "aggregations": [{"aggregation_type": "COUNT"}], "time_interval_seconds": _HOUR_S,
                "max_results": 1000, **_period_ms(),
            },
        ),
    }  # fmt: skip


def phoenix() -> Mapping[str, Ask]:
    def text(word: str) -> Call:
        # Its filter over traces knows no spans' inputs; the one over spans does.
        variables = {"filter": f"'{word}' in input.value or '{word}' in output.value"}
        return Call("/graphql", {"query": _SPANS, "variables": variables})

    return {
        "first page": lambda _f: _phoenix(""),
        "status": lambda _f: _phoenix("error_count > 0"),
        "user": lambda f: _phoenix(f'user.id == "{f.user}"'),
        "session": lambda f: _phoenix("", session_identifier=f.session),
        "time range, an hour": lambda f: _phoenix(
            "", start_time=_iso(f.start_ns), end_time=_iso(f.start_ns + _HOUR_S * 10**9)
        ),
        "span type and status on one span": lambda _f: _phoenix(
            'any(span.span_kind == "TOOL" and span.status_code == "ERROR" for span in spans)'
        ),
        "duration": lambda _f: _phoenix("latency_ms > 20000"),
        "text: a rare word": lambda _f: text(words.RARE_WORD),
        "text: a common word": lambda _f: text(words.COMMON_WORD),
        "one trace": lambda f: Call(
            f"/v1/projects/default/spans?trace_id={f.trace_id[3:]}&limit=1000"
        ),
        "30 days by hour: trace_count": lambda _f: Call(
            "/graphql",
            {"query": _COUNTS, "variables": {"start": _iso(START_NS),
                                             "end": _iso(START_NS + PERIOD_NS)}},
        ),
    }  # fmt: skip


_COUNTS: Final = """
query ($start: DateTime!, $end: DateTime!) {
  getProjectByName(name: "default") {
    traceCountTimeSeries(timeRange: {start: $start, end: $end}, timeBinConfig: {scale: HOUR}) {
      data { timestamp value }
    }
  }
}"""


_SPANS: Final = """
query ($filter: String!) {
  getProjectByName(name: "default") {
    spans(first: 100, filterCondition: $filter) { edges { node { spanId } } }
  }
}"""


def _ours(filter: str) -> Call:
    body = {"filter": filter, "max_results": _PAGE, "experiment_ids": ["0"]}
    return Call("/api/v1/traces/search", body)


def _mlflow(filter: str) -> Call:
    where = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    body = {"locations": [where], "filter": filter, "max_results": _PAGE}
    return Call("/api/3.0/mlflow/traces/search", body)


def _phoenix(filter: str, **more: str) -> Call:
    asked = {"limit": str(_PAGE), **({"filter": filter} if filter else {}), **more}
    return Call(f"/v1/projects/default/traces?{urlencode(asked)}")


def _hour(facts: Facts) -> str:
    begin = facts.start_ns // 10**6
    return f"timestamp_ms >= {begin} AND timestamp_ms < {begin + _HOUR_S * 1000}"


def _period_ms() -> dict[str, int]:
    return {"start_time_ms": START_NS // 10**6, "end_time_ms": (START_NS + PERIOD_NS) // 10**6}


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat()
