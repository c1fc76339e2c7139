"""Runs: the tables, what each method promises, and the SQL behind it.

A run is what clients group work by: parameters, metrics with their history, the datasets it read
and the models it made. A run of a deleted experiment counts as deleted until that is restored.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    cast,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    update,
)

from tracelake.model.entities import DatasetInput, Metric, ModelOutput, Run, RunStatus
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.filters.tree import Entity
from tracelake.model.keys import KEY_CHARS, check_key
from tracelake.model.names import invent_name
from tracelake.model.text import is_storable, storable
from tracelake.store.api import ListQuery, Page, View
from tracelake.store.comparisons import Condition
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import active_experiment, asked_experiments, experiment_numbers
from tracelake.store.keyset import Keyset, OrderKey
from tracelake.store.listing import Field, Keyed, Listing, Noun, keyed_text
from tracelake.store.logged_models import add_model_metrics
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, Key, experiments, metadata

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_runs_experiment_id"),
        nullable=False,
    ),
    Column("name", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_time_ms", BigInteger, nullable=False),
    Column("end_time_ms", BigInteger),
    Column("is_deleted", Boolean, nullable=False),
    Column("params", JsonColumn, nullable=False),
    Column("tags", JsonColumn, nullable=False),
    Column("model_inputs", JsonColumn, nullable=False),
    Column("model_outputs", JsonColumn, nullable=False),
    Index("ix_runs_experiment_start", "experiment_id", "start_time_ms", "run_id"),
)

# SQLite keeps no NaN: it is told apart by a column of its own, on both engines.
run_metrics = Table(
    "run_metrics",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("value", Float(53), nullable=False),
    Column("is_nan", Boolean, nullable=False),
    PrimaryKeyConstraint(
        "run_id", "key", "timestamp_ms", "step", "value", "is_nan", name="pk_run_metrics"
    ),
    sqlite_with_rowid=False,
)

latest_metrics = Table(
    "latest_metrics",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("value", Float(53), nullable=False),
    Column("is_nan", Boolean, nullable=False),
    PrimaryKeyConstraint("run_id", "key", name="pk_latest_metrics"),
    sqlite_with_rowid=False,
)

run_datasets = Table(
    "run_datasets",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
    Column("tags", JsonColumn, nullable=False),
    PrimaryKeyConstraint("run_id", "name", "digest", name="pk_run_datasets"),
)

CONTEXT_TAG: Final = "mlflow.data.context"
_NAME_TAG: Final = "mlflow.runName"
_PARAM_CHARS: Final = 6000
_TAG_CHARS: Final = 8000
_SOME: Final = 500
"""So many ids are asked for at once."""


@dataclass(frozen=True, slots=True)
class NewRun:
    experiment_id: str
    name: str = ""
    """One is made up where it is empty."""
    user_id: str = ""
    start_time_ms: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class RunChange:
    """What is None stays."""

    status: RunStatus | None = None
    end_time_ms: int | None = None
    name: str | None = None


class Runs(Protocol):
    """Every method that names a run raises NotFound where there is none; those that log to one
    raise InvalidInput where it is deleted."""

    def create(self, new: NewRun) -> Run:
        """Raises NotFound for an unknown experiment, InvalidInput for a deleted one, or where its
        tags name it otherwise."""
        ...

    def get(self, run_id: str) -> Run: ...

    def update(self, run_id: str, change: RunChange) -> Run: ...

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] = ...,
        tags: Mapping[str, str] = ...,
    ) -> None:
        """All of it or nothing. A metric that came before changes nothing; a parameter never takes
        another value. Raises InvalidInput."""
        ...

    def delete_tag(self, run_id: str, key: str) -> None:
        """Raises NotFound where it has no such tag, too."""
        ...

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput], model_ids: Sequence[str]
    ) -> None:
        """What is there already changes nothing."""
        ...

    def log_outputs(self, run_id: str, models: Sequence[ModelOutput]) -> None: ...

    def delete(self, run_id: str) -> None:
        """Hide it until it is restored."""
        ...

    def restore(self, run_id: str) -> None: ...

    def find(
        self,
        experiment_ids: Sequence[str],
        query: ListQuery,
        view: View = View.ACTIVE,
        *,
        artifact_root: str = "",
    ) -> Page[Run]:
        """Files of runs are below `artifact_root`, where their experiment has no place for them.

        Raises InvalidFilter, InvalidInput.
        """
        ...

    def metric_history(
        self, run_id: str, key: str, *, max_results: int, page_token: str | None = None
    ) -> Page[Metric]:
        """By time, then step. Raises InvalidInput for a token."""
        ...

    def datasets_of(
        self, experiment_ids: Sequence[str], max_results: int
    ) -> list[tuple[str, DatasetInput]]:
        """The datasets that active runs read, each once, with the experiment's id."""
        ...


