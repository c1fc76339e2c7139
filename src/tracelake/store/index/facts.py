"""What the index says of a trace: its terms and its numbers."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from tracelake.model.entities import JsonValue
from tracelake.model.filters.evaluate import SESSION_KEY
from tracelake.store.index.blocks import Posting
from tracelake.store.index.columns import Column, NamedColumn, doubles, whole_numbers
from tracelake.store.index.span_numbers import SpanNumbers
from tracelake.store.index.terms import NOTHING, Field, term
from tracelake.store.rows import AnyRow
from tracelake.store.schema import assessments, spans, traces

FACTS: Final = "facts"
ASSESSMENT_FIELDS: Final = {
    "feedback": (Field.FEEDBACK, Field.SESSION_FEEDBACK),
    "expectation": (Field.EXPECTATION, Field.SESSION_EXPECTATION),
    "issue": (Field.ISSUE, None),
}

_LOOK_UP: Final = 500
_COLUMNS: Final = (
    traces.c.trace_key,
    traces.c.seq,
    traces.c.experiment_id,
    traces.c.state,
    traces.c.start_ns,
    traces.c.end_ns,
    traces.c.name,
    traces.c.client_request_id,
    traces.c.session_id,
    traces.c.user_id,
    traces.c.tags,
    traces.c.trace_metadata,
    traces.c.input_tokens,
    traces.c.output_tokens,
    traces.c.total_tokens,
    traces.c.cache_read_input_tokens,
    traces.c.cache_creation_input_tokens,
    traces.c.total_cost,
)
_SPAN: Final = (
    spans.c.trace_key,
    spans.c.start_ns,
    spans.c.end_ns,
    spans.c.input_tokens,
    spans.c.output_tokens,
    spans.c.total_tokens,
    spans.c.total_cost,
    spans.c.input_cost,
    spans.c.output_cost,
    spans.c.error,
    spans.c.name,
    spans.c.span_type,
    spans.c.status,
    spans.c.model,
    spans.c.provider,
    spans.c.tool,
)


def changed_traces(connection: Connection, after_seq: int, limit: int) -> Sequence[AnyRow]:
    """The rows that `Facts` reads, of the next versions after a number."""
    query = select(*_COLUMNS).where(traces.c.seq > after_seq).order_by(traces.c.seq).limit(limit)
    return connection.execute(query).all()


class Facts:
    """Gathers the terms and columns of some traces, by position."""

    def __init__(self, connection: Connection, rows: Sequence[AnyRow]) -> None:
        self._positions: dict[bytes, list[int]] = defaultdict(list)
        self._rows = rows
        self._spans = SpanNumbers()
        by_key = {row.trace_key: position for position, row in enumerate(rows)}
        # Most traces share most of their terms, and making one costs ten times a look-up.
        known: dict[tuple[Any, ...], bytes] = {}
        for position, row in enumerate(rows):
            for parts in _facts_of_trace(row):
                found = known.get(parts)
                if found is None:
                    found = known[parts] = term(*parts)
                self._positions[found].append(position)
        self._add_spans(connection, by_key)
        self._add_assessments(connection, by_key)

    def postings(self) -> Iterator[Posting]:
        for found in sorted(self._positions):
            yield found, sorted(set(self._positions[found]))

    def positions(self) -> dict[bytes, list[int]]:
        """Positions by term, as they were gathered: in no order, some twice."""
        return self._positions

    def seqs(self) -> Column:
        return whole_numbers(row.seq for row in self._rows)

    def columns(self) -> Iterator[NamedColumn]:
        """One array a number of traces, then those of their spans.

        Where a trace has none, whole numbers are `NO_NUMBER` and costs are NaN.
        """
        rows = self._rows
        yield "start_ns", whole_numbers(row.start_ns for row in rows)
        yield (
            "duration_ns",
            whole_numbers(
                row.end_ns - row.start_ns if row.end_ns is not None else None for row in rows
            ),
        )
        yield "input_tokens", whole_numbers(row.input_tokens for row in rows)
        yield "output_tokens", whole_numbers(row.output_tokens for row in rows)
        yield "tokens", whole_numbers(row.total_tokens for row in rows)
        yield (
            "cache_read_input_tokens",
            whole_numbers(row.cache_read_input_tokens for row in rows),
        )
        yield (
            "cache_creation_input_tokens",
            whole_numbers(row.cache_creation_input_tokens for row in rows),
        )
        yield "cost", doubles(row.total_cost for row in rows)
        yield from self._spans.columns(rows)

    def _add_spans(self, connection: Connection, by_key: dict[int, int]) -> None:
        terms: dict[tuple[str | None, ...], bytes] = {}
        for keys in _some(list(by_key)):
            query = select(*_SPAN).where(spans.c.trace_key.in_(keys))
            # As the driver gives them: a Row of each took a third of the reading.
            cursor = connection.execute(query).cursor
            assert cursor is not None, "of a query that gives rows"
            rows = cursor.fetchall()
            if not rows:
                continue
            # By column: a statement of Python for each span is what most of the time went into.
            key, start_ns, end_ns, *numbers, error, n, t, s, m, p, o = zip(*rows, strict=True)
            docs = [by_key[each] for each in key]
            shapes: list[bytes] = []
            for doc, shape in zip(docs, zip(n, t, s, m, p, o, strict=True), strict=True):
                found = terms.get(shape)
                if found is None:
                    found = terms[shape] = shape_term(shape)
                shapes.append(found)
                self._positions[found].append(doc)
            self._spans.add(docs, shapes, start_ns, end_ns, numbers[:3], numbers[3:])
            for doc, said in zip(docs, error, strict=True):
                if said is not None:
                    self._positions[term(Field.ERROR)].append(doc)
                    self._positions[term(Field.ERROR, said)].append(doc)

    def _add_assessments(self, connection: Connection, by_key: dict[int, int]) -> None:
        for keys in _some(list(by_key)):
            query = select(
                assessments.c.trace_key,
                assessments.c.kind,
                assessments.c.name,
                assessments.c.value,
                assessments.c.source_type,
                assessments.c.assessment_metadata,
            ).where(assessments.c.trace_key.in_(keys), assessments.c.valid)
            times: Counter[tuple[int, Field, str, str, str]] = Counter()
            for key, kind, name, value, source, told in connection.execute(query):
                position = by_key[key]
                row, (field, of_session) = self._rows[position], ASSESSMENT_FIELDS[kind]
                self._positions[term(field, name)].append(position)
                times[position, field, name, value_part(value), source] += 1
                session = told.get(SESSION_KEY)
                if session is not None and session == row.session_id and of_session is not None:
                    experiment = str(row.experiment_id)
                    found = term(of_session, name, value_part(value), session, experiment)
                    self._positions[found].append(position)
            for (position, field, *parts), count in times.items():
                self._positions[term(field, *parts, str(count))].append(position)


def shape_term(shape: Sequence[str | None]) -> bytes:
    """The term of name, type, status, model, provider and tool of a span."""
    return term(Field.SHAPE, *(NOTHING if part is None else part for part in shape))


def value_part(value: JsonValue) -> str:
    """An assessment's value as part of a term. Its letter tells numbers from texts alike."""
    match value:
        case bool():
            return f"b{int(value)}"
        case int() | float():
            return f"n{value!r}"
        case str():
            return f"s{value}".replace("\0", "\ufffd")
        case None:
            return "0"
        case _:
            return f"j{json.dumps(value)}"


def value_of_part(part: str) -> JsonValue:
    """The value of a part of a term that is not cut."""
    kind, rest = part[:1], part[1:]
    match kind:
        case "b":
            return rest == "1"
        case "n" | "j":
            return json.loads(rest)
        case "s":
            return rest
        case _:
            return None


def _facts_of_trace(row: AnyRow) -> Iterator[tuple[Any, ...]]:
    """The field and the parts of each term."""
    yield Field.EXPERIMENT, str(row.experiment_id)
    for field, value in (
        (Field.STATE, row.state),
        (Field.NAME, row.name),
        (Field.USER, row.user_id),
        (Field.SESSION, row.session_id),
        (Field.CLIENT_REQUEST_ID, row.client_request_id),
    ):
        if value is not None:
            yield (field,)
            yield field, value
    for field, pairs in ((Field.TAG, row.tags), (Field.METADATA, row.trace_metadata)):
        for key, value in pairs.items():
            yield field, key
            yield field, key, value


def _some(keys: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(keys), _LOOK_UP):
        yield keys[at : at + _LOOK_UP]
