"""A real store, a lake folder beside it, and spans to fill them with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.spans import parts_in
from tests.values import key_values

from tracelake.lake.sql import LakeSql
from tracelake.lake.sync import SyncOptions, SyncResult, sync
from tracelake.store.open import Store

NOON_NS = 1_790_000_000_123_456_000
DAY_NS = 86_400 * 10**9


@dataclass
class Lake:
    """What a test does: send spans, sync, ask."""

    store: Store
    uri: str

    def send(
        self,
        trace: int,
        *,
        spans: int = 1,
        first_span: int = 1,
        start_ns: int = NOON_NS,
        attributes: Mapping[str, Any] | None = None,
        edit: Callable[[ExportTraceServiceRequest], None] | None = None,
    ) -> str:
        """Spans `first_span` … of a trace in one request; span 1 is the root. The trace's id."""
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        resource_spans.resource.attributes.extend(key_values({"service.name": "shop"}))
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name, scope_spans.scope.version = "test.scope", "1.2"
        for number in range(first_span, first_span + spans):
            span = scope_spans.spans.add(
                trace_id=trace.to_bytes(16, "big"),
                span_id=number.to_bytes(8, "big"),
                name=f"step {number}",
                start_time_unix_nano=start_ns + number * 1000,
                end_time_unix_nano=start_ns + number * 1000 + 2_500_000,
                attributes=key_values(attributes or {"n": number}),
            )
            if number > 1:
                span.parent_span_id = (1).to_bytes(8, "big")
        if edit is not None:
            edit(request)
        self.store.spans.write(parts_in(request)[0])
        return f"tr-{trace:032x}"

    def sync(self, options: SyncOptions | None = None) -> SyncResult:
        result = sync(self.store.changes, self.store.leases, self.uri, options)
        assert result is not None, "another sync is running"
        return result

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        sql = LakeSql(self.uri)
        try:
            return list(sql.query(statement).rows)
        finally:
            sql.close()

    def row(self, statement: str) -> dict[str, Any]:
        """The only row, by column."""
        sql = LakeSql(self.uri)
        try:
            answer = sql.query(statement)
            (row,) = answer.rows
            return dict(zip(answer.columns, row, strict=True))
        finally:
            sql.close()
