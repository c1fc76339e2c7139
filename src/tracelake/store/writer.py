"""Spans into the store: one transaction for many requests, summaries brought up to date in it."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from tracelake.model.errors import NotFound
from tracelake.model.summary import RunningSummary, Summary, summarise
from tracelake.store.api import SpanRow, TraceFacts, TracePart
from tracelake.store.bulk import BulkInsert, Row, json_text
from tracelake.store.chunks import ChunkRows, delete_unused, fill_slices
from tracelake.store.database import Database, next_traces
from tracelake.store.rows import AnyRow, cost_values, usage_values
from tracelake.store.running import RunningSummaries, read_spans, sum_up
from tracelake.store.schema import (
    chunks,
    experiments,
    spans,
    stale_versions,
    traces,
)

_LOOK_UP = 500
"""Ids asked for in one IN list."""


class _Incoming:
    """All parts of one trace in one transaction."""

    def __init__(self, trace_id: bytes) -> None:
        self.trace_id = trace_id
        self.parts: list[TracePart] = []
        self.stored: AnyRow | None = None
        self.trace_key = 0
        self.chunk_count = 0
        self.latest: dict[bytes, SpanRow] = {}
        """The spans by id: the same one twice in one statement would be refused by PostgreSQL."""
        self.left_chunks: set[int] = set()
        """Chunks of spans that are replaced."""

    def add(self, part: TracePart) -> None:
        self.parts.append(part)
        for span in part.spans:
            self.latest[span.span_id] = span

    @property
    def is_known(self) -> bool:
        return self.stored is not None


class SqlSpanWriter:
    """Implements `SpanWriter`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._chunks = BulkInsert(database, chunks, most_rows=32)
        self._new_spans = BulkInsert(database, spans)
        self._new_traces = BulkInsert(database, traces)
        self._spans = BulkInsert(database, spans, replace=True)
        self._traces = BulkInsert(database, traces, replace=True)
        self._running = RunningSummaries()

    def write(self, parts: Sequence[TracePart]) -> None:
        if not parts:
            return
        incoming: dict[bytes, _Incoming] = {}
        for part in parts:
            item = incoming.get(part.trace_id)
            if item is None:
                item = incoming[part.trace_id] = _Incoming(part.trace_id)
            item.add(part)
        # What can be done before the turn to write is not done in it: another process may wait.
        summaries = {item.trace_id: summarise(item.latest.values()) for item in incoming.values()}
        try:
            with self._database.write(is_durable=False) as connection:
                grown = self._store(connection, incoming, summaries)
        except IntegrityError as error:
            self._require_experiments({part.experiment_id for part in parts})
            raise error
        for item, running in grown:
            self._running.keep(item.trace_key, item.chunk_count, running)

    def sync(self) -> None:
        self._database.sync()

    def _require_experiments(self, wanted: set[int]) -> None:
        with self._database.read() as connection:
            query = select(experiments.c.experiment_id).where(
                experiments.c.experiment_id.in_(wanted)
            )
            missing = wanted.difference(connection.scalars(query))
        if missing:
            raise NotFound(f"No experiment with id {min(missing)}")

    def _store(
        self,
        connection: Connection,
        incoming: dict[bytes, _Incoming],
        summaries: dict[bytes, Summary],
    ) -> list[tuple[_Incoming, RunningSummary]]:
        """Write everything; the summaries of traces that were stored before, as they are now.

        `summaries` are of what came alone.
        """
        for row in _stored_traces(connection, list(incoming)):
            incoming[row.trace_id].stored = row
            incoming[row.trace_id].trace_key = row.trace_key
        items = list(incoming.values())
        fresh = [item for item in items if item.stored is None]
        replaced = [item.stored.seq for item in items if item.stored is not None]
        seq, first_key = next_traces(connection, len(items), len(fresh))
        for n, item in enumerate(fresh):
            item.trace_key = first_key + n
        chunk_rows: list[Row] = []
        span_rows: tuple[list[Row], list[Row]] = ([], [])
        trace_rows: tuple[list[Row], list[Row]] = ([], [])
        for item in items:
            _number_chunks(connection, item, chunk_rows, span_rows[item.is_known])
        running = self._running.take(
            connection,
            {item.trace_key: item.stored.chunk_count for item in items if item.stored is not None},
        )
        for n, item in enumerate(items):
            if item.trace_key in running:
                running[item.trace_key] = _grow(connection, running[item.trace_key], item)
                summary = running[item.trace_key].summary()
            else:
                summary = summaries[item.trace_id]
            trace_rows[item.is_known].append(_trace_row(item, summary, seq + n))
        if not self._database.is_sqlite:
            chunk_rows = [fill_slices(row) for row in chunk_rows]
        self._chunks.execute(connection, chunk_rows)
        # Nothing of a new trace can be there already, and not having to ask costs less.
        self._new_spans.execute(connection, span_rows[False])
        self._new_traces.execute(connection, trace_rows[False])
        self._spans.execute(connection, span_rows[True])
        self._traces.execute(connection, trace_rows[True])
        for item in items:
            if item.left_chunks:
                delete_unused(connection, item.trace_key, item.left_chunks)
        if replaced:
            connection.execute(stale_versions.insert(), [{"seq": number} for number in replaced])
        return [(item, running[item.trace_key]) for item in items if item.trace_key in running]


