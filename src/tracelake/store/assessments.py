"""Assessments in SQL. Each change also touches its trace, so that the lake sees it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from tracelake.model.entities import Assessment
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.evaluate import SESSION_KEY
from tracelake.model.ids import format_trace_id, new_assessment_id, parse_span_id, trace_ids_in
from tracelake.store.api import AssessmentChange, NewAssessment
from tracelake.store.database import Database, now_ms
from tracelake.store.editor import touch, trace_row
from tracelake.store.rows import AnyRow, assessment_of
from tracelake.store.schema import assessments, traces

_CHANGEABLE: Final = frozenset({"name", "value", "error", "rationale", "metadata", "valid"})
_NAME_CHARS: Final = 255


class SqlAssessments:
    """Implements `Assessments`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, trace_id: str, assessment_id: str) -> Assessment:
        with self._database.read() as connection:
            trace = trace_row(connection, trace_id)
            return _assessment(connection, trace, assessment_id)

    def of_traces(self, trace_ids: Sequence[str]) -> Mapping[str, Sequence[Assessment]]:
        raw = trace_ids_in(trace_ids)
        with self._database.read() as connection:
            public: dict[int, str] = {}
            for at in range(0, len(raw), 500):
                query = select(traces.c.trace_key, traces.c.trace_id)
                for row in connection.execute(
                    query.where(traces.c.trace_id.in_(raw[at : at + 500]))
                ):
                    public[row.trace_key] = format_trace_id(row.trace_id)
            found = assessments_of(connection, public, valid_only=False)
        return {public[key]: told for key, told in found.items()}

    def add(self, trace_id: str, new: NewAssessment) -> Assessment:
        with self._database.write() as connection:
            trace = trace_row(connection, trace_id)
            assessment_id = insert_assessment(connection, trace, new)
            touch(connection, trace.trace_key)
            return _assessment(connection, trace, assessment_id)

    def update(self, trace_id: str, assessment_id: str, change: AssessmentChange) -> Assessment:
        unknown = set(change.fields) - _CHANGEABLE
        if unknown:
            raise InvalidInput(
                f"cannot change {', '.join(sorted(unknown))} of an assessment; "
                f"only {', '.join(sorted(_CHANGEABLE))}"
            )
        values: dict[str, Any] = dict(change.fields)
        if "name" in values:
            _check_name(values["name"])
        if "metadata" in values:
            values["assessment_metadata"] = values.pop("metadata")
        with self._database.write() as connection:
            trace = trace_row(connection, trace_id)
            _row(connection, trace.trace_key, assessment_id, trace_id)
            connection.execute(
                update(assessments)
                .where(assessments.c.assessment_id == assessment_id)
                .values(last_update_time_ms=now_ms(), **values)
            )
            touch(connection, trace.trace_key)
            return _assessment(connection, trace, assessment_id)

    def delete(self, trace_id: str, assessment_id: str) -> None:
        with self._database.write() as connection:
            trace = trace_row(connection, trace_id)
            row = _row(connection, trace.trace_key, assessment_id, trace_id)
            connection.execute(
                delete(assessments).where(assessments.c.assessment_id == assessment_id)
            )
            if row.overrides is not None:
                _set_valid(connection, row.overrides, valid=True)
            touch(connection, trace.trace_key)


def insert_assessment(connection: Connection, trace: AnyRow, new: NewAssessment) -> str:
    """Its id. Whoever calls it touches the trace. Raises NotFound, InvalidInput."""
    _check_name(new.name)
    trace_id = format_trace_id(trace.trace_id)
    # Which may be a span that is still to come.
    span_id = parse_span_id(new.span_id) if new.span_id is not None else None
    if new.overrides is not None:
        _row(connection, trace.trace_key, new.overrides, trace_id)
        _set_valid(connection, new.overrides, valid=False)
    assessment_id = new_assessment_id()
    time_ms = now_ms() if new.create_time_ms is None else new.create_time_ms
    connection.execute(
        assessments.insert().values(
            assessment_id=assessment_id,
            trace_key=trace.trace_key,
            name=new.name,
            kind=new.kind,
            value=new.value,
            error=asdict(new.error) if new.error else None,
            source_type=str(new.source.source_type),
            source_id=new.source.source_id,
            span_id=span_id,
            rationale=new.rationale,
            assessment_metadata=dict(new.metadata),
            overrides=new.overrides,
            valid=True,
            create_time_ms=time_ms,
            last_update_time_ms=time_ms,
        )
    )
    return assessment_id


def assessments_of(
    connection: Connection, trace_ids: Mapping[int, str], *, valid_only: bool
) -> dict[int, list[Assessment]]:
    """Assessments by trace key, oldest first. `trace_ids` maps trace keys to their public ids."""
    found: dict[int, list[Assessment]] = {}
    keys = list(trace_ids)
    for at in range(0, len(keys), 500):
        query = (
            select(assessments)
            .where(assessments.c.trace_key.in_(keys[at : at + 500]))
            .order_by(assessments.c.create_time_ms, assessments.c.assessment_id)
        )
        if valid_only:
            query = query.where(assessments.c.valid)
        rows: Iterable[AnyRow] = connection.execute(query)
        for row in rows:
            found.setdefault(row.trace_key, []).append(assessment_of(row, trace_ids[row.trace_key]))
    return found


def session_assessments(connection: Connection, trace: AnyRow) -> list[Assessment]:
    """Valid assessments of the trace's whole session, from all its traces in this experiment."""
    if trace.session_id is None:
        return []
    query = (
        select(assessments, traces.c.trace_id)
        .join(traces, assessments.c.trace_key == traces.c.trace_key)
        .where(
            traces.c.session_id == trace.session_id,
            traces.c.experiment_id == trace.experiment_id,
            assessments.c.assessment_metadata[SESSION_KEY].as_string() == trace.session_id,
            assessments.c.valid,
        )
    )
    return [assessment_of(row, format_trace_id(row.trace_id)) for row in connection.execute(query)]


def _assessment(connection: Connection, trace: AnyRow, assessment_id: str) -> Assessment:
    trace_id = format_trace_id(trace.trace_id)
    row = _row(connection, trace.trace_key, assessment_id, trace_id)
    return assessment_of(row, trace_id)


def _row(connection: Connection, trace_key: int, assessment_id: str, trace_id: str) -> AnyRow:
    query = select(assessments).where(
        assessments.c.assessment_id == assessment_id, assessments.c.trace_key == trace_key
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Trace {trace_id} has no assessment {assessment_id}")
    return row


def _set_valid(connection: Connection, assessment_id: str, *, valid: bool) -> None:
    connection.execute(
        update(assessments).where(assessments.c.assessment_id == assessment_id).values(valid=valid)
    )


def _check_name(name: str) -> None:
    if not name or len(name) > _NAME_CHARS:
        raise InvalidInput(f"an assessment's name has 1 to {_NAME_CHARS} characters")
