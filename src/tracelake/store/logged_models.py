"""Logged models: the table, what each method promises, and the SQL behind it.

A logged model is the files of a model and where they came from, before anybody registers it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
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
    Table,
    Text,
    and_,
    exists,
    not_,
    or_,
    select,
    update,
)

from tracelake.model.entities import LoggedModel, Metric
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.filters.tree import Entity
from tracelake.model.names import invent_name
from tracelake.model.text import storable
from tracelake.store.api import ListQuery, Page
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import active_experiment, asked_experiments
from tracelake.store.keyset import OrderKey
from tracelake.store.listing import Field, Keyed, Listing, Noun, keyed_text
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, Key, experiments, metadata

logged_models = Table(
    "logged_models",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_logged_models_experiment_id"),
        nullable=False,
    ),
    Column("name", Text, nullable=False),
    Column("model_type", Text, nullable=False),
    Column("source_run_id", Text),
    Column("status", Text, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    Column("params", JsonColumn, nullable=False),
    Column("tags", JsonColumn, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    Index("ix_logged_models_experiment", "experiment_id", "creation_time_ms"),
)

model_metrics = Table(
    "model_metrics",
    metadata,
    Column("model_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("value", Float(53), nullable=False),
    Column("is_nan", Boolean, nullable=False),
    Column("dataset_name", Text),
    Column("dataset_digest", Text),
    Index("ix_model_metrics_model", "model_id", "key"),
)

PENDING: Final = "LOGGED_MODEL_PENDING"
READY: Final = "LOGGED_MODEL_READY"
UPLOAD_FAILED: Final = "LOGGED_MODEL_UPLOAD_FAILED"
_STATUSES: Final = (PENDING, READY, UPLOAD_FAILED)
_NAME_CHARS: Final = 500
_NOT_IN_NAMES: Final = "/:.%\"'"
_SOME: Final = 500


@dataclass(frozen=True, slots=True)
class NewLoggedModel:
    experiment_id: str
    name: str = ""
    """One is made up where it is empty."""
    model_type: str = ""
    source_run_id: str | None = None
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class MeasuredOn:
    """A dataset that a metric of a model says it is about."""

    name: str
    digest: str | None = None
    """Any, where it is None."""


class LoggedModels(Protocol):
    """Every method that names a model raises NotFound where there is none, or it is deleted."""

    def create(self, new: NewLoggedModel) -> LoggedModel:
        """Raises NotFound for an unknown experiment, InvalidInput for a name or a deleted one."""
        ...

    def get(self, model_id: str) -> LoggedModel: ...

    def finish(self, model_id: str, status: str) -> LoggedModel:
        """Say how its upload ended. Raises InvalidInput for an unknown word."""
        ...

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None: ...

    def delete_tag(self, model_id: str, key: str) -> None:
        """Raises NotFound where it has no such tag, too."""
        ...

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None: ...

    def delete(self, model_id: str) -> None: ...

    def find(
        self,
        experiment_ids: Sequence[str],
        query: ListQuery,
        datasets: Sequence[MeasuredOn] = (),
        ordered_on: Mapping[str, MeasuredOn] = ...,
    ) -> Page[LoggedModel]:
        """Those with a metric on one of `datasets`, if there are any; a clause on a metric then
        holds for values on these. `ordered_on` says of keys of metrics on which dataset the value
        is that a model is ordered by. Raises InvalidFilter, InvalidInput."""
        ...


_FIELDS: Final = {
    "model_id": Field(logged_models.c.model_id),
    "name": Field(logged_models.c.name),
    "model_type": Field(logged_models.c.model_type),
    "status": Field(logged_models.c.status),
    "source_run_id": Field(logged_models.c.source_run_id, nullable=True),
    "creation_time": Field(logged_models.c.creation_time_ms, Kind.INTEGER),
    "last_updated_time": Field(logged_models.c.last_update_time_ms, Kind.INTEGER),
}
_ALIASES: Final = {
    "creation_timestamp": "creation_time",
    "creation_timestamp_ms": "creation_time",
    "last_updated_timestamp": "last_updated_time",
    "last_updated_timestamp_ms": "last_updated_time",
}


def _some_metric(*conditions: Any) -> Any:
    of_model = model_metrics.c.model_id == logged_models.c.model_id
    return exists(select(model_metrics.c.key).where(of_model, *conditions))


def _latest_metric(key: str, dataset: MeasuredOn | None) -> Any:
    return (
        select(model_metrics.c.value)
        .where(
            model_metrics.c.model_id == logged_models.c.model_id,
            model_metrics.c.key == key,
            not_(model_metrics.c.is_nan),
            *([_on(dataset)] if dataset else []),
        )
        .order_by(model_metrics.c.step.desc(), model_metrics.c.timestamp_ms.desc())
        .limit(1)
        .scalar_subquery()
    )


def _on(dataset: MeasuredOn) -> Any:
    named = model_metrics.c.dataset_name == storable(dataset.name)
    if dataset.digest is None:
        return named
    return and_(named, model_metrics.c.dataset_digest == storable(dataset.digest))


def _noun(datasets: Sequence[MeasuredOn], ordered_on: Mapping[str, MeasuredOn]) -> Noun:
    measured = [or_(*map(_on, datasets))] if datasets else []
    metric = Keyed(
        lambda _key: model_metrics.c.value,
        Kind.DECIMAL,
        within=lambda key, condition: _some_metric(
            model_metrics.c.key == key, not_(model_metrics.c.is_nan), condition, *measured
        ),
        order=lambda key: _latest_metric(key, ordered_on.get(key)),
    )
    return Noun(
        "logged models",
        OrderKey.text("model_id", logged_models.c.model_id, False, nullable=False),
        _FIELDS,
        ("creation_time DESC",),
        aliases=_ALIASES,
        keyed={
            Entity.TAG: keyed_text(logged_models.c.tags),
            Entity.PARAM: keyed_text(logged_models.c.params),
            Entity.METRIC: metric,
        },
        prefixes={
            "tag": Entity.TAG,
            "tags": Entity.TAG,
            "param": Entity.PARAM,
            "params": Entity.PARAM,
            "metric": Entity.METRIC,
            "metrics": Entity.METRIC,
        },
    )


class SqlLoggedModels:
    """Implements `LoggedModels`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewLoggedModel) -> LoggedModel:
        name = storable(new.name) or invent_name()
        if len(name) > _NAME_CHARS or any(mark in name for mark in _NOT_IN_NAMES):
            raise InvalidInput(
                f"a model's name has at most {_NAME_CHARS} characters and none of "
                f"{' '.join(_NOT_IN_NAMES)}: {name[:80]!r}"
            )
        model_id = f"m-{uuid4().hex}"
        time_ms = now_ms()
        with self._database.write() as connection:
            connection.execute(
                logged_models.insert().values(
                    model_id=model_id,
                    experiment_id=active_experiment(connection, new.experiment_id),
                    name=name,
                    model_type=storable(new.model_type),
                    source_run_id=new.source_run_id,
                    status=PENDING,
                    is_deleted=False,
                    params=_storable(new.params),
                    tags=_storable(new.tags),
                    creation_time_ms=time_ms,
                    last_update_time_ms=time_ms,
                )
            )
            return _whole(connection, [_row(connection, model_id)])[0]

    def get(self, model_id: str) -> LoggedModel:
        with self._database.read() as connection:
            return _whole(connection, [_row(connection, model_id)])[0]

    def finish(self, model_id: str, status: str) -> LoggedModel:
        if status not in _STATUSES:
            raise InvalidInput(f"status {status!r}: use one of {', '.join(_STATUSES)}")
        return self._change(model_id, lambda _row: {"status": status})

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        self._change(model_id, lambda row: {"tags": row.tags | _storable(tags)})

    def delete_tag(self, model_id: str, key: str) -> None:
        def without(row: AnyRow) -> dict[str, Any]:
            if key not in row.tags:
                raise NotFound(f"Logged model {model_id} has no tag {key!r}")
            return {"tags": {name: value for name, value in row.tags.items() if name != key}}

        self._change(model_id, without)

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None:
        self._change(model_id, lambda row: {"params": row.params | _storable(params)})

    def delete(self, model_id: str) -> None:
        with self._database.write() as connection:
            _row(connection, model_id)
            _update(connection, model_id, {"is_deleted": True})

    def find(
        self,
        experiment_ids: Sequence[str],
        query: ListQuery,
        datasets: Sequence[MeasuredOn] = (),
        ordered_on: Mapping[str, MeasuredOn] = MappingProxyType({}),
    ) -> Page[LoggedModel]:
        numbers = asked_experiments(experiment_ids)
        found = _select().where(
            logged_models.c.experiment_id.in_(numbers), not_(logged_models.c.is_deleted)
        )
        if datasets:
            found = found.where(_some_metric(or_(*map(_on, datasets))))
        listing = Listing(_noun(datasets, ordered_on), is_sqlite=self._database.is_sqlite)
        scope = repr((numbers, datasets, sorted(ordered_on.items())))
        with self._database.read() as connection:
            rows, token = listing.page(connection, found, query, scope)
            return Page(_whole(connection, rows), token)

    def _change(self, model_id: str, change: Callable[[AnyRow], dict[str, Any]]) -> LoggedModel:
        with self._database.write() as connection:
            _update(connection, model_id, change(_row(connection, model_id)))
            return _whole(connection, [_row(connection, model_id)])[0]