def _of_metric(key: str) -> Any:
    return (
        select(latest_metrics.c.value)
        .where(
            latest_metrics.c.run_id == runs.c.run_id,
            latest_metrics.c.key == key,
            not_(latest_metrics.c.is_nan),
        )
        .scalar_subquery()
    )


def _of_dataset(key: str) -> Any:
    columns = {
        "name": run_datasets.c.name,
        "digest": run_datasets.c.digest,
        "context": run_datasets.c.tags[CONTEXT_TAG].as_string(),
    }
    return columns.get(key)


def _some_dataset(_key: str, condition: Condition) -> Condition:
    return exists(
        select(run_datasets.c.name).where(run_datasets.c.run_id == runs.c.run_id, condition)
    )


_RUNS: Final = Noun(
    "runs",
    OrderKey.text("run_id", runs.c.run_id, False, nullable=False),
    {
        "run_id": Field(runs.c.run_id),
        "run_name": Field(runs.c.name),
        "status": Field(runs.c.status),
        "user_id": Field(runs.c.user_id),
        "start_time": Field(runs.c.start_time_ms, Kind.INTEGER),
        "end_time": Field(runs.c.end_time_ms, Kind.INTEGER, nullable=True),
    },
    ("start_time DESC",),
    aliases={"name": "run_name", "created": "start_time"},
    keyed={
        Entity.TAG: keyed_text(runs.c.tags),
        Entity.PARAM: keyed_text(runs.c.params),
        Entity.METRIC: Keyed(_of_metric, Kind.DECIMAL),
        Entity.DATASET: Keyed(_of_dataset, within=_some_dataset),
    },
    prefixes={
        "tag": Entity.TAG,
        "tags": Entity.TAG,
        "param": Entity.PARAM,
        "params": Entity.PARAM,
        "parameter": Entity.PARAM,
        "parameters": Entity.PARAM,
        "metric": Entity.METRIC,
        "metrics": Entity.METRIC,
        "dataset": Entity.DATASET,
        "datasets": Entity.DATASET,
    },
)


def _noun(artifact_root: str) -> Noun:
    number = cast(runs.c.experiment_id, Text)
    folder = func.coalesce(
        func.rtrim(experiments.c.artifact_location, "/"), literal(f"{artifact_root}/") + number
    )
    uri = folder + "/" + runs.c.run_id + "/artifacts"
    return replace(_RUNS, fields={**_RUNS.fields, "artifact_uri": Field(uri)})


_HISTORY: Final = Keyset(
    [
        OrderKey.number(name, column, False, nullable=False)
        for name, column in (
            ("timestamp", run_metrics.c.timestamp_ms),
            ("step", run_metrics.c.step),
            ("value", run_metrics.c.value),
            ("is_nan", cast(run_metrics.c.is_nan, Integer)),
        )
    ]
)


