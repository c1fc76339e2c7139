"""Groups with several measures, put together of one metric after the other."""

from collections.abc import Sequence
from typing import Final

from tracelake.model.errors import InvalidInput
from tracelake.store.api import Group, GroupPage, GroupQuery, MetricPoint, MetricQuery

_MOST_MEASURES: Final = 20
_MOST_GROUPS: Final = 1000
_Key = tuple[str | None, ...]


def metric_queries(query: GroupQuery) -> list[MetricQuery]:
    """One a metric, in the order in which they are first named. Raises InvalidInput."""
    if not 1 <= len(query.measures) <= _MOST_MEASURES:
        raise InvalidInput(f"measures: 1 to {_MOST_MEASURES}")
    if not query.dimensions:
        raise InvalidInput("dimensions: name at least one")
    if not 1 <= query.max_groups <= _MOST_GROUPS:
        raise InvalidInput(f"max_groups: 1 to {_MOST_GROUPS}")
    aggregations: dict[str, list[str]] = {}
    for measure in query.measures:
        of_metric = aggregations.setdefault(measure.metric, [])
        if measure.aggregation not in of_metric:
            of_metric.append(measure.aggregation)
    return [
        MetricQuery(
            metric,
            tuple(names),
            query.dimensions,
            query.experiment_ids,
            query.filter,
            start_time_ms=query.start_time_ms,
            end_time_ms=query.end_time_ms,
        )
        for metric, names in aggregations.items()
    ]


def group_page(query: GroupQuery, points: Sequence[Sequence[MetricPoint]]) -> GroupPage:
    """The points of the queries that `metric_queries` made, in the same order."""
    found: dict[_Key, dict[tuple[str, str], float]] = {}
    metrics = list(dict.fromkeys(measure.metric for measure in query.measures))
    for metric, of_metric in zip(metrics, points, strict=True):
        for point in of_metric:
            key = tuple(point.dimensions[name] for name in query.dimensions)
            told = found.setdefault(key, {})
            for aggregation, value in point.values.items():
                told[metric, aggregation] = value
    groups = [
        Group(
            dict(zip(query.dimensions, key, strict=True)),
            [told.get((measure.metric, measure.aggregation)) for measure in query.measures],
        )
        for key, told in found.items()
    ]
    groups.sort(key=lambda group: _names(group, query.dimensions))
    sign = 1 if query.smallest_first else -1
    # Groups with nothing to order by come last, whichever way.
    groups.sort(key=lambda group: _last_if_none(group.values[0], sign))
    return GroupPage(groups[: query.max_groups], len(groups))


def _names(group: Group, dimensions: Sequence[str]) -> list[tuple[bool, str]]:
    told = [group.dimensions[name] for name in dimensions]
    return [(name is not None, name or "") for name in told]


def _last_if_none(value: float | None, sign: int) -> tuple[bool, float]:
    return (value is None, sign * (value or 0.0))