def add_model_metrics(connection: Connection, run_id: str, metrics: Sequence[Metric]) -> None:
    """Those of a run's metrics that measure a model, to that model."""
    rows = [
        {
            "model_id": storable(metric.model_id),
            "run_id": run_id,
            "key": metric.key,
            "step": metric.step,
            "timestamp_ms": metric.timestamp_ms,
            "value": 0.0 if math.isnan(metric.value) else metric.value,
            "is_nan": math.isnan(metric.value),
            "dataset_name": metric.dataset_name and storable(metric.dataset_name),
            "dataset_digest": metric.dataset_digest and storable(metric.dataset_digest),
        }
        for metric in metrics
        if metric.model_id
    ]
    if rows:
        connection.execute(model_metrics.insert(), rows)


def _update(connection: Connection, model_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(
        update(logged_models)
        .where(logged_models.c.model_id == model_id)
        .values(last_update_time_ms=now_ms(), **values)
    )


def _select() -> Any:
    return select(logged_models, experiments.c.artifact_location).join(
        experiments, experiments.c.experiment_id == logged_models.c.experiment_id
    )


def _row(connection: Connection, model_id: str) -> AnyRow:
    query = _select().where(
        logged_models.c.model_id == storable(model_id), not_(logged_models.c.is_deleted)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Logged model with ID {model_id!r} not found")
    return row


def _whole(connection: Connection, rows: Sequence[AnyRow]) -> list[LoggedModel]:
    ids = [row.model_id for row in rows]
    metrics: dict[str, list[Metric]] = {}
    for at in range(0, len(ids), _SOME):
        found = select(model_metrics).where(model_metrics.c.model_id.in_(ids[at : at + _SOME]))
        for row in connection.execute(found.order_by(model_metrics.c.key, model_metrics.c.step)):
            metrics.setdefault(row.model_id, []).append(
                Metric(
                    row.key,
                    math.nan if row.is_nan else row.value,
                    row.timestamp_ms,
                    row.step,
                    row.model_id,
                    row.dataset_name,
                    row.dataset_digest,
                    row.run_id,
                )
            )
    return [
        LoggedModel(
            model_id=row.model_id,
            experiment_id=str(row.experiment_id),
            name=row.name,
            model_type=row.model_type,
            source_run_id=row.source_run_id,
            status=row.status,
            params=row.params,
            tags=row.tags,
            metrics=tuple(metrics.get(row.model_id, ())),
            creation_time_ms=row.creation_time_ms,
            last_update_time_ms=row.last_update_time_ms,
            artifact_location=row.artifact_location,
        )
        for row in rows
    ]


def _storable(told: Mapping[str, str]) -> dict[str, str]:
    return {storable(key): storable(value) for key, value in told.items()}
