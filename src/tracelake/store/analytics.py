"""Sessions and metrics over time, computed from the rows of matching traces."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, or_, select

from tracelake.model.entities import Cost, TokenUsage
from tracelake.model.errors import InvalidInput
from tracelake.model.filters.parse import parse_filter
from tracelake.store.api import MetricPoint, MetricQuery, SessionPage, SessionSummary
from tracelake.store.compile import Compiler
from tracelake.store.database import Database
from tracelake.store.finder import experiment_numbers, in_experiments, infos_of, passes
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.reader import MAX_RESULTS, check_page_size
from tracelake.store.rows import AnyRow, AnySelect
from tracelake.store.schema import traces

METRICS: Final = {
    "trace_count": traces.c.trace_key,
    "error_count": traces.c.state,
    "latency": traces.c.end_ns - traces.c.start_ns,
    "input_tokens": traces.c.input_tokens,
    "output_tokens": traces.c.output_tokens,
    "total_tokens": traces.c.total_tokens,
    "total_cost": traces.c.total_cost,
}
_DIMENSIONS: Final = {
    "trace_name": traces.c.name,
    "trace_status": traces.c.state,
    "session": traces.c.session_id,
    "user": traces.c.user_id,
}
_TAG_DIMENSION: Final = "tag."
_AGGREGATIONS: Final[dict[str, Callable[[list[float]], float]]] = {
    "COUNT": len,
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_COUNTS: Final = ("trace_count", "error_count")


class SqlAnalytics:
    """Implements `Analytics`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._compiler = Compiler(is_sqlite=database.is_sqlite)

    def find_sessions(
        self,
        *,
        experiment_ids: Sequence[str] | None = None,
        filter: str = "",
        max_results: int = 100,
        page_token: str | None = None,
    ) -> SessionPage:
        check_page_size(max_results, MAX_RESULTS)
        with self._database.read() as connection:
            last = func.max(traces.c.start_ns)
            query = self._matching(connection, _SESSION_COLUMNS, experiment_ids, filter)
            query = query.where(traces.c.session_id.is_not(None)).group_by(
                traces.c.experiment_id, traces.c.session_id
            )
            if page_token is not None:
                last_ns, experiment, session = decode_token(page_token, filter, (int, int, str))
                query = query.having(
                    or_(
                        last < last_ns,
                        and_(
                            last == last_ns,
                            or_(
                                traces.c.experiment_id > experiment,
                                and_(
                                    traces.c.experiment_id == experiment,
                                    traces.c.session_id > session,
                                ),
                            ),
                        ),
                    )
                )
            query = query.order_by(last.desc(), traces.c.experiment_id, traces.c.session_id)
            rows = connection.execute(query.limit(max_results + 1)).all()
            page = rows[:max_results]
            token = None
            if len(rows) > max_results:
                end = page[-1]
                token = encode_token(filter, (end.last_ns, end.experiment_id, end.session_id))
            return SessionPage([_session(connection, row) for row in page], token)

    def query_metric(self, query: MetricQuery) -> list[MetricPoint]:
        metric = METRICS.get(query.metric)
        if metric is None:
            raise InvalidInput(f"metric {query.metric!r}: use one of {', '.join(METRICS)}")
        aggregate = [(name, _aggregation(name)) for name in query.aggregations]
        if not aggregate:
            raise InvalidInput(f"aggregations: name at least one of {_words()}")
        columns = [metric.label("value"), traces.c.start_ns]
        columns += [
            _dimension(name).label(f"dimension_{n}") for n, name in enumerate(query.dimensions)
        ]
        bucket_ms = query.bucket_seconds * 1000 if query.bucket_seconds else None
        groups: dict[tuple[Any, ...], list[float]] = {}
        with self._database.read() as connection:
            chosen = self._matching(connection, columns, query.experiment_ids, query.filter)
            if query.metric == "error_count":
                chosen = chosen.where(traces.c.state == "ERROR")
            if query.start_time_ms is not None:
                chosen = chosen.where(traces.c.start_ns >= query.start_time_ms * 1_000_000)
            if query.end_time_ms is not None:
                chosen = chosen.where(traces.c.start_ns < query.end_time_ms * 1_000_000)
            for row in connection.execute(chosen):
                if row.value is None:
                    continue
                time_ms = row.start_ns // 1_000_000
                key = (time_ms - time_ms % bucket_ms if bucket_ms else None, *row[2:])
                groups.setdefault(key, []).append(_value(query.metric, row.value))
        return [
            MetricPoint(
                time_ms=key[0],
                dimensions=dict(zip(query.dimensions, key[1:], strict=True)),
                values={name: float(compute(values)) for name, compute in aggregate},
            )
            for key, values in sorted(groups.items(), key=lambda item: _sort_key(item[0]))
        ]

    def _matching(
        self,
        connection: Connection,
        columns: Sequence[Any],
        experiment_ids: Sequence[str] | None,
        filter_text: str,
    ) -> AnySelect:
        """A query for columns of the traces that match a filter."""
        tree = parse_filter(filter_text)
        compiled = self._compiler.compile(tree)
        numbers = experiment_numbers(experiment_ids)
        query = in_experiments(select(*columns).where(compiled.condition), numbers)
        if compiled.exact:
            return query
        candidates = in_experiments(select(traces).where(compiled.condition), numbers)
        keys = [
            row.trace_key
            for row in connection.execute(candidates).all()
            if passes(connection, tree, row, infos_of(connection, [row])[0])
        ]
        return query.where(traces.c.trace_key.in_(keys))


