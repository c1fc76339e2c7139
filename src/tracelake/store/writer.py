"""Spans into the store: one transaction for many requests, summaries brought up to date in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from tracelake.model.errors import NotFound
from tracelake.model.summary import Summary, summarise
from tracelake.store.api import SpanRow, TraceFacts, TracePart
from tracelake.store.bulk import BulkInsert
from tracelake.store.database import SEQUENCE, Database, next_numbers
from tracelake.store.rows import AnyRow, cost_columns, cost_of, usage_columns, usage_of
from tracelake.store.schema import (
    CHUNK_BITS,
    chunks,
    experiments,
    spans,
    stale_versions,
    traces,
)

TRACE_KEYS = "trace_key"

_LOOK_UP = 500
"""Ids asked for in one IN list."""


@dataclass(slots=True)
class _Incoming:
    """All parts of one trace in one transaction."""

    parts: list[TracePart]
    stored: AnyRow | None = None
    trace_key: int = 0

    @property
    def first_chunk_id(self) -> int:
        return (self.trace_key << CHUNK_BITS) + (self.stored.chunk_count if self.stored else 0)


class SqlSpanWriter:
    """Implements `SpanWriter`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chunks = BulkInsert(database, chunks)
        self._spans = BulkInsert(database, spans, replace=True)
        self._traces = BulkInsert(database, traces, replace=True)

    def write(self, parts: Sequence[TracePart]) -> None:
        if not parts:
            return
        incoming: dict[bytes, _Incoming] = {}
        for part in parts:
            incoming.setdefault(part.trace_id, _Incoming([])).parts.append(part)
        with self._database.write() as connection:
            _require_experiments(connection, {part.experiment_id for part in parts})
            self._store(connection, incoming)

    def _store(self, connection: Connection, incoming: dict[bytes, _Incoming]) -> None:
        for row in _stored_traces(connection, list(incoming)):
            incoming[row.trace_id].stored = row
            incoming[row.trace_id].trace_key = row.trace_key
        fresh = [item for item in incoming.values() if item.stored is None]
        known = [item for item in incoming.values() if item.stored is not None]
        replaced = [item.stored.seq for item in incoming.values() if item.stored is not None]
        seq = next_numbers(connection, SEQUENCE, len(incoming))
        if fresh:
            first_key = next_numbers(connection, TRACE_KEYS, len(fresh))
            for n, item in enumerate(fresh):
                item.trace_key = first_key + n
        chunk_rows: list[dict[str, Any]] = []
        span_rows: list[dict[str, Any]] = []
        for item in incoming.values():
            chunk_id = item.first_chunk_id
            # The same span twice in one statement would be refused by PostgreSQL.
            latest: dict[bytes, dict[str, Any]] = {}
            for part in item.parts:
                chunk_rows.append({"chunk_id": chunk_id, "payload": part.chunk})
                for span in part.spans:
                    latest[span.span_id] = _span_values(span, item.trace_key, chunk_id)
                chunk_id += 1
            span_rows.extend(latest.values())
        earlier = _stored_spans(connection, [item.trace_key for item in known])
        trace_rows: list[dict[str, Any]] = []
        for n, item in enumerate(incoming.values()):
            spans_now = {span.span_id: span for span in earlier.get(item.trace_key, ())}
            for part in item.parts:
                spans_now.update((span.span_id, span) for span in part.spans)
            trace_rows.append(_trace_values(item, summarise(spans_now.values()), seq + n))
        self._chunks.execute(connection, chunk_rows)
        self._spans.execute(connection, span_rows)
        self._traces.execute(connection, trace_rows)
        if replaced:
            connection.execute(stale_versions.insert(), [{"seq": number} for number in replaced])


def _require_experiments(connection: Connection, wanted: set[int]) -> None:
    found = connection.scalars(
        select(experiments.c.experiment_id).where(experiments.c.experiment_id.in_(wanted))
    )
    missing = wanted.difference(found)
    if missing:
        raise NotFound(f"No experiment with id {min(missing)}")


