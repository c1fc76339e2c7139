"""What clients say of a trace beside its spans. Every change gives the trace a new `seq`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from tracelake.model.entities import Cost, TokenUsage, TraceInfo, TraceState
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.ids import parse_trace_id, trace_ids_in
from tracelake.model.jsonvalue import as_list, as_object
from tracelake.model.links import LINKED_RUNS, linked_runs
from tracelake.model.preview import PREVIEW_CHARS, cut
from tracelake.model.text import storable
from tracelake.store.api import ClientInfo, NewAssessment
from tracelake.store.assessments import insert_assessment
from tracelake.store.database import Database, next_traces
from tracelake.store.editor import TAG_KEY_CHARS, TAG_VALUE_CHARS, touch, trace_row
from tracelake.store.finder import infos_of
from tracelake.store.rows import AnyRow, cost_values, usage_values
from tracelake.store.schema import assessments, experiments, traces

LINKED_PROMPTS: Final = "mlflow.linkedPrompts"
_METADATA_VALUE_CHARS: Final = 250
_USAGE: Final = "mlflow.trace.tokenUsage"
_COST: Final = "mlflow.trace.cost"
_LONG: Final = frozenset({"mlflow.trace.sizeStats", _USAGE, _COST})
"""JSON texts: cut, they would be none."""


class SqlClientInfos:
    """Implements `ClientInfos`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, told: ClientInfo) -> TraceInfo:
        raw_id = parse_trace_id(told.trace_id)
        tags = _cut(told.tags, TAG_VALUE_CHARS)
        metadata = _cut(told.metadata, _METADATA_VALUE_CHARS)
        with self._database.write() as connection:
            query = select(traces).where(traces.c.trace_id == raw_id)
            row = connection.execute(query).one_or_none()
            experiment_id = _experiment(connection, told.experiment_id, row)
            if row is None:
                _insert(connection, raw_id, experiment_id, told.request_time_ns)
                row = connection.execute(query).one()
            before: dict[str, str] = row.told or {}
            words = before | _words(told)
            known = row.trace_metadata | metadata
            values: dict[str, Any] = {
                "experiment_id": experiment_id,
                "told": words,
                "tags": row.tags | tags,
                "trace_metadata": known,
                **words,
            }
            if row.span_count == 0:
                values |= _of_no_spans(told, known)
            touch(connection, row.trace_key, **values)
            for new in told.assessments:
                if not _is_there(connection, row.trace_key, new):
                    insert_assessment(connection, row, new)
            return infos_of(connection, [trace_row(connection, told.trace_id)])[0]

    def link_to_run(self, trace_ids: Sequence[str], run_id: str) -> None:
        linked_runs((run_id,))  # or it is no id
        with self._database.write() as connection:
            for raw_id in set(trace_ids_in(trace_ids)):
                query = select(traces).where(traces.c.trace_id == raw_id)
                row = connection.execute(query).one_or_none()
                if row is None:
                    continue
                known = row.trace_metadata.get(LINKED_RUNS, "").split()
                if run_id not in known:
                    linked = {LINKED_RUNS: linked_runs((*known, run_id))}
                    touch(connection, row.trace_key, trace_metadata=row.trace_metadata | linked)

    def link_prompts(self, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
        with self._database.write() as connection:
            row = trace_row(connection, trace_id)
            linked = _list_of(row.tags.get(LINKED_PROMPTS))
            for name, version in prompts:
                prompt = {"name": storable(name), "version": storable(version)}
                if prompt not in linked:
                    linked.append(prompt)
            touch(connection, row.trace_key, tags=row.tags | {LINKED_PROMPTS: json.dumps(linked)})


def _experiment(connection: Connection, text: str, row: AnyRow | None) -> int:
    """The experiment that a client names, whatever the one is that its spans came to."""
    if row is not None and text == str(row.experiment_id):
        return row.experiment_id
    number = int(text) if text.isdecimal() and len(text) < 19 else -1
    known = select(experiments.c.experiment_id).where(experiments.c.experiment_id == number)
    if connection.scalar(known) is None:
        raise NotFound(f"No experiment with id {text!r}")
    return number


def _insert(
    connection: Connection, raw_id: bytes, experiment_id: int, request_time_ns: int
) -> None:
    seq, trace_key = next_traces(connection, 1, 1)
    connection.execute(
        traces.insert().values(
            trace_key=trace_key,
            trace_id=raw_id,
            seq=seq,
            first_seq=seq,
            chunk_count=0,
            experiment_id=experiment_id,
            state=str(TraceState.IN_PROGRESS),
            start_ns=request_time_ns,
            tags={},
            trace_metadata={},
            span_count=0,
            error_count=0,
        )
    )


def _words(told: ClientInfo) -> dict[str, str]:
    """The columns that a client's word decides, whatever spans say."""
    words = {
        "name": told.name,
        "request_preview": told.request_preview and cut(told.request_preview, PREVIEW_CHARS),
        "response_preview": told.response_preview and cut(told.response_preview, PREVIEW_CHARS),
        "client_request_id": told.client_request_id and cut(told.client_request_id, 250),
        "session_id": told.session_id,
        "user_id": told.user,
        "state": told.state and str(told.state),
    }
    return {name: storable(word) for name, word in words.items() if word}


def _of_no_spans(told: ClientInfo, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What is believed until spans say it."""
    duration_ns = told.execution_duration_ns
    usage, cost = _usage(metadata.get(_USAGE)), _cost(metadata.get(_COST))
    names = ("input_tokens", "output_tokens", "total_tokens")
    cached = ("cache_read_input_tokens", "cache_creation_input_tokens")
    values: dict[str, Any] = dict(zip((*names, *cached), usage_values(usage), strict=True))
    costs = ("input_cost", "output_cost", "total_cost")
    values |= dict(zip(costs, cost_values(cost), strict=True))
    values["start_ns"] = told.request_time_ns
    values["end_ns"] = None if duration_ns is None else told.request_time_ns + duration_ns
    return values


def _usage(text: str | None) -> TokenUsage | None:
    numbers = _numbers(text)
    if "total_tokens" not in numbers:
        return None
    known = {name: int(numbers[name]) for name in TokenUsage._fields if name in numbers}
    return TokenUsage(**known)


def _cost(text: str | None) -> Cost | None:
    numbers = _numbers(text)
    if "total_cost" not in numbers:
        return None
    return Cost(**{name: float(numbers.get(name, 0)) for name in Cost._fields})


def _numbers(text: str | None) -> dict[str, int | float]:
    try:
        told = as_object(json.loads(text or "null")) or {}
    except ValueError:
        return {}
    return {
        key: value
        for key, value in told.items()
        if isinstance(value, int | float) and 0 <= value < 2**40
    }


def _list_of(text: str | None) -> list[Any]:
    try:
        return list(as_list(json.loads(text or "[]")) or [])
    except ValueError:
        return []


def _cut(told: Mapping[str, str], most_chars: int) -> dict[str, str]:
    for key in told:
        if not key or len(key) > TAG_KEY_CHARS or storable(key) != key:
            raise InvalidInput(f"a key has 1 to {TAG_KEY_CHARS} characters, not {key[:80]!r}")
    return {
        key: storable(value if key in _LONG else cut(value, most_chars))
        for key, value in told.items()
    }


def _is_there(connection: Connection, trace_key: int, new: NewAssessment) -> bool:
    """Whether a client that was not answered sends it again."""
    found: AnyRow | None = connection.execute(
        select(assessments.c.assessment_id).where(
            assessments.c.trace_key == trace_key,
            assessments.c.name == new.name,
            assessments.c.kind == new.kind,
            assessments.c.source_id == new.source.source_id,
            assessments.c.create_time_ms == new.create_time_ms,
        )
    ).first()
    return found is not None
