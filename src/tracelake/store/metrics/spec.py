"""What can be asked: metrics, the dimensions of each, aggregations, buckets. And what is wrong."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tracelake.model.errors import InvalidInput
from tracelake.model.text import is_storable
from tracelake.store.api import MetricQuery

TAG: Final = "tags."
METADATA: Final = "metadata."
MONTH: Final = "month"
_PERCENT: Final = re.compile(r"P(\d{1,3}(?:\.\d+)?)", re.ASCII)
_SIMPLE: Final = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_MOST_DIMENSIONS: Final = 5


class View(Enum):
    """Whose rows a metric is computed from."""

    TRACES = "traces"
    SPANS = "spans"
    ASSESSMENTS = "assessments"


@dataclass(frozen=True, slots=True)
class Metric:
    view: View
    column: str | None = None
    """The number of each row; None counts rows."""
    only_errors: bool = False
    distinct: str | None = None
    """A dimension whose values are counted, each once a group."""
    only_ends: bool = False
    """Moments: the first and the last of a group are told, a sum of them says nothing."""


METRICS: Final = {
    "trace_count": Metric(View.TRACES),
    "error_count": Metric(View.TRACES, only_errors=True),
    "error_rate": Metric(View.TRACES, "is_error"),
    "session_count": Metric(View.TRACES, distinct="session"),
    "user_count": Metric(View.TRACES, distinct="user"),
    "request_time": Metric(View.TRACES, "start_ns", only_ends=True),
    "latency": Metric(View.TRACES, "duration_ns"),
    "latency_ms": Metric(View.TRACES, "duration_ms"),
    "input_tokens": Metric(View.TRACES, "input_tokens"),
    "output_tokens": Metric(View.TRACES, "output_tokens"),
    "total_tokens": Metric(View.TRACES, "tokens"),
    "cache_read_input_tokens": Metric(View.TRACES, "cache_read_input_tokens"),
    "cache_creation_input_tokens": Metric(View.TRACES, "cache_creation_input_tokens"),
    "total_cost": Metric(View.TRACES, "cost"),
    "span_count": Metric(View.SPANS),
    "span_error_count": Metric(View.SPANS, only_errors=True),
    "span_error_rate": Metric(View.SPANS, "is_error"),
    "span_latency": Metric(View.SPANS, "duration_ns"),
    "span_input_tokens": Metric(View.SPANS, "input_tokens"),
    "span_output_tokens": Metric(View.SPANS, "output_tokens"),
    "span_total_tokens": Metric(View.SPANS, "tokens"),
    "span_total_cost": Metric(View.SPANS, "cost"),
    "span_input_cost": Metric(View.SPANS, "input_cost"),
    "span_output_cost": Metric(View.SPANS, "output_cost"),
    "assessment_count": Metric(View.ASSESSMENTS),
    "assessment_value": Metric(View.ASSESSMENTS, "value"),
}
TRACE_DIMENSIONS: Final = ("experiment", "trace_name", "trace_status", "session", "user")
SPAN_DIMENSIONS: Final = ("span_name", "span_type", "span_status", "model", "provider", "tool")
ASSESSMENT_DIMENSIONS: Final = (
    "assessment_name",
    "assessment_value",
    "assessment_source",
    "assessment_kind",
)
_COMPUTED: Final = ("mlflow.trace.tokenUsage", "mlflow.trace.cost", "mlflow.trace_schema.version")
_OF_VIEW: Final = {
    View.TRACES: SPAN_DIMENSIONS,
    View.SPANS: SPAN_DIMENSIONS,
    View.ASSESSMENTS: (*SPAN_DIMENSIONS, *ASSESSMENT_DIMENSIONS),
}
_SHARED_AMONG_SPANS: Final = (
    "input_tokens",
    "output_tokens",
    "tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost",
)


@dataclass(frozen=True, slots=True)
class Spec:
    """A checked query."""

    metric: Metric
    percents: tuple[tuple[str, float], ...]
    """Percentiles asked for, by the name they were asked by."""
    simple: tuple[str, ...]
    dimensions: tuple[str, ...]
    """Those asked for, and last the one that is counted, where one is."""
    bucket_ns: int | None
    by_month: bool
    start_ns: int | None
    end_ns: int | None

    @property
    def shared_dimensions(self) -> tuple[str, ...]:
        """Dimensions of spans that rows other than spans are told by.

        A trace counts once in every group that one of its spans is in; in the group of spans
        without any of these only where it has no other.
        """
        if self.metric.view is View.SPANS:
            return ()
        return tuple(name for name in self.dimensions if name in SPAN_DIMENSIONS)


def spec_of(query: MetricQuery) -> Spec:
    """Raises InvalidInput that lists the valid words."""
    metric = METRICS.get(query.metric)
    if metric is None:
        raise InvalidInput(f"metric {query.metric!r}: use one of {', '.join(METRICS)}")
    if not query.aggregations:
        raise InvalidInput(f"aggregations: name at least one of {_aggregation_words()}")
    percents = tuple((n, _percent(n)) for n in query.aggregations if n not in _SIMPLE)
    if metric.column is None and set(query.aggregations) != {"COUNT"}:
        raise InvalidInput(f"{query.metric} has only the aggregation COUNT")
    if metric.only_ends and not set(query.aggregations) <= {"MIN", "MAX"}:
        raise InvalidInput(f"{query.metric} has only the aggregations MIN and MAX")
    if len(query.dimensions) > _MOST_DIMENSIONS:
        raise InvalidInput(f"dimensions: at most {_MOST_DIMENSIONS}")
    for name in query.dimensions:
        _check_dimension(name, query.metric, metric)
        if query.dimensions.count(name) > 1:
            raise InvalidInput(f"dimension {name!r} is given twice")
    hidden = (metric.distinct,) if metric.distinct else ()
    return Spec(
        metric,
        percents,
        tuple(name for name in query.aggregations if name in _SIMPLE),
        (*query.dimensions, *hidden),
        None if query.bucket_seconds is None else query.bucket_seconds * 1_000_000_000,
        query.by_month,
        _ns(query.start_time_ms),
        _ns(query.end_time_ms),
    )


def _check_dimension(name: str, asked: str, metric: Metric) -> None:
    is_of_spans = name in SPAN_DIMENSIONS
    if is_of_spans and metric.view is View.TRACES and metric.column in _SHARED_AMONG_SPANS:
        # Each of its models would be told the whole of what a trace took.
        hint = f"; use span_{asked}" if f"span_{asked}" in METRICS else ""
        raise InvalidInput(f"dimension {name!r}: {asked} is of whole traces{hint}")
    allowed = (*TRACE_DIMENSIONS, *_OF_VIEW[metric.view])
    if name in allowed:
        return
    for prefix in (TAG, METADATA):
        key = name.removeprefix(prefix)
        if name.startswith(prefix) and key and key not in _COMPUTED and is_storable(key):
            return
    raise InvalidInput(
        f"dimension {name!r}: for a metric of {metric.view.value} use one of {', '.join(allowed)}, "
        "tags.<key>, metadata.<key>"
    )


def _percent(name: str) -> float:
    match = _PERCENT.fullmatch(name)
    if match is None or float(match[1]) > 100:
        raise InvalidInput(f"aggregation {name!r}: use one of {_aggregation_words()}")
    return float(match[1])


def _aggregation_words() -> str:
    return ", ".join([*_SIMPLE, "P0 to P100"])


def _ns(time_ms: int | None) -> int | None:
    return None if time_ms is None else time_ms * 1_000_000