def _stored_traces(connection: Connection, trace_ids: list[bytes]) -> list[AnyRow]:
    rows: list[AnyRow] = []
    for at in range(0, len(trace_ids), _LOOK_UP):
        some = trace_ids[at : at + _LOOK_UP]
        rows.extend(connection.execute(select(traces).where(traces.c.trace_id.in_(some))))
    return rows


def _stored_spans(connection: Connection, trace_keys: list[int]) -> dict[int, list[SpanRow]]:
    found: dict[int, list[SpanRow]] = {}
    for at in range(0, len(trace_keys), _LOOK_UP):
        some = trace_keys[at : at + _LOOK_UP]
        for row in connection.execute(select(spans).where(spans.c.trace_key.in_(some))):
            found.setdefault(row.trace_key, []).append(
                SpanRow(
                    span_id=row.span_id,
                    parent_id=row.parent_id,
                    name=row.name,
                    span_type=row.span_type,
                    status=row.status,
                    start_ns=row.start_ns,
                    end_ns=row.end_ns,
                    position=row.position,
                    usage=usage_of(row),
                    cost=cost_of(row),
                )
            )
    return found


def _span_values(span: SpanRow, trace_key: int, chunk_id: int) -> dict[str, Any]:
    usage, cost = span.usage, span.cost
    return {
        "trace_key": trace_key,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "span_type": span.span_type,
        "status": span.status,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "model": span.model,
        "provider": span.provider,
        "tool": span.tool,
        "error": span.error,
        **usage_columns(usage),
        **cost_columns(cost),
        "chunk_id": chunk_id,
        "position": span.position,
    }


def _trace_values(item: _Incoming, summary: Summary, seq: int) -> dict[str, Any]:
    facts = _merge_facts(item)
    stored = item.stored
    return {
        "trace_key": item.trace_key,
        "trace_id": item.parts[0].trace_id,
        "seq": seq,
        "first_seq": stored.first_seq if stored else seq,
        "chunk_count": len(item.parts) + (stored.chunk_count if stored else 0),
        "experiment_id": stored.experiment_id if stored else item.parts[0].experiment_id,
        "state": str(summary.state),
        "start_ns": summary.start_ns,
        "end_ns": summary.end_ns,
        "root_span_id": summary.root_span_id,
        "name": facts.name or summary.root_name,
        "request_preview": facts.request_preview,
        "response_preview": facts.response_preview,
        "client_request_id": facts.client_request_id,
        "session_id": facts.session_id,
        "user_id": facts.user,
        "tags": facts.tags,
        "trace_metadata": facts.metadata,
        "span_count": summary.span_count,
        "error_count": summary.error_count,
        **usage_columns(summary.usage),
        **cost_columns(summary.cost),
    }


def _merge_facts(item: _Incoming) -> TraceFacts:
    """What is stored, then what spans say, then what the root says; later words win.

    Once the root has spoken, other spans only fill what is still empty.
    """
    row = item.stored
    facts = TraceFacts()
    root_was_here = False
    if row is not None:
        root_was_here = row.root_span_id is not None
        facts = TraceFacts(
            row.name if root_was_here else None,
            row.session_id,
            row.user_id,
            row.client_request_id,
            row.request_preview,
            row.response_preview,
            dict(row.tags),
            dict(row.trace_metadata),
        )
    for part in item.parts:
        if part.facts is not None:
            below, above = (part.facts, facts) if root_was_here else (facts, part.facts)
            facts = _overlay(below, above)
    for part in item.parts:
        if part.root_facts is not None:
            facts.name = None  # the root that is here now names the trace
            facts = _overlay(facts, part.root_facts)
    return facts


def _overlay(below: TraceFacts, above: TraceFacts) -> TraceFacts:
    return TraceFacts(
        name=above.name or below.name,
        session_id=above.session_id or below.session_id,
        user=above.user or below.user,
        client_request_id=above.client_request_id or below.client_request_id,
        request_preview=above.request_preview or below.request_preview,
        response_preview=above.response_preview or below.response_preview,
        tags=below.tags | above.tags,
        metadata=below.metadata | above.metadata,
    )
