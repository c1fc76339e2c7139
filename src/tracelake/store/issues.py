"""Issues: what goes wrong in traces again and again. The table, the promises, the SQL.

A trace is told to have one by an assessment of kind `issue`, whose name is the issue's id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Table, Text, func, select, update

from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.text import storable
from tracelake.store.api import ListQuery, Page
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import active_experiment, experiment_numbers
from tracelake.store.keyset import OrderKey
from tracelake.store.listing import Field, Listing, Noun
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, Key, assessments, metadata

issues = Table(
    "issues",
    metadata,
    Column("issue_id", Text, primary_key=True),
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_issues_experiment_id"),
        nullable=False,
    ),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("severity", Text),
    Column("root_causes", JsonColumn, nullable=False),
    Column("categories", JsonColumn, nullable=False),
    Column("source_run_id", Text),
    Column("created_by", Text),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
)

STATUSES: Final = ("pending", "rejected", "resolved")
_CHANGEABLE: Final = frozenset({"name", "description", "status", "severity"})


@dataclass(frozen=True, slots=True)
class NewIssue:
    experiment_id: str
    name: str
    description: str = ""
    status: str = "pending"
    severity: str | None = None
    root_causes: Sequence[str] = ()
    categories: Sequence[str] = ()
    source_run_id: str | None = None
    created_by: str | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    issue_id: str
    experiment_id: str
    name: str
    description: str
    status: str
    severity: str | None
    root_causes: list[str]
    categories: list[str]
    source_run_id: str | None
    created_by: str | None
    creation_time_ms: int
    last_update_time_ms: int
    trace_count: int
    """Traces that are told to have it."""


class Issues(Protocol):
    def create(self, new: NewIssue) -> Issue:
        """Raises NotFound for an unknown experiment, InvalidInput."""
        ...

    def get(self, issue_id: str) -> Issue:
        """Raises NotFound."""
        ...

    def update(self, issue_id: str, fields: Mapping[str, str]) -> Issue:
        """Change name, description, status or severity. Raises NotFound, InvalidInput."""
        ...

    def find(self, experiment_id: str | None, query: ListQuery) -> Page[Issue]:
        """Of an experiment, or of all. Raises InvalidFilter, InvalidInput."""
        ...


_ISSUES: Final = Noun(
    "issues",
    OrderKey.text("issue_id", issues.c.issue_id, False, nullable=False),
    {
        "issue_id": Field(issues.c.issue_id),
        "name": Field(issues.c.name),
        "status": Field(issues.c.status),
        "severity": Field(issues.c.severity, nullable=True),
        "source_run_id": Field(issues.c.source_run_id, nullable=True),
        "created_timestamp": Field(issues.c.creation_time_ms, Kind.INTEGER),
    },
    ("created_timestamp DESC",),
)


class SqlIssues:
    """Implements `Issues`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listing = Listing(_ISSUES, is_sqlite=database.is_sqlite)

    def create(self, new: NewIssue) -> Issue:
        if not new.name.strip():
            raise InvalidInput("an issue needs a name")
        _check_status(new.status)
        issue_id = f"iss-{uuid4().hex}"
        time_ms = now_ms()
        with self._database.write() as connection:
            connection.execute(
                issues.insert().values(
                    issue_id=issue_id,
                    experiment_id=active_experiment(connection, new.experiment_id),
                    name=storable(new.name),
                    description=storable(new.description),
                    status=new.status,
                    severity=new.severity and storable(new.severity),
                    root_causes=[storable(each) for each in new.root_causes],
                    categories=[storable(each) for each in new.categories],
                    source_run_id=new.source_run_id and storable(new.source_run_id),
                    created_by=new.created_by and storable(new.created_by),
                    creation_time_ms=time_ms,
                    last_update_time_ms=time_ms,
                )
            )
            return _whole(connection, [_row(connection, issue_id)])[0]

    def get(self, issue_id: str) -> Issue:
        with self._database.read() as connection:
            return _whole(connection, [_row(connection, issue_id)])[0]

    def update(self, issue_id: str, fields: Mapping[str, str]) -> Issue:
        unknown = set(fields) - _CHANGEABLE
        if unknown:
            raise InvalidInput(f"cannot change {', '.join(sorted(unknown))} of an issue")
        _check_status(fields.get("status", STATUSES[0]))
        with self._database.write() as connection:
            _row(connection, issue_id)
            values = {name: storable(value) for name, value in fields.items()}
            connection.execute(
                update(issues)
                .where(issues.c.issue_id == issue_id)
                .values(last_update_time_ms=now_ms(), **values)
            )
            return _whole(connection, [_row(connection, issue_id)])[0]

    def find(self, experiment_id: str | None, query: ListQuery) -> Page[Issue]:
        found = select(issues)
        if experiment_id is not None:
            numbers = experiment_numbers([experiment_id])
            found = found.where(issues.c.experiment_id.in_(numbers))
        with self._database.read() as connection:
            rows, token = self._listing.page(connection, found, query, experiment_id or "")
            return Page(_whole(connection, rows), token)


def _row(connection: Connection, issue_id: str) -> AnyRow:
    query = select(issues).where(issues.c.issue_id == storable(issue_id))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"No issue with id {issue_id!r}")
    return row


def _whole(connection: Connection, rows: Sequence[AnyRow]) -> list[Issue]:
    told = assessments.c
    query = (
        select(told.name, func.count(told.trace_key.distinct()))
        .where(told.kind == "issue", told.name.in_([row.issue_id for row in rows]))
        .group_by(told.name)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    return [
        Issue(
            row.issue_id,
            str(row.experiment_id),
            row.name,
            row.description,
            row.status,
            row.severity,
            row.root_causes,
            row.categories,
            row.source_run_id,
            row.created_by,
            row.creation_time_ms,
            row.last_update_time_ms,
            counts.get(row.issue_id, 0),
        )
        for row in rows
    ]


def _check_status(status: str) -> None:
    if status not in STATUSES:
        raise InvalidInput(f"status {status!r}: use one of {', '.join(STATUSES)}")