_SESSION_COLUMNS: Final = (
    traces.c.experiment_id,
    traces.c.session_id,
    func.max(traces.c.user_id).label("user_id"),
    func.count().label("trace_count"),
    func.sum(case((traces.c.state == "ERROR", 1), else_=0)).label("error_count"),
    func.min(traces.c.start_ns).label("first_ns"),
    func.max(traces.c.start_ns).label("last_ns"),
    func.sum(traces.c.input_tokens).label("input_tokens"),
    func.sum(traces.c.output_tokens).label("output_tokens"),
    func.sum(traces.c.total_tokens).label("total_tokens"),
    func.sum(traces.c.cache_read_input_tokens).label("cache_read"),
    func.sum(traces.c.cache_creation_input_tokens).label("cache_creation"),
    func.sum(traces.c.input_cost).label("input_cost"),
    func.sum(traces.c.output_cost).label("output_cost"),
    func.sum(traces.c.total_cost).label("total_cost"),
)


def _session(connection: Connection, row: AnyRow) -> SessionSummary:
    def preview(column: Any, time_ns: int) -> str | None:
        query = select(column).where(
            traces.c.session_id == row.session_id,
            traces.c.experiment_id == row.experiment_id,
            traces.c.start_ns == time_ns,
        )
        return connection.execute(query.limit(1)).scalar()

    usage = None
    if row.total_tokens is not None:
        usage = TokenUsage(
            int(row.input_tokens),
            int(row.output_tokens),
            int(row.total_tokens),
            int(row.cache_read),
            int(row.cache_creation),
        )
    cost = None
    if row.total_cost is not None:
        cost = Cost(row.input_cost, row.output_cost, row.total_cost)
    return SessionSummary(
        session_id=row.session_id,
        experiment_id=str(row.experiment_id),
        user=row.user_id,
        trace_count=row.trace_count,
        error_count=int(row.error_count),
        first_request_time_ns=row.first_ns,
        last_request_time_ns=row.last_ns,
        token_usage=usage,
        cost=cost,
        first_request_preview=preview(traces.c.request_preview, row.first_ns),
        last_response_preview=preview(traces.c.response_preview, row.last_ns),
    )


def _dimension(name: str) -> Any:
    if name.startswith(_TAG_DIMENSION) and len(name) > len(_TAG_DIMENSION):
        key = name[len(_TAG_DIMENSION) :]
        if '"' not in key and "\\" not in key and "\0" not in key:
            return traces.c.tags[key].as_string()
    column = _DIMENSIONS.get(name)
    if column is None:
        raise InvalidInput(f"dimension {name!r}: use one of {', '.join(_DIMENSIONS)}, tag.<key>")
    return column


def _aggregation(name: str) -> Callable[[list[float]], float]:
    compute = _AGGREGATIONS.get(name)
    if compute is not None:
        return compute
    try:
        percent = float(name.removeprefix("P"))
    except ValueError:
        percent = -1.0
    if not name.startswith("P") or not 0 <= percent <= 100:
        raise InvalidInput(f"aggregation {name!r}: use one of {_words()}")
    return lambda values: percentile(values, percent)


def percentile(values: list[float], percent: float) -> float:
    """Linear interpolation between the two nearest ranks, as numpy's default does."""
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    below = math.floor(rank)
    above = math.ceil(rank)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def _value(metric: str, value: Any) -> float:
    """Counts count one a trace; latency is in milliseconds."""
    if metric in _COUNTS:
        return 1.0
    return value / 1e6 if metric == "latency" else float(value)


def _sort_key(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((part is not None, part) for part in key)


def _words() -> str:
    return ", ".join([*_AGGREGATIONS, "P0 to P100"])