class SqlRuns:
    """Implements `Runs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewRun) -> Run:
        run_id = uuid4().hex
        tagged = new.tags.get(_NAME_TAG, "")
        if new.name and tagged and new.name != tagged:
            raise InvalidInput(f"the run is named {new.name!r} and, in its tags, {tagged!r}")
        name = storable(new.name or tagged) or invent_name()
        tags = _checked(new.tags, "tag") | {_NAME_TAG: name}
        with self._database.write() as connection:
            connection.execute(
                runs.insert().values(
                    run_id=run_id,
                    experiment_id=active_experiment(connection, new.experiment_id),
                    name=name,
                    user_id=storable(new.user_id),
                    status=str(RunStatus.RUNNING),
                    start_time_ms=now_ms() if new.start_time_ms is None else new.start_time_ms,
                    is_deleted=False,
                    params={},
                    tags=tags,
                    model_inputs=[],
                    model_outputs=[],
                )
            )
            return _whole(connection, [_row(connection, run_id)])[0]

    def get(self, run_id: str) -> Run:
        with self._database.read() as connection:
            return _whole(connection, [_row(connection, run_id)])[0]

    def update(self, run_id: str, change: RunChange) -> Run:
        with self._database.write() as connection:
            row = _active(connection, run_id)
            values: dict[str, Any] = {}
            if change.status is not None:
                values["status"] = str(change.status)
            if change.end_time_ms is not None:
                values["end_time_ms"] = change.end_time_ms
            if change.name:
                values["name"] = storable(change.name)
                values["tags"] = row.tags | {_NAME_TAG: values["name"]}
            if values:
                _change(connection, run_id, **values)
            return _whole(connection, [_row(connection, run_id)])[0]

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        params = _checked(params or {}, "parameter", _PARAM_CHARS)
        tags = _checked(tags or {}, "tag", _TAG_CHARS)
        for what, keys in (("parameter", params), ("tag", tags)):
            for key in keys:
                check_key(what, key)
        for metric in metrics:
            check_key("metric", metric.key)
        with self._database.write() as connection:
            row = _active(connection, run_id)
            for key, value in params.items():
                if row.params.get(key, value) != value:
                    raise InvalidInput(
                        f"parameter {key!r} of run {run_id} is {row.params[key]!r} and cannot "
                        f"become {value!r}: a parameter is logged once"
                    )
            values: dict[str, Any] = {}
            if params:
                values["params"] = row.params | params
            if tags:
                values["tags"] = row.tags | tags
                if _NAME_TAG in tags:
                    values["name"] = tags[_NAME_TAG]
            if values:
                _change(connection, run_id, **values)
            _add_metrics(connection, run_id, metrics)
            add_model_metrics(connection, run_id, metrics)

    def delete_tag(self, run_id: str, key: str) -> None:
        with self._database.write() as connection:
            row = _active(connection, run_id)
            if key not in row.tags:
                raise NotFound(f"Run {run_id} has no tag {key!r}")
            kept = {name: value for name, value in row.tags.items() if name != key}
            _change(connection, run_id, tags=kept)

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput], model_ids: Sequence[str]
    ) -> None:
        with self._database.write() as connection:
            row = _active(connection, run_id)
            known = {
                (found.name, found.digest)
                for found in connection.execute(
                    select(run_datasets).where(run_datasets.c.run_id == run_id)
                )
            }
            for dataset in datasets:
                if (dataset.name, dataset.digest) in known:
                    continue
                known.add((dataset.name, dataset.digest))
                connection.execute(
                    run_datasets.insert().values(
                        run_id=run_id,
                        name=storable(dataset.name),
                        digest=storable(dataset.digest),
                        source_type=storable(dataset.source_type),
                        source=storable(dataset.source),
                        schema=None if dataset.schema is None else storable(dataset.schema),
                        profile=None if dataset.profile is None else storable(dataset.profile),
                        tags=_checked(dataset.tags, "tag"),
                    )
                )
            merged = list(dict.fromkeys([*row.model_inputs, *model_ids]))
            if merged != row.model_inputs:
                _change(connection, run_id, model_inputs=merged)

    def log_outputs(self, run_id: str, models: Sequence[ModelOutput]) -> None:
        with self._database.write() as connection:
            row = _active(connection, run_id)
            merged = list(row.model_outputs)
            for model in models:
                told = {"model_id": model.model_id, "step": model.step}
                if told not in merged:
                    merged.append(told)
            _change(connection, run_id, model_outputs=merged)

    def delete(self, run_id: str) -> None:
        self._turn(run_id, is_deleted=True)

    def restore(self, run_id: str) -> None:
        self._turn(run_id, is_deleted=False)

    def _turn(self, run_id: str, *, is_deleted: bool) -> None:
        with self._database.write() as connection:
            _row(connection, run_id)
            _change(connection, run_id, is_deleted=is_deleted)

    def find(
        self,
        experiment_ids: Sequence[str],
        query: ListQuery,
        view: View = View.ACTIVE,
        *,
        artifact_root: str = "",
    ) -> Page[Run]:
        numbers = asked_experiments(experiment_ids)
        found = _select().where(runs.c.experiment_id.in_(numbers))
        gone = or_(runs.c.is_deleted, experiments.c.is_deleted)
        if view is not View.ALL:
            found = found.where(gone if view is View.DELETED else not_(gone))
        scope = f"{view}:{','.join(map(str, numbers))}"
        listing = Listing(_noun(artifact_root), is_sqlite=self._database.is_sqlite)
        with self._database.read() as connection:
            rows, token = listing.page(connection, found, query, scope)
            return Page(_whole(connection, rows), token)

    def metric_history(
        self, run_id: str, key: str, *, max_results: int, page_token: str | None = None
    ) -> Page[Metric]:
        query = (
            select(run_metrics, *_HISTORY.columns())
            .where(run_metrics.c.run_id == run_id, run_metrics.c.key == key)
            .order_by(*_HISTORY.order_by())
        )
        scope = f"metrics:{run_id}:{key}:"
        if page_token:
            query = query.where(_HISTORY.after(page_token, scope))
        with self._database.read() as connection:
            _row(connection, run_id)
            rows = connection.execute(query.limit(max_results + 1)).all()
        page, has_more = rows[:max_results], len(rows) > max_results
        token = _HISTORY.token(page[-1], scope) if has_more else None
        return Page([_metric(row) for row in page], token)

    def datasets_of(
        self, experiment_ids: Sequence[str], max_results: int
    ) -> list[tuple[str, DatasetInput]]:
        query = (
            select(runs.c.experiment_id, run_datasets)
            .join(runs, runs.c.run_id == run_datasets.c.run_id)
            .where(
                runs.c.experiment_id.in_(experiment_numbers(experiment_ids)),
                not_(runs.c.is_deleted),
            )
            .order_by(run_datasets.c.name, run_datasets.c.digest)
        )
        found: dict[tuple[int, str, str, str | None], DatasetInput] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                told = (row.experiment_id, row.name, row.digest, row.tags.get(CONTEXT_TAG))
                found.setdefault(told, _dataset(row))
                if len(found) == max_results:
                    break
        return [(str(place[0]), dataset) for place, dataset in found.items()]


def _select() -> Any:
    return select(
        runs,
        experiments.c.artifact_location,
        experiments.c.is_deleted.label("experiment_is_deleted"),
    ).join(experiments, experiments.c.experiment_id == runs.c.experiment_id)


def _row(connection: Connection, run_id: str) -> AnyRow:
    row = connection.execute(_select().where(runs.c.run_id == storable(run_id))).one_or_none()
    if row is None:
        raise NotFound(f"No run with id {run_id!r}")
    return row


def _active(connection: Connection, run_id: str) -> AnyRow:
    row = _row(connection, run_id)
    if row.is_deleted or row.experiment_is_deleted:
        raise InvalidInput(f"Run {run_id} is deleted; restore it first")
    return row


def _change(connection: Connection, run_id: str, **values: Any) -> None:
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))


def _checked(told: Mapping[str, str], what: str, most_chars: int | None = None) -> dict[str, str]:
    """Cut at so many characters, as MLflow's server does: a run does not end at a long value."""
    for key in told:
        if not key or len(key) > KEY_CHARS or not is_storable(key):
            raise InvalidInput(
                f"the key of a {what} has 1 to {KEY_CHARS} characters, not {key[:80]!r}"
            )
    return {key: storable(value[:most_chars]) for key, value in told.items()}


