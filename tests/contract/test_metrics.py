"""Metrics against a brute-force twin, from the tables, from the index, and from both."""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.spans import START_NS, heads_of, make_span, public_id, write
from tracelake.model.entities import AssessmentSource, SourceType
from tracelake.model.errors import InvalidInput
from tracelake.store.api import GroupQuery, Measure, MetricQuery, NewAssessment
from tracelake.store.index.follow import catch_up
from tracelake.store.metrics.values import value_number, value_text
from tracelake.store.open import Store, open_store

HOUR_NS = 3_600_000_000_000
LONG = "x" * 300
TRACES = 120


@pytest.fixture(params=["tables", "index", "both"])
def filled(
    request: pytest.FixtureRequest, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Traces over some weeks, with late spans, changed tags and feedback."""
    monkeypatch.setattr("tracelake.store.index.span_numbers._FEW_ENOUGH", 1)
    store = open_store(store_url)
    chance = random.Random(5)
    for n in range(1, TRACES):
        root = make_span(n, 1, name=f"agent {n % 3}", error=n % 7 == 0, user__id=f"u{n % 4}")
        root.start_time_unix_nano = (
            START_NS + chance.randrange(72) * HOUR_NS + chance.randrange(10**12)
        )
        root.end_time_unix_nano = root.start_time_unix_nano + chance.randrange(10**10)
        write(store, root)
        if request.param == "both" and n % 40 == 0:
            catch_up(store.indexer)
        for m in range(2, 2 + n % 4):
            model = ("gpt-4o", "claude-sonnet-4-5", LONG)[(n + m) % 3]
            span = make_span(
                n, m, 1,
                name="chat",
                error=(n + m) % 5 == 0,
                gen_ai__request__model=model,
                gen_ai__operation__name="chat",
                gen_ai__usage__input_tokens=n * m,
                gen_ai__usage__output_tokens=m,
                **({"gen_ai__usage__cache_read__input_tokens": n} if n % 3 else {}),
            )  # fmt: skip
            span.start_time_unix_nano = root.start_time_unix_nano + m * HOUR_NS // 3
            span.end_time_unix_nano = span.start_time_unix_nano + chance.randrange(10**10)
            write(store, span)
        if n % 5 == 0:
            store.editor.set_tag(public_id(n), "env", LONG if n % 2 else "prod")
        if n % 6 == 0:
            value: Any = (True, "no", 0.5, "great", [1])[n // 6 % 5]
            source = AssessmentSource(SourceType.HUMAN)
            store.assessments.add(public_id(n), NewAssessment("good", "feedback", value, source))
        if n % 9 == 0:
            judge = AssessmentSource(SourceType.LLM_JUDGE)
            for value in (0.25, 0.25, LONG, {"grade": "é"}, None, 3):
                store.assessments.add(
                    public_id(n), NewAssessment(LONG[:200], "expectation", value, judge)
                )
    if request.param == "index":
        catch_up(store.indexer)
    yield store
    store.close()


Row = dict[str, Any]


def rows_of(store: Store, view: str) -> Iterator[Row]:
    """Every row of a view as a dict of numbers and dimensions, through the public reader."""
    token: str | None = None
    while True:
        page = store.traces.find_traces(max_results=50, page_token=token)
        for info in page.traces:
            trace: Row = {
                "experiment": info.experiment_id,
                "trace_name": info.name,
                "trace_status": str(info.state),
                "session": info.session_id,
                "user": info.user,
                "tags.env": info.tags.get("env"),
                "time_ns": info.request_time_ns,
            }
            usage, cost = info.token_usage, info.cost
            heads = heads_of(store, info.trace_id)
            trace["shared"] = {(head.name, head.model, head.tool) for head in heads}
            if view == "traces":
                yield trace | {
                    "latency": info.execution_duration_ns,
                    "error": str(info.state) == "ERROR",
                    "total_tokens": usage.total_tokens if usage else None,
                    "cached": usage.cache_read_input_tokens if usage else None,
                    "total_cost": cost.total_cost if cost else None,
                }
            elif view == "assessments":
                for told in info.assessments:
                    yield trace | {
                        "assessment_name": told.name,
                        "assessment_value": value_text(told.value),
                        "assessment_source": str(told.source.source_type),
                        "assessment_kind": told.kind,
                        "value": value_number(told.value),
                    }
            else:
                for head in heads:
                    assert head.end_time_ns is not None
                    yield trace | {
                        "time_ns": head.start_time_ns,
                        "latency": head.end_time_ns - head.start_time_ns,
                        "error": str(head.status) == "ERROR",
                        "span_name": head.name,
                        "model": head.model,
                        "tool": head.tool,
                        "total_tokens": head.token_usage.total_tokens if head.token_usage else None,
                        "total_cost": head.cost.total_cost if head.cost else None,
                        "output_cost": head.cost.output_cost if head.cost else None,
                    }
        token = page.next_page_token
        if token is None:
            return


def month_of(time_ns: int) -> int:
    told = datetime.fromtimestamp(time_ns / 1e9, UTC)
    return int(datetime(told.year, told.month, 1, tzinfo=UTC).timestamp() * 1000)


Group = tuple[tuple[Any, ...], list[float]]


def expected(rows: list[Row], number: Callable[[Row], Any], query: MetricQuery) -> list[Group]:
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        value = number(row)
        time_ms = row["time_ns"] // 1_000_000
        if value is None or (query.start_time_ms is not None and time_ms < query.start_time_ms):
            continue
        if query.end_time_ms is not None and time_ms >= query.end_time_ms:
            continue
        bucket = None
        if query.by_month:
            bucket = month_of(row["time_ns"])
        elif query.bucket_seconds:
            bucket = time_ms - time_ms % (query.bucket_seconds * 1000)
        for known in told_by_spans(row, query.dimensions):
            key = (bucket, *((row | known)[name] for name in query.dimensions))
            groups.setdefault(key, []).append(value)
    told = [(key, [aggregate(n, some) for n in query.aggregations]) for key, some in groups.items()]
    return sorted(told, key=lambda item: [(part is not None, part) for part in item[0]])


def told_by_spans(row: Row, dimensions: Sequence[str]) -> list[Row]:
    """What a trace's row has of its spans' dimensions: once every distinct set of values."""
    names = [name for name in dimensions if name in SHARED and name not in row]
    values = {tuple(span[SHARED.index(name)] for name in names) for span in row["shared"]}
    if len(values) > 1:
        values.discard((None,) * len(names))
    return [dict(zip(names, some, strict=True)) for some in values]


def aggregate(name: str, values: list[float]) -> float:
    match name:
        case "COUNT":
            return len(values)
        case "SUM":
            return math.fsum(values)
        case "AVG":
            return math.fsum(values) / len(values)
        case "MIN":
            return min(values)
        case "MAX":
            return max(values)
        case _:
            ordered = sorted(values)
            rank = (len(ordered) - 1) * float(name[1:]) / 100
            low, high = ordered[math.floor(rank)], ordered[math.ceil(rank)]
            return low + (high - low) * (rank - math.floor(rank))


def milliseconds(row: Row) -> float | None:
    return None if row["latency"] is None else row["latency"] / 1e6


METRICS: dict[str, tuple[str, Callable[[Row], Any]]] = {
    "trace_count": ("traces", lambda row: 1),
    "error_count": ("traces", lambda row: 1 if row["error"] else None),
    "error_rate": ("traces", lambda row: int(row["error"])),
    "latency": ("traces", milliseconds),
    "request_time": ("traces", lambda row: row["time_ns"] / 1e6),
    "total_tokens": ("traces", lambda row: row["total_tokens"]),
    "cache_read_input_tokens": ("traces", lambda row: row["cached"]),
    "total_cost": ("traces", lambda row: row["total_cost"]),
    "assessment_count": ("assessments", lambda row: 1),
    "assessment_value": ("assessments", lambda row: row["value"]),
    "span_count": ("spans", lambda row: 1),
    "span_error_count": ("spans", lambda row: 1 if row["error"] else None),
    "span_error_rate": ("spans", lambda row: int(row["error"])),
    "span_latency": ("spans", milliseconds),
    "span_total_tokens": ("spans", lambda row: row["total_tokens"]),
    "span_total_cost": ("spans", lambda row: row["total_cost"]),
    "span_output_cost": ("spans", lambda row: row["output_cost"]),
}
RANGE = (
    START_NS // 1_000_000 // 3_600_000 * 3_600_000 + 5 * 3_600_000,
    START_NS // 1_000_000 + 123_456_789,
)
SHARED = ("span_name", "model", "tool")
ALL = ("COUNT", "SUM", "AVG", "MIN", "MAX", "P50", "P95", "P0", "P100")


def queries() -> Iterator[MetricQuery]:
    chance = random.Random(3)
    for metric, (view, _) in METRICS.items():
        is_whole = metric in ("total_tokens", "cache_read_input_tokens", "total_cost")
        own = [] if is_whole else list(SHARED)
        if view == "assessments":
            own += ["assessment_name", "assessment_value", "assessment_source", "assessment_kind"]
        names = ["experiment", "trace_name", "trace_status", "user", "tags.env", "session", *own]
        counts = metric.endswith("count")
        told = [("COUNT",)] if counts else [ALL, ALL[:5]]
        if metric == "request_time":
            told = [("MIN", "MAX")]
        for aggregations, bucket in itertools.product(told, [None, 60, 3600, 86_400, "month"]):
            start, end = chance.choice([(None, None), RANGE, (RANGE[0], None)])
            yield MetricQuery(
                metric=metric,
                aggregations=aggregations,
                dimensions=tuple(chance.sample(names, chance.randrange(3))),
                bucket_seconds=bucket if isinstance(bucket, int) else None,
                by_month=bucket == "month",
                start_time_ms=start,
                end_time_ms=end,
            )
        fixed = (("model",), ("tool", "user"), ("experiment", "span_name"))
        for dimensions in ((), *fixed) if own else ():
            yield MetricQuery(metric, told[-1], dimensions, bucket_seconds=3600)


def test_metrics_equal_the_raw_computation(filled: Store) -> None:
    rows = {view: list(rows_of(filled, view)) for view in ("traces", "spans", "assessments")}
    for query in queries():
        view, number = METRICS[query.metric]
        wanted = expected(rows[view], number, query)
        points = filled.analytics.query_metric(query)
        found = [
            ((p.time_ms, *p.dimensions.values()), [p.values[name] for name in query.aggregations])
            for p in points
        ]
        assert [key for key, _ in found] == [key for key, _ in wanted], query
        for (_, values), (_, told) in zip(found, wanted, strict=True):
            assert values == pytest.approx(told, rel=1e-9), query


def test_hours_of_which_a_query_takes_a_part(filled: Store) -> None:
    rows = list(rows_of(filled, "spans"))
    first = min(row["time_ns"] for row in rows) // 1_000_000
    last = max(row["time_ns"] for row in rows) // 1_000_000
    chance = random.Random(11)
    hour = 3_600_000
    for n in range(60):
        start, end = sorted(chance.randrange(first - hour, last + hour) for _ in range(2))
        if n % 3 == 0:
            end = start + chance.randrange(2 * hour)
        if n % 5 == 0:
            start -= start % hour
        for metric, aggregations in (("span_count", ("COUNT",)), ("span_total_tokens", ALL[:5])):
            query = MetricQuery(
                metric,
                aggregations if n % 2 else aggregations[:3],
                chance.choice([(), ("model",), ("experiment", "span_name")]),
                bucket_seconds=chance.choice([None, 3600, 86_400]),
                start_time_ms=start,
                end_time_ms=end if n % 4 else None,
            )
            found = [
                ((p.time_ms, *p.dimensions.values()), [*p.values.values()])
                for p in filled.analytics.query_metric(query)
            ]
            assert found == expected(rows, METRICS[metric][1], query), query


def test_a_filter_narrows_every_view(filled: Store) -> None:
    for text in ("user = 'u1'", "NOT span.status = 'ERROR'", "trace.text LIKE '%agent 1%'"):
        ids = {
            info.trace_id for info in filled.traces.find_traces(filter=text, max_results=500).traces
        }
        heads = [heads_of(filled, trace_id) for trace_id in ids]
        for metric, count in (("trace_count", len(ids)), ("span_count", sum(map(len, heads)))):
            (point,) = filled.analytics.query_metric(MetricQuery(metric, ("COUNT",), filter=text))
            assert point.values == {"COUNT": count}, text


def test_groups_have_the_metrics_one_by_one(filled: Store) -> None:
    measures = (
        Measure("trace_count", "COUNT"),
        Measure("latency", "P95"),
        Measure("total_cost", "SUM"),
        Measure("request_time", "MAX"),
        Measure("latency", "MAX"),
        Measure("error_count", "COUNT"),
    )
    asked: list[tuple[tuple[str, ...], str]] = [
        (("user",), ""), (("trace_name",), "NOT user = 'u1'"), (("model", "user"), ""),
        (("tags.env",), "NOT span.status = 'ERROR'"),
    ]  # fmt: skip
    for dimensions, text in asked:
        chosen = measures if "model" not in dimensions else measures[:2]
        for first in range(len(chosen)):
            order = (*chosen[first:], *chosen[:first])
            query = GroupQuery(order, dimensions, filter=text, smallest_first=first % 2 == 1)
            page = filled.analytics.find_groups(query)
            assert page.group_count == len(page.groups) > 1
            for at, measure in enumerate(order):
                alone = MetricQuery(measure.metric, (measure.aggregation,), dimensions, filter=text)
                wanted = {
                    tuple(point.dimensions.values()): point.values[measure.aggregation]
                    for point in filled.analytics.query_metric(alone)
                }
                told = {tuple(each.dimensions.values()): each.values[at] for each in page.groups}
                assert {key: value for key, value in told.items() if value is not None} == wanted
            firsts = [each.values[0] for each in page.groups]
            there = [value for value in firsts if value is not None]
            assert firsts == [*there, *[None] * (len(firsts) - len(there))]
            assert there == sorted(there, reverse=not query.smallest_first)
            few = filled.analytics.find_groups(replace(query, max_groups=2))
            assert (few.groups, few.group_count) == (page.groups[:2], page.group_count)


def test_users_are_counted_once_a_group(filled: Store) -> None:
    query = MetricQuery("user_count", ("COUNT",), ("trace_name",))
    told = {
        p.dimensions["trace_name"]: p.values["COUNT"] for p in filled.analytics.query_metric(query)
    }
    assert told == {"agent 0": 4, "agent 1": 4, "agent 2": 4}


def test_feedback_by_name_and_value(filled: Store) -> None:
    query = MetricQuery("assessment_count", ("COUNT",), ("assessment_name",))
    count, _judged = filled.analytics.query_metric(query)
    assert count.values == {"COUNT": (TRACES - 1) // 6}
    query = MetricQuery("assessment_value", ("COUNT", "AVG"), ("assessment_name",))
    value, _judged = filled.analytics.query_metric(query)
    # Of 19: true three times, "no" four, 0.5 four; the others are no numbers.
    assert value.values == {"COUNT": 11, "AVG": pytest.approx(5 / 11)}
    dimensions = ("assessment_name", "assessment_value")
    query = MetricQuery("assessment_count", ("COUNT",), dimensions, filter="user = 'u2'")
    told = {
        p.dimensions["assessment_value"]: p.values["COUNT"]
        for p in filled.analytics.query_metric(query)
        if p.dimensions["assessment_name"] == "good"
    }
    assert sum(told.values()) == sum(n % 4 == 2 for n in range(6, TRACES, 6))


def test_feedback_by_model(filled: Store) -> None:
    """Each assessment counts once for every model that its trace called."""
    query = MetricQuery("assessment_count", ("COUNT",), ("model",))
    wanted: dict[str | None, int] = {}
    for row in rows_of(filled, "assessments"):
        for known in told_by_spans(row, ("model",)):
            wanted[known["model"]] = wanted.get(known["model"], 0) + 1
    told = {p.dimensions["model"]: p.values["COUNT"] for p in filled.analytics.query_metric(query)}
    assert told == wanted


def test_a_sum_may_be_longer_than_64_bits_of_nanoseconds(filled: Store) -> None:
    """Spans of broken clocks must not turn the latency of all others into nonsense."""
    absurd_ns = 2**63 - 1 - START_NS - 10**9
    for n in (1, 2, 4):
        spans = [make_span(n, m, 1, name="absurd") for m in range(10, 15)]
        for span in spans:
            span.end_time_unix_nano = span.start_time_unix_nano + absurd_ns
        write(filled, *spans)
    wanted = pytest.approx(absurd_ns / 1e6 * 15)
    for is_indexed in (False, True):
        if is_indexed:
            catch_up(filled.indexer)
        for bucket_seconds in (None, 3600):
            by_name = MetricQuery("span_latency", ("SUM",), ("span_name",))
            query = replace(by_name, bucket_seconds=bucket_seconds)
            points = filled.analytics.query_metric(query)
            sums = [p.values["SUM"] for p in points if p.dimensions["span_name"] == "absurd"]
            assert sum(sums) == wanted, (is_indexed, bucket_seconds)
            others = [p.values["SUM"] for p in points if p.dimensions["span_name"] == "chat"]
            assert others
            assert all(0 <= each < 1e9 for each in others)


def test_what_a_trace_took_is_not_told_of_each_of_its_models(filled: Store) -> None:
    with pytest.raises(InvalidInput, match="use span_total_cost"):
        filled.analytics.query_metric(MetricQuery("total_cost", ("SUM",), ("model",)))


@pytest.mark.parametrize("metric", ["trace_count", "error_count", "span_count", "assessment_count"])
@pytest.mark.parametrize("aggregation", ["SUM", "P50"])
def test_what_counts_can_only_be_counted(store: Store, metric: str, aggregation: str) -> None:
    write(store, make_span(1, 1))
    with pytest.raises(InvalidInput, match="only the aggregation COUNT"):
        store.analytics.query_metric(MetricQuery(metric, (aggregation,)))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (MetricQuery("trace_count", ("COUNT",), ("model", "model")), "given twice"),
        (MetricQuery("assessment_count", ("COUNT",), ("assessment_name",) * 2), "given twice"),
        (MetricQuery("trace_count", ("COUNT",), ("tags.\ud800",)), "dimension"),
        (MetricQuery("latency", ("P 5",)), "aggregation"),
        (MetricQuery("latency", ("P1e1",)), "aggregation"),
        (MetricQuery("latency", ("P100.5",)), "aggregation"),
    ],
    ids=lambda value: None,
)
def test_queries_that_are_refused(store: Store, query: MetricQuery, says: str) -> None:
    write(store, make_span(1, 1))
    with pytest.raises(InvalidInput, match=says):
        store.analytics.query_metric(query)
