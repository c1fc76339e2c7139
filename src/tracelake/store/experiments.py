"""Experiments in SQL."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from tracelake.model.entities import Experiment
from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.model.retention import DAYS_TAG, TRACES_TAG, read_limit
from tracelake.store.api import ExperimentPage
from tracelake.store.database import Database, next_numbers, now_ms
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.rows import AnyRow, experiment_of
from tracelake.store.schema import experiments

COUNTER: Final = "experiment"
_NAME_CHARS: Final = 500


class SqlExperiments:
    """Implements `Experiments`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, tags: Mapping[str, str]) -> Experiment:
        _check_name(name)
        _check_tags(tags)
        time_ms = now_ms()
        try:
            with self._database.write() as connection:
                number = next_numbers(connection, COUNTER, 1)
                experiment = Experiment(str(number), name, dict(tags), time_ms, time_ms)
                connection.execute(
                    experiments.insert().values(
                        experiment_id=number,
                        name=name,
                        tags=experiment.tags,
                        creation_time_ms=time_ms,
                        last_update_time_ms=time_ms,
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

    def find(
        self,
        *,
        name: str | None = None,
        max_results: int = 1000,
        page_token: str | None = None,
    ) -> ExperimentPage:
        query = (
            select(experiments).order_by(experiments.c.experiment_id.desc()).limit(max_results + 1)
        )
        if name is not None:
            query = query.where(experiments.c.name == name)
        if page_token is not None:
            (before,) = decode_token(page_token, "experiments", (int,))
            query = query.where(experiments.c.experiment_id < before)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        more = len(rows) > max_results
        rows = rows[:max_results]
        return ExperimentPage(
            [experiment_of(row) for row in rows],
            encode_token("experiments", (rows[-1].experiment_id,)) if more else None,
        )


def _number(experiment_id: str) -> int:
    if not experiment_id.isdecimal() or len(experiment_id) > 18:
        raise NotFound(f"No experiment with id {experiment_id!r}: ids are whole numbers")
    return int(experiment_id)


def _row(connection: Connection, number: int) -> AnyRow:
    query = select(experiments).where(experiments.c.experiment_id == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No experiment with id {number}")
    return row


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"An experiment named {name!r} exists already")


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidInput("an experiment needs a name")
    if len(name) > _NAME_CHARS or "\0" in name:
        raise InvalidInput(f"an experiment's name has at most {_NAME_CHARS} characters, no NUL")


def _check_tags(tags: Mapping[str, str | None]) -> None:
    for key, value in tags.items():
        if "\0" in key or (value is not None and "\0" in value):
            raise InvalidInput("an experiment's tags cannot hold a NUL character")
        if key in (DAYS_TAG, TRACES_TAG) and value is not None:
            read_limit(key, value)
