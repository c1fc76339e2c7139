"""Sessions and metrics over time of the traces that match."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, or_, select

from tracelake.model.entities import Cost, TokenUsage
from tracelake.model.filters.parse import parse_filter
from tracelake.model.ids import parse_experiment_ids
from tracelake.store.api import (
    GroupPage,
    GroupQuery,
    MetricPoint,
    MetricQuery,
    SessionPage,
    SessionSummary,
)
from tracelake.store.compile import Compiler
from tracelake.store.database import Database
from tracelake.store.finder import in_experiments
from tracelake.store.index.cache import ColumnCache
from tracelake.store.index.view import IndexView
from tracelake.store.matching import Matching
from tracelake.store.metrics.compute import MetricRun
from tracelake.store.metrics.groups import group_page, metric_queries
from tracelake.store.metrics.spec import spec_of
from tracelake.store.pages import decode_token, encode_token, search_scope
from tracelake.store.reader import MAX_RESULTS, check_page_size
from tracelake.store.rows import AnyRow, AnySelect
from tracelake.store.schema import traces


class SqlAnalytics:
    """Implements `Analytics`."""

    def __init__(self, database: Database, compiler: Compiler, cache: ColumnCache) -> None:
        self._database = database
        self._compiler = compiler
        self._cache = cache

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
            scope = search_scope(filter, experiment_ids)
            query = self._matching(connection, _SESSION_COLUMNS, experiment_ids, filter)
            query = query.where(traces.c.session_id.is_not(None)).group_by(
                traces.c.experiment_id, traces.c.session_id
            )
            if page_token is not None:
                last_ns, experiment, session = decode_token(page_token, scope, (int, int, str))
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
                token = encode_token(scope, (end.last_ns, end.experiment_id, end.session_id))
            return SessionPage([_session(connection, row) for row in page], token)

    def query_metric(self, query: MetricQuery) -> list[MetricPoint]:
        return self._points([query])[0]

    def find_groups(self, query: GroupQuery) -> GroupPage:
        return group_page(query, self._points(metric_queries(query)))

    def _points(self, queries: Sequence[MetricQuery]) -> list[list[MetricPoint]]:
        """The points of queries with the same filter, as of one moment."""
        specs = [spec_of(query) for query in queries]
        tree = parse_filter(queries[0].filter)
        compiled = self._compiler.compile(tree)
        numbers = parse_experiment_ids(queries[0].experiment_ids)
        with self._database.read() as connection:
            view = IndexView(connection, self._cache)
            matching = Matching(connection, view, tree, compiled, numbers)
            return [
                MetricRun(matching, spec).points(query)
                for query, spec in zip(queries, specs, strict=True)
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
        numbers = parse_experiment_ids(experiment_ids)
        query = in_experiments(select(*columns), numbers)
        if compiled.exact:
            return query.where(compiled.condition)
        view = IndexView(connection, self._cache)
        return query.where(Matching(connection, view, tree, compiled, numbers).condition())


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
            None if row.cache_read is None else int(row.cache_read),
            None if row.cache_creation is None else int(row.cache_creation),
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
