"""What people have made of groups of errors: the table, what each method promises, and the SQL."""

from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    insert,
    select,
)

from tracelake.model.errors import InvalidInput
from tracelake.model.text import is_storable
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import active_experiment
from tracelake.store.schema import Key, metadata

error_states = Table(
    "error_states",
    metadata,
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_error_states_experiment_id"),
        nullable=False,
    ),
    Column("pattern", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("experiment_id", "pattern", name="pk_error_states"),
)

OPEN: Final = "open"
RESOLVED: Final = "resolved"
STATUSES: Final = (OPEN, RESOLVED, "muted")
_PATTERN_CHARS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ErrorState:
    status: str
    changed_ms: int


class ErrorStates(Protocol):
    """By the pattern of a group (model/error_groups.py). One that nobody has touched is open."""

    def find(self, experiment_id: str) -> dict[str, ErrorState]:
        """Those that somebody has touched. Raises NotFound."""
        ...

    def set(self, experiment_id: str, pattern: str, status: str) -> ErrorState:
        """Raises InvalidInput, NotFound."""
        ...


class SqlErrorStates:
    """Implements `ErrorStates`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, experiment_id: str) -> dict[str, ErrorState]:
        of = error_states.c
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            rows = connection.execute(select(error_states).where(of.experiment_id == number))
            return {row.pattern: ErrorState(row.status, row.changed_ms) for row in rows}

    def set(self, experiment_id: str, pattern: str, status: str) -> ErrorState:
        if status not in STATUSES:
            raise InvalidInput(f"status {status!r}: use one of {', '.join(STATUSES)}")
        if not pattern or len(pattern) > _PATTERN_CHARS or not is_storable(pattern):
            raise InvalidInput(f"pattern: 1 to {_PATTERN_CHARS} characters")
        state = ErrorState(status, now_ms())
        of = error_states.c
        with self._database.write() as connection:
            number = active_experiment(connection, experiment_id)
            here = (of.experiment_id == number) & (of.pattern == pattern)
            connection.execute(delete(error_states).where(here))
            connection.execute(
                insert(error_states).values(
                    experiment_id=number,
                    pattern=pattern,
                    status=state.status,
                    changed_ms=state.changed_ms,
                )
            )
        return state
