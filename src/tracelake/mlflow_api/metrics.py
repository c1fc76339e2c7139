"""Metrics over traces, spans and assessments: `3.0/mlflow/traces/metrics`; and how two filters go
together: `3.0/mlflow/traces/calculate-filter-correlation`."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import Field

from tracelake.mlflow_api.route import Message, Text, said
from tracelake.model.errors import InvalidFilter, InvalidInput
from tracelake.model.filters.fields import TRACES, Kind, Part, Vocabulary
from tracelake.model.filters.parse import parse_conjunction, quoted
from tracelake.model.filters.tree import Clause, Entity, Op
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import Analytics, FacetQuery, Facets, MetricPoint, MetricQuery
from tracelake.web.answer import JsonAnswer

_METRICS: Final[dict[str, dict[str, str]]] = {
    "TRACES": {
        "trace_count": "trace_count",
        "session_count": "session_count",
        "latency": "latency_ms",
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "total_tokens": "total_tokens",
        "cache_read_input_tokens": "cache_read_input_tokens",
        "cache_creation_input_tokens": "cache_creation_input_tokens",
    },
    "SPANS": {
        "span_count": "span_count",
        "latency": "span_latency",
        "input_cost": "span_input_cost",
        "output_cost": "span_output_cost",
        "total_cost": "span_total_cost",
    },
    "ASSESSMENTS": {
        "assessment_count": "assessment_count",
        "assessment_value": "assessment_value",
    },
}
_DIMENSIONS: Final[dict[str, dict[str, str]]] = {
    "TRACES": {"trace_name": "trace_name", "trace_status": "trace_status"},
    "SPANS": {
        "span_name": "span_name",
        "span_type": "span_type",
        "span_status": "span_status",
        "span_model_name": "model",
        "span_model_provider": "provider",
    },
    "ASSESSMENTS": {
        "assessment_name": "assessment_name",
        "assessment_value": "assessment_value",
    },
}
_OF_ROWS: Final = {
    (Entity.SPAN, "name"): "span_name",
    (Entity.SPAN, "type"): "span_type",
    (Entity.SPAN, "status"): "span_status",
    (Entity.FEEDBACK, "name"): "assessment_name",
    (Entity.FEEDBACK, "type"): "assessment_kind",
}
"""Filters on what is counted itself, by the dimension that tells it."""
_SMOOTHING: Final = 0.5

Milliseconds = Annotated[int, Field(ge=0, lt=9 * 10**12)]


class Aggregation(Message):
    aggregation_type: Literal["COUNT", "SUM", "AVG", "MIN", "MAX", "PERCENTILE"]
    percentile_value: Annotated[float, Field(ge=0, le=100)] | None = None

    @property
    def word(self) -> str:
        if self.aggregation_type != "PERCENTILE":
            return self.aggregation_type
        if self.percentile_value is None:
            raise InvalidInput("aggregations: a PERCENTILE needs a percentile_value")
        return f"P{float(self.percentile_value)}"


class MetricSearch(Message):
    experiment_ids: list[Text]
    view_type: Literal["TRACES", "SPANS", "ASSESSMENTS"]
    metric_name: Text
    aggregations: list[Aggregation]
    dimensions: list[Text] = []
    filters: list[Text] = []
    time_interval_seconds: Annotated[int, Field(ge=1, le=10**8)] | None = None
    start_time_ms: Milliseconds | None = None
    end_time_ms: Milliseconds | None = None
    max_results: Annotated[int, Field(ge=1)] = 1000
    page_token: Text | None = None


class Correlation(Message):
    experiment_ids: list[Text]
    filter_string1: Text
    filter_string2: Text
    base_filter: Text | None = None


def add_metrics(routes: APIRouter, analytics: Analytics, facets: Facets) -> None:
    @routes.post("/3.0/mlflow/traces/metrics")
    @requires(Permission.READ_TRACES)
    def query_metrics(body: MetricSearch) -> JsonAnswer:
        dimensions = [_dimension(body.view_type, name) for name in body.dimensions]
        of_traces, of_rows = _filters(body.filters)
        asked = [*dimensions, *(name for name in of_rows if name not in dimensions)]
        points = analytics.query_metric(
            MetricQuery(
                metric=_metric(body.view_type, body.metric_name),
                aggregations=tuple(each.word for each in body.aggregations),
                dimensions=tuple(asked),
                experiment_ids=tuple(body.experiment_ids),
                filter=of_traces,
                bucket_seconds=_bucket(body),
                start_time_ms=body.start_time_ms,
                # The last millisecond counts.
                end_time_ms=None if body.end_time_ms is None else body.end_time_ms + 1,
            )
        )
        wanted = [
            point
            for point in points
            if all(point.dimensions[name] == value for name, value in of_rows.items())
        ]
        told = [_point(body, dimensions, point) for point in wanted[: body.max_results]]
        return JsonAnswer({"data_points": told})

    @routes.post("/3.0/mlflow/traces/calculate-filter-correlation")
    @requires(Permission.READ_TRACES)
    def correlate(body: Correlation) -> JsonAnswer:
        def count(*filters: str | None) -> int:
            there = [text for text in filters if text and text.strip()]
            for text in there:
                parse_conjunction(text, TRACES)
            query = FacetQuery(
                filter=" AND ".join(f"({text})" for text in there),
                experiment_ids=tuple(body.experiment_ids),
            )
            return facets.count(query).count

        base = body.base_filter
        first = count(base, body.filter_string1)
        second = count(base, body.filter_string2)
        both = count(base, body.filter_string1, body.filter_string2)
        total = count(base)
        return JsonAnswer(
            said(
                npmi=_npmi(first, second, both, total, 0.0),
                npmi_smoothed=_npmi(first, second, both, total, _SMOOTHING),
                filter1_count=first,
                filter2_count=second,
                joint_count=both,
                total_count=total,
            )
        )


def _npmi(first: int, second: int, both: int, total: int, smoothing: float) -> float | None:
    """Normalised pointwise mutual information, from -1 for never to 1 for always together.

    With smoothing, so much is added to each of the four cells of the table of the two.
    Bouma, "Normalized (pointwise) mutual information in collocation extraction", 2009.
    """
    n = total + 4 * smoothing
    p_first, p_second = (first + 2 * smoothing), (second + 2 * smoothing)
    joint = both + smoothing
    if not n or not p_first or not p_second:
        return None
    if not joint:
        return -1.0
    if joint >= n:
        return 1.0
    pmi = math.log(joint) + math.log(n) - math.log(p_first) - math.log(p_second)
    return max(-1.0, min(1.0, pmi / -(math.log(joint) - math.log(n))))


def _point(body: MetricSearch, dimensions: Sequence[str], point: MetricPoint) -> dict[str, Any]:
    told = {
        asked: point.dimensions[own] or ""
        for asked, own in zip(body.dimensions, dimensions, strict=True)
    }
    if point.time_ms is not None:
        told["time_bucket"] = datetime.fromtimestamp(point.time_ms / 1000, UTC).isoformat()
    return {"metric_name": body.metric_name, "dimensions": told, "values": point.values}


def _metric(view: str, name: str) -> str:
    own = _METRICS[view].get(name)
    if own is None:
        raise InvalidInput(f"metric_name {name!r}: use one of {', '.join(_METRICS[view])}")
    return own


def _dimension(view: str, name: str) -> str:
    own = _DIMENSIONS[view].get(name)
    if own is None:
        raise InvalidInput(f"dimension {name!r}: use one of {', '.join(_DIMENSIONS[view])}")
    return own


def _bucket(body: MetricSearch) -> int | None:
    if body.time_interval_seconds is None:
        return None
    if body.start_time_ms is None or body.end_time_ms is None:
        raise InvalidInput("time_interval_seconds needs start_time_ms and end_time_ms")
    return body.time_interval_seconds


def _filters(texts: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A filter on traces, and what rows must be to count, by dimension."""
    of_traces: list[str] = []
    of_rows: dict[str, str] = {}
    for clause in [each for text in texts for each in parse_conjunction(text, _VOCABULARY)]:
        if clause.op is not Op.EQ:
            raise InvalidFilter("only = applies here", clause.column)
        dimension = _OF_ROWS.get((clause.entity, clause.key))
        if dimension is None:
            of_traces.append(_as_filter(clause))
        elif of_rows.setdefault(dimension, str(clause.value)) != clause.value:
            raise InvalidFilter(f"{dimension} cannot be two values", clause.column)
    return " AND ".join(of_traces), of_rows


def _as_filter(clause: Clause) -> str:
    value = quoted(str(clause.value))
    if clause.entity is Entity.ATTRIBUTE:
        return f"{clause.key} = {value}"
    return f"{clause.entity}.`{clause.key}` = {value}"


def _resolve(parts: Sequence[Part]) -> tuple[Entity, str]:
    names = [part.text for part in parts]
    match names:
        case ["trace", "status"]:
            return Entity.ATTRIBUTE, "status"
        case ["trace", "tag", *key] if key:
            return Entity.TAG, ".".join(key)
        case ["trace", "metadata", *key] if key:
            return Entity.METADATA, ".".join(key)
        case ["span", "name" | "type" | "status" as key]:
            return Entity.SPAN, key
        case ["assessment", "name" | "type" as key]:
            return Entity.FEEDBACK, key
        case _:
            raise InvalidFilter(
                f"{'.'.join(names)!r}: use one of trace.status, trace.tag.<key>, "
                "trace.metadata.<key>, span.name, span.type, span.status, assessment.name, "
                "assessment.type",
                parts[0].column,
            )


_VOCABULARY: Final = Vocabulary(_resolve, lambda _entity, _key: Kind.LABEL)
