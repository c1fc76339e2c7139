"""Experiments in SQL."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tracelake.model.entities import Experiment
from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.store.api import ExperimentPage
from tracelake.store.database import Database, next_numbers, now_ms
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.rows import experiment_of
from tracelake.store.schema import experiments

COUNTER: Final = "experiment"
_NAME_CHARS: Final = 500


class SqlExperiments:
    """Implements `Experiments`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, tags: Mapping[str, str]) -> Experiment:
        if not name.strip():
            raise InvalidInput("an experiment needs a name")
        if len(name) > _NAME_CHARS or "\0" in name:
            raise InvalidInput(f"an experiment's name has at most {_NAME_CHARS} characters, no NUL")
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
            raise AlreadyExists(f"An experiment named {name!r} exists already") from error
        return experiment

    def get(self, experiment_id: str) -> Experiment:
        if not experiment_id.isdecimal() or len(experiment_id) > 18:
            raise NotFound(f"No experiment with id {experiment_id!r}: ids are whole numbers")
        query = select(experiments).where(experiments.c.experiment_id == int(experiment_id))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"No experiment with id {experiment_id}")
        return experiment_of(row)

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