def _number_chunks(
    connection: Connection,
    item: _Incoming,
    chunk_rows: list[Row],
    span_rows: list[Row],
) -> None:
    rows = ChunkRows(item.trace_key, item.stored.chunk_count if item.stored else 0)
    values: dict[bytes, Row] = {}
    for part in item.parts:
        latest = [span for span in part.spans if item.latest[span.span_id] is span]
        used = {span.chunk for span in latest}
        chunk_ids = {
            n: rows.add(connection, chunk) for n, chunk in enumerate(part.chunks) if n in used
        }
        for span in latest:
            values[span.span_id] = _span_row(span, item.trace_key, chunk_ids[span.chunk])
    item.chunk_count = rows.chunk_count
    chunk_rows += rows.rows
    span_rows += values.values()


def _grow(connection: Connection, running: RunningSummary, item: _Incoming) -> RunningSummary:
    """The summary with the spans that came, of which some may have come before."""
    known = [span_id for span_id in item.latest if span_id in running]
    stored = {span.span_id: span for span in read_spans(connection, item.trace_key, known)}
    item.left_chunks = {span.chunk_id for span in stored.values()}
    for span in item.latest.values():
        before = stored.get(span.span_id)
        if before is None:
            running.add(span)
        elif not running.replace(before, span):
            return sum_up(connection, item.trace_key, item.latest)
    return running


def _stored_traces(connection: Connection, trace_ids: list[bytes]) -> list[AnyRow]:
    """The rows of traces that came before; mostly none, so that is found out the cheap way."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    rows: list[AnyRow] = []
    for at in range(0, len(trace_ids), _LOOK_UP):
        some = trace_ids[at : at + _LOOK_UP]
        marks = ",".join([mark] * len(some))
        sql = f"SELECT trace_key FROM traces WHERE trace_id IN ({marks})"
        keys = [row[0] for row in connection.exec_driver_sql(sql, tuple(some))]
        if keys:
            rows.extend(connection.execute(select(traces).where(traces.c.trace_key.in_(keys))))
    return rows


def _span_row(span: SpanRow, trace_key: int, chunk_id: int) -> Row:
    return (
        trace_key,
        span.span_id,
        span.parent_id,
        span.name,
        span.span_type,
        span.status,
        span.start_ns,
        span.end_ns,
        span.model,
        span.provider,
        span.tool,
        span.error,
        *usage_values(span.usage),
        *cost_values(span.cost),
        chunk_id,
        span.position,
    )


def _trace_row(item: _Incoming, summary: Summary, seq: int) -> Row:
    facts = _merge_facts(item, summary.root_span_id)
    stored = item.stored
    told: dict[str, str] = (stored.told or {}) if stored is not None else {}
    return (
        item.trace_key,
        item.trace_id,
        seq,
        stored.first_seq if stored else seq,
        item.chunk_count,
        stored.experiment_id if stored else item.parts[0].experiment_id,
        told.get("state") or str(summary.state),
        summary.start_ns,
        summary.end_ns,
        summary.root_span_id,
        told.get("name") or facts.name or summary.root_name,
        told.get("request_preview") or facts.request_preview,
        told.get("response_preview") or facts.response_preview,
        told.get("client_request_id") or facts.client_request_id,
        told.get("session_id") or facts.session_id,
        told.get("user_id") or facts.user,
        json_text(facts.tags),
        json_text(facts.metadata),
        summary.span_count,
        summary.error_count,
        *usage_values(summary.usage),
        *cost_values(summary.cost),
        json_text(told) if told else None,
    )


def _merge_facts(item: _Incoming, root_id: bytes | None) -> TraceFacts:
    """What is stored, what the root says over it, and what other spans say where nothing is.

    Of other spans, the first word counts; of tags the last, until the root has spoken.
    """
    row = item.stored
    facts = TraceFacts()
    root_was_here = False
    if row is not None:
        root_was_here = row.root_span_id is not None
        facts = TraceFacts(
            row.name,
            row.session_id,
            row.user_id,
            row.client_request_id,
            row.request_preview,
            row.response_preview,
            dict(row.tags),
            dict(row.trace_metadata),
        )
    by_root: list[TraceFacts] = []
    for part in item.parts:
        if part.facts is not None:
            facts = _filled(facts, part.facts, are_tags_settled=root_was_here)
        if part.root_facts is None:
            continue
        if part.root_id == root_id:
            by_root.append(part.root_facts)
        else:
            said = replace(part.root_facts, name=None)
            facts = _filled(facts, said, are_tags_settled=root_was_here)
    for said in by_root:
        facts.name = None  # the root that is here now names the trace
        facts = _overlay(facts, said)
    return facts


def _filled(facts: TraceFacts, said: TraceFacts, *, are_tags_settled: bool) -> TraceFacts:
    """The facts, with what one more span says where they say nothing."""
    filled = _overlay(said, facts)
    if not are_tags_settled:
        filled.tags |= said.tags
        filled.metadata |= said.metadata
    return filled


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
