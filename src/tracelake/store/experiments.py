"""Experiments in SQL."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, Text, cast, select, update
from sqlalchemy.exc import IntegrityError

from tracelake.model.entities import Experiment
from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.filters.tree import Entity
from tracelake.model.keys import check_key
from tracelake.model.retention import DAYS_TAG, TRACES_TAG, read_limit
from tracelake.model.text import is_storable
from tracelake.store.api import ListQuery, Page, View
from tracelake.store.database import Database, next_numbers, now_ms
from tracelake.store.keyset import OrderKey
from tracelake.store.listing import Field, Listing, Noun, keyed_text
from tracelake.store.rows import AnyRow, experiment_of
from tracelake.store.schema import experiments

COUNTER: Final = "experiment"
_NAME_CHARS: Final = 500
_TAG_CHARS: Final = 20_000

_EXPERIMENTS: Final = Noun(
    "experiments",
    OrderKey.number("experiment_id", experiments.c.experiment_id, False, nullable=False),
    {
        "name": Field(experiments.c.name),
        "experiment_id": Field(cast(experiments.c.experiment_id, Text)),
        "creation_time": Field(experiments.c.creation_time_ms, Kind.INTEGER),
        "last_update_time": Field(experiments.c.last_update_time_ms, Kind.INTEGER),
    },
    ("creation_time DESC",),
    keyed={Entity.TAG: keyed_text(experiments.c.tags)},
)


class SqlExperiments:
    """Implements `Experiments`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listing = Listing(_EXPERIMENTS, is_sqlite=database.is_sqlite)

    def create(
        self, name: str, tags: Mapping[str, str], artifact_location: str | None = None
    ) -> Experiment:
        _check_name(name)
        _check_tags(tags)
        if not is_storable(artifact_location or ""):
            raise InvalidInput("an artifact_location cannot hold a NUL character")
        time_ms = now_ms()
        try:
            with self._database.write() as connection:
                number = next_numbers(connection, COUNTER, 1)
                experiment = Experiment(
                    str(number), name, dict(tags), time_ms, time_ms, artifact_location or None
                )
                connection.execute(
                    experiments.insert().values(
                        experiment_id=number,
                        name=name,
                        tags=experiment.tags,
                        creation_time_ms=time_ms,
                        last_update_time_ms=time_ms,
                        artifact_location=experiment.artifact_location,
                        is_deleted=False,
                    )
                )
        except IntegrityError as error:
            raise _taken(name) from error
        return experiment

    def update(
        self,
        experiment_id: str,
        *,
        name: str | None = None,
        tags: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Experiment:
        if name is not None:
            _check_name(name)
        _check_tags(tags)
        number = _number(experiment_id)
        try:
            with self._database.write() as connection:
                before = _row(connection, number)
                merged: dict[str, str | None] = {**before.tags, **tags}
                connection.execute(
                    update(experiments)
                    .where(experiments.c.experiment_id == number)
                    .values(
                        name=before.name if name is None else name,
                        tags={key: value for key, value in merged.items() if value is not None},
                        last_update_time_ms=now_ms(),
                    )
                )
                return experiment_of(_row(connection, number))
        except IntegrityError as error:
            raise _taken(name or "") from error

    def get(self, experiment_id: str) -> Experiment:
        number = _number(experiment_id)
        with self._database.read() as connection:
            return experiment_of(_row(connection, number))

    def get_by_name(self, name: str) -> Experiment:
        query = select(experiments).where(experiments.c.name == name)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"No experiment named {name!r}")
        return experiment_of(row)

    def delete(self, experiment_id: str) -> None:
        self._turn(experiment_id, is_deleted=True)

    def restore(self, experiment_id: str) -> None:
        self._turn(experiment_id, is_deleted=False)

    def _turn(self, experiment_id: str, *, is_deleted: bool) -> None:
        number = _number(experiment_id)
        with self._database.write() as connection:
            if _row(connection, number).is_deleted == is_deleted:
                raise NotFound(
                    f"No {'active' if is_deleted else 'deleted'} experiment with id {number}"
                )
            connection.execute(
                update(experiments)
                .where(experiments.c.experiment_id == number)
                .values(is_deleted=is_deleted, last_update_time_ms=now_ms())
            )

    def find(self, query: ListQuery, view: View = View.ACTIVE) -> Page[Experiment]:
        found = select(experiments)
        if view is not View.ALL:
            found = found.where(experiments.c.is_deleted == (view is View.DELETED))
        with self._database.read() as connection:
            rows, token = self._listing.page(connection, found, query, view)
        return Page([experiment_of(row) for row in rows], token)


def _number(experiment_id: str) -> int:
    if not experiment_id.isdecimal() or len(experiment_id) > 18:
        raise InvalidInput(f"experiment id {experiment_id!r}: ids are whole numbers")
    return int(experiment_id)


def _row(connection: Connection, number: int) -> AnyRow:
    query = select(experiments).where(experiments.c.experiment_id == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No experiment with id {number}")
    return row


def active_experiment(connection: Connection, experiment_id: str) -> int:
    """The number of an experiment that takes new things. Raises NotFound, InvalidInput."""
    row = _row(connection, _number(experiment_id))
    if row.is_deleted:
        raise InvalidInput(f"Experiment {experiment_id} is deleted; restore it first")
    return row.experiment_id


def asked_experiments(experiment_ids: Sequence[str]) -> list[int]:
    """The numbers of some experiments. Raises InvalidInput for an id that is none."""
    return sorted({_number(experiment_id) for experiment_id in experiment_ids})


def experiment_numbers(experiment_ids: Sequence[str]) -> list[int]:
    """The numbers of some experiments, without what is none."""
    return sorted({int(each) for each in experiment_ids if each.isdecimal() and len(each) < 19})


def check_experiments(connection: Connection, experiment_ids: Sequence[str]) -> None:
    """Raises NotFound where one of them is none."""
    numbers = experiment_numbers(experiment_ids)
    of = experiments.c.experiment_id
    known = set(map(str, connection.scalars(select(of).where(of.in_(numbers)))))
    for experiment_id in experiment_ids:
        if experiment_id not in known:
            raise NotFound(f"No experiment with id {experiment_id}")


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"An experiment named {name!r} exists already")


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidInput("an experiment needs a name")
    if len(name) > _NAME_CHARS or "\0" in name:
        raise InvalidInput(f"an experiment's name has at most {_NAME_CHARS} characters, no NUL")


def _check_tags(tags: Mapping[str, str | None]) -> None:
    for key, value in tags.items():
        if value is None:
            continue
        check_key("tag", key)
        if "\0" in value or len(value) > _TAG_CHARS:
            raise InvalidInput(f"an experiment's tag has at most {_TAG_CHARS} characters, no NUL")
        if key in (DAYS_TAG, TRACES_TAG):
            read_limit(key, value)