def _add_metrics(connection: Connection, run_id: str, metrics: Iterable[Metric]) -> None:
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    latest: dict[str, Metric] = {}
    for metric in metrics:
        row = _metric_row(run_id, metric)
        place = (row["key"], row["timestamp_ms"], row["step"], row["value"], row["is_nan"])
        rows[place] = row
        if metric.key not in latest or _age(latest[metric.key]) <= _age(metric):
            latest[metric.key] = metric
    if not rows:
        return
    keys = list(latest)
    history = run_metrics.c
    times = {row["timestamp_ms"] for row in rows.values()}
    for at in range(0, len(keys), _SOME):
        some = keys[at : at + _SOME]
        of_some = (history.run_id == run_id, history.key.in_(some))
        known = select(run_metrics).where(*of_some, history.timestamp_ms.in_(times))
        for row in connection.execute(known):
            rows.pop((row.key, row.timestamp_ms, row.step, row.value, row.is_nan), None)
        of_some = (latest_metrics.c.run_id == run_id, latest_metrics.c.key.in_(some))
        for row in connection.execute(select(latest_metrics).where(*of_some)):
            latest[row.key] = max(_metric(row), latest[row.key], key=_age)
        connection.execute(latest_metrics.delete().where(*of_some))
    if rows:
        connection.execute(run_metrics.insert(), list(rows.values()))
    connection.execute(
        latest_metrics.insert(), [_metric_row(run_id, metric) for metric in latest.values()]
    )


