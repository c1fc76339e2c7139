"""Registered scorers and how they watch live traces: the tables, the promises, the SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.text import storable
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import active_experiment
from tracelake.store.rows import AnyRow
from tracelake.store.schema import Key, metadata

scorers = Table(
    "scorers",
    metadata,
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_scorers_experiment_id"),
        nullable=False,
    ),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("scorer_id", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("experiment_id", "name", "version", name="pk_scorers"),
)

scorer_configs = Table(
    "scorer_configs",
    metadata,
    Column("scorer_id", Text, primary_key=True),
    Column("config_id", Text, nullable=False),
    Column("experiment_id", Key, nullable=False),
    Column("sample_rate", Float(53), nullable=False),
    Column("filter", Text),
)

_NAME_CHARS: Final = 250


@dataclass(frozen=True, slots=True)
class ScorerVersion:
    experiment_id: int
    name: str
    version: int
    scorer_id: str
    """The same for all versions."""
    content: str
    """JSON text of the client's."""
    creation_time_ms: int


@dataclass(frozen=True, slots=True)
class ScorerConfig:
    """How much of what comes a scorer looks at."""

    scorer_id: str
    config_id: str
    experiment_id: int
    sample_rate: float
    filter: str | None


class Scorers(Protocol):
    """Every method that names a scorer raises NotFound where there is none."""

    def register(self, experiment_id: str, name: str, content: str) -> ScorerVersion:
        """As the next version. Raises NotFound for an unknown experiment, InvalidInput."""
        ...

    def get(self, experiment_id: str, name: str, version: int | None = None) -> ScorerVersion:
        """The newest, where no version is named."""
        ...

    def newest(self, experiment_id: str) -> list[ScorerVersion]:
        """The newest version of each, by name."""
        ...

    def versions(self, experiment_id: str, name: str) -> list[ScorerVersion]:
        """Oldest first."""
        ...

    def delete(self, experiment_id: str, name: str, version: int | None = None) -> None:
        """One version, or all with how it watches."""
        ...

    def configure(
        self, experiment_id: str, name: str, sample_rate: float, filter: str | None
    ) -> ScorerConfig:
        """Have it watch a share of the traces that match, none where it is 0."""
        ...

    def configs(self, scorer_ids: Sequence[str]) -> list[ScorerConfig]:
        """Of those that have one."""
        ...


class SqlScorers:
    """Implements `Scorers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, experiment_id: str, name: str, content: str) -> ScorerVersion:
        if not name.strip() or len(name) > _NAME_CHARS or storable(name) != name:
            raise InvalidInput(f"a scorer's name has 1 to {_NAME_CHARS} characters")
        with self._database.write() as connection:
            number = active_experiment(connection, experiment_id)
            known = connection.execute(
                select(func.max(scorers.c.version), func.max(scorers.c.scorer_id)).where(
                    scorers.c.experiment_id == number, scorers.c.name == name
                )
            ).one()
            made = ScorerVersion(
                number,
                name,
                (known[0] or 0) + 1,
                known[1] or str(uuid4()),
                storable(content),
                now_ms(),
            )
            connection.execute(
                scorers.insert().values(
                    experiment_id=made.experiment_id,
                    name=made.name,
                    version=made.version,
                    scorer_id=made.scorer_id,
                    content=made.content,
                    creation_time_ms=made.creation_time_ms,
                )
            )
        return made

    def get(self, experiment_id: str, name: str, version: int | None = None) -> ScorerVersion:
        found = [
            each
            for each in self.versions(experiment_id, name)
            if version is None or each.version == version
        ]
        if not found:
            raise NotFound(
                f"Scorer {name!r} of experiment {experiment_id} has no version {version}"
            )
        return found[-1]

    def newest(self, experiment_id: str) -> list[ScorerVersion]:
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            query = select(scorers).where(scorers.c.experiment_id == number)
            rows = connection.execute(query.order_by(scorers.c.version)).all()
        newest = {row.name: _version(row) for row in rows}
        return [newest[name] for name in sorted(newest)]

    def versions(self, experiment_id: str, name: str) -> list[ScorerVersion]:
        with self._database.read() as connection:
            return _versions(connection, experiment_id, name)

    def delete(self, experiment_id: str, name: str, version: int | None = None) -> None:
        with self._database.write() as connection:
            found = _versions(connection, experiment_id, name)
            gone = [each for each in found if version is None or each.version == version]
            if not gone:
                raise NotFound(
                    f"Scorer {name!r} of experiment {experiment_id} has no version {version}"
                )
            connection.execute(
                delete(scorers).where(
                    scorers.c.experiment_id == gone[0].experiment_id,
                    scorers.c.name == name,
                    scorers.c.version.in_([each.version for each in gone]),
                )
            )
            if len(gone) == len(found):
                connection.execute(
                    delete(scorer_configs).where(scorer_configs.c.scorer_id == gone[0].scorer_id)
                )

    def configure(
        self, experiment_id: str, name: str, sample_rate: float, filter: str | None
    ) -> ScorerConfig:
        if not 0 <= sample_rate <= 1:
            raise InvalidInput(f"sample_rate is {sample_rate}; it must be between 0 and 1")
        with self._database.write() as connection:
            scorer = _versions(connection, experiment_id, name)[-1]
            values = {
                "experiment_id": scorer.experiment_id,
                "sample_rate": sample_rate,
                "filter": filter and storable(filter),
            }
            changed = connection.execute(
                update(scorer_configs)
                .where(scorer_configs.c.scorer_id == scorer.scorer_id)
                .values(**values)
            )
            if changed.rowcount == 0:
                connection.execute(
                    scorer_configs.insert().values(
                        scorer_id=scorer.scorer_id, config_id=str(uuid4()), **values
                    )
                )
            query = select(scorer_configs).where(scorer_configs.c.scorer_id == scorer.scorer_id)
            return _config(connection.execute(query).one())

    def configs(self, scorer_ids: Sequence[str]) -> list[ScorerConfig]:
        query = select(scorer_configs).where(scorer_configs.c.scorer_id.in_(scorer_ids))
        with self._database.read() as connection:
            return [_config(row) for row in connection.execute(query)]


def _versions(connection: Connection, experiment_id: str, name: str) -> list[ScorerVersion]:
    number = active_experiment(connection, experiment_id)
    query = select(scorers).where(
        scorers.c.experiment_id == number, scorers.c.name == storable(name)
    )
    rows = connection.execute(query.order_by(scorers.c.version)).all()
    if not rows:
        raise NotFound(f"Scorer {name!r} not found for experiment {experiment_id}")
    return [_version(row) for row in rows]


def _version(row: AnyRow) -> ScorerVersion:
    return ScorerVersion(
        row.experiment_id, row.name, row.version, row.scorer_id, row.content, row.creation_time_ms
    )


def _config(row: AnyRow) -> ScorerConfig:
    return ScorerConfig(
        row.scorer_id, row.config_id, row.experiment_id, row.sample_rate, row.filter
    )