def _metric_row(run_id: str, metric: Metric) -> dict[str, Any]:
    is_nan = math.isnan(metric.value)
    return {
        "run_id": run_id,
        "key": metric.key,
        "step": metric.step,
        "timestamp_ms": metric.timestamp_ms,
        "value": 0.0 if is_nan else metric.value,
        "is_nan": is_nan,
    }


def _age(metric: Metric) -> tuple[int, int, float]:
    """What is greatest is the latest."""
    value = -math.inf if math.isnan(metric.value) else metric.value
    return metric.step, metric.timestamp_ms, value


def _whole(connection: Connection, rows: Sequence[AnyRow]) -> list[Run]:
    ids = [row.run_id for row in rows]
    metrics: dict[str, list[Metric]] = {}
    datasets: dict[str, list[DatasetInput]] = {}
    for at in range(0, len(ids), _SOME):
        some = ids[at : at + _SOME]
        found = select(latest_metrics).where(latest_metrics.c.run_id.in_(some))
        for row in connection.execute(found.order_by(latest_metrics.c.key)):
            metrics.setdefault(row.run_id, []).append(_metric(row))
        inputs = select(run_datasets).where(run_datasets.c.run_id.in_(some))
        for row in connection.execute(inputs):
            datasets.setdefault(row.run_id, []).append(_dataset(row))
    return [
        Run(
            run_id=row.run_id,
            experiment_id=str(row.experiment_id),
            name=row.name,
            user_id=row.user_id,
            status=RunStatus(row.status),
            start_time_ms=row.start_time_ms,
            end_time_ms=row.end_time_ms,
            is_deleted=row.is_deleted or row.experiment_is_deleted,
            artifact_location=row.artifact_location,
            params=row.params,
            tags=row.tags,
            metrics=tuple(metrics.get(row.run_id, ())),
            datasets=tuple(datasets.get(row.run_id, ())),
            model_inputs=tuple(row.model_inputs),
            model_outputs=tuple(
                ModelOutput(told["model_id"], told["step"]) for told in row.model_outputs
            ),
        )
        for row in rows
    ]


def _metric(row: AnyRow) -> Metric:
    value = math.nan if row.is_nan else row.value
    return Metric(row.key, value, row.timestamp_ms, row.step)


def _dataset(row: AnyRow) -> DatasetInput:
    return DatasetInput(
        row.name, row.digest, row.source_type, row.source, row.schema, row.profile, row.tags
    )
