"""Agents and endpoints in the store: the tables, what each method promises, and the SQL behind it.

Kept here is what should run. What runs at this moment is known by the server that runs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from tracelake.model.errors import NotFound
from tracelake.store.database import Database, now_ms
from tracelake.store.schema import JsonColumn, metadata

agent_packages = Table(
    "agent_packages",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

agent_versions = Table(
    "agent_versions",
    metadata,
    Column("agent_name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("experiment_id", Text),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("manifest", JsonColumn, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("agent_name", "version", name="pk_agent_versions"),
    ForeignKeyConstraint(["sha256"], ["agent_packages.sha256"], name="fk_agent_versions_sha256"),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", Text, primary_key=True),
    Column("agent_name", Text, nullable=False),
    Column("agent_version", Integer, nullable=False),
    Column("experiment_id", Text, nullable=False),
    Column("environment", JsonColumn, nullable=False),
    Column("home_id", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["agent_name", "agent_version"],
        ["agent_versions.agent_name", "agent_versions.version"],
        name="fk_endpoints_agent_version",
    ),
    Index("ix_endpoints_agent", "agent_name"),
)


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """One registered package. Never changes and is never renumbered."""

    agent_name: str
    version: int
    experiment_id: str | None
    """The experiment its traces go to where the endpoint names none."""
    sha256: str
    size_bytes: int
    manifest: dict[str, Any]
    created_ms: int


@dataclass(frozen=True, slots=True)
class NewAgentVersion:
    agent_name: str
    experiment_id: str | None
    sha256: str
    manifest: Mapping[str, Any]
    content: bytes
    """The zip as it was sent."""


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """What an endpoint should serve. `environment` may hold secrets: it is never shown."""

    name: str
    agent_name: str
    agent_version: int
    experiment_id: str
    environment: dict[str, str]
    home_id: str
    """The server that runs it: the one that it was deployed to."""
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class EndpointTarget:
    """What an endpoint is to serve from now on."""

    name: str
    agent_name: str
    agent_version: int
    experiment_id: str
    environment: Mapping[str, str]
    home_id: str


class AgentRegistry(Protocol):
    """Agent versions and endpoints. Methods block; what they write is durable on return."""

    def add_version(self, new: NewAgentVersion) -> AgentVersion:
        """Register a package under the next number of its agent, starting at 1.

        Numbers have no gaps, and two callers never get the same one. The same content is stored
        once, however often it is registered.
        """
        ...

    def get_version(self, agent_name: str, version: int) -> AgentVersion:
        """Raises NotFound."""
        ...

    def get_package(self, sha256: str) -> bytes:
        """The zip of a version. Raises NotFound."""
        ...

    def find_latest_versions(self) -> list[AgentVersion]:
        """The newest version of every agent, by name."""
        ...

    def put_endpoint(self, target: EndpointTarget) -> EndpointRecord:
        """Create the endpoint, or make it serve something else. Raises NotFound (the version)."""
        ...

    def get_endpoint(self, name: str) -> EndpointRecord:
        """Raises NotFound."""
        ...

    def find_endpoints(self) -> list[EndpointRecord]:
        """All endpoints, by name."""
        ...

    def delete_endpoint(self, name: str) -> None:
        """Forget the endpoint; the versions of its agent stay. Raises NotFound."""
        ...


class SqlAgentRegistry:
    """AgentRegistry on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_version(self, new: NewAgentVersion) -> AgentVersion:
        with self._database.write() as connection:
            stored = select(agent_packages.c.sha256).where(agent_packages.c.sha256 == new.sha256)
            if connection.execute(stored).first() is None:
                connection.execute(
                    insert(agent_packages).values(sha256=new.sha256, content=new.content)
                )
            last: int | None = connection.execute(
                select(func.max(agent_versions.c.version)).where(
                    agent_versions.c.agent_name == new.agent_name
                )
            ).scalar_one()
            version = AgentVersion(
                new.agent_name,
                (last or 0) + 1,
                new.experiment_id,
                new.sha256,
                len(new.content),
                dict(new.manifest),
                now_ms(),
            )
            connection.execute(
                insert(agent_versions).values(
                    agent_name=version.agent_name,
                    version=version.version,
                    experiment_id=version.experiment_id,
                    sha256=version.sha256,
                    size_bytes=version.size_bytes,
                    manifest=version.manifest,
                    created_ms=version.created_ms,
                )
            )
        return version

    def get_version(self, agent_name: str, version: int) -> AgentVersion:
        with self._database.read() as connection:
            return _version(connection, agent_name, version)

    def get_package(self, sha256: str) -> bytes:
        with self._database.read() as connection:
            content: bytes | None = connection.execute(
                select(agent_packages.c.content).where(agent_packages.c.sha256 == sha256)
            ).scalar()
        if content is None:
            raise NotFound(f"no package {sha256} is stored")
        return bytes(content)

    def find_latest_versions(self) -> list[AgentVersion]:
        latest = (
            select(agent_versions.c.agent_name, func.max(agent_versions.c.version).label("version"))
            .group_by(agent_versions.c.agent_name)
            .subquery()
        )
        query = (
            select(agent_versions)
            .join(
                latest,
                (agent_versions.c.agent_name == latest.c.agent_name)
                & (agent_versions.c.version == latest.c.version),
            )
            .order_by(agent_versions.c.agent_name)
        )
        with self._database.read() as connection:
            return [_read_version(row) for row in connection.execute(query)]

    def put_endpoint(self, target: EndpointTarget) -> EndpointRecord:
        now = now_ms()
        values: dict[str, Any] = {
            "agent_name": target.agent_name,
            "agent_version": target.agent_version,
            "experiment_id": target.experiment_id,
            "environment": dict(target.environment),
            "home_id": target.home_id,
            "updated_ms": now,
        }
        with self._database.write() as connection:
            _version(connection, target.agent_name, target.agent_version)
            changed = connection.execute(
                update(endpoints).where(endpoints.c.name == target.name).values(**values)
            )
            if changed.rowcount == 0:
                connection.execute(
                    insert(endpoints).values(name=target.name, created_ms=now, **values)
                )
            return _endpoint(connection, target.name)

    def get_endpoint(self, name: str) -> EndpointRecord:
        with self._database.read() as connection:
            return _endpoint(connection, name)

    def find_endpoints(self) -> list[EndpointRecord]:
        with self._database.read() as connection:
            rows = connection.execute(select(endpoints).order_by(endpoints.c.name)).all()
        return [_read_endpoint(row) for row in rows]

    def delete_endpoint(self, name: str) -> None:
        with self._database.write() as connection:
            gone = connection.execute(delete(endpoints).where(endpoints.c.name == name))
            if gone.rowcount == 0:
                raise NotFound(f"there is no endpoint named {name!r}")


def _version(connection: Connection, agent_name: str, version: int) -> AgentVersion:
    row = connection.execute(
        select(agent_versions).where(
            agent_versions.c.agent_name == agent_name, agent_versions.c.version == version
        )
    ).first()
    if row is None:
        raise NotFound(f"agent {agent_name!r} has no version {version}")
    return _read_version(row)


def _endpoint(connection: Connection, name: str) -> EndpointRecord:
    row = connection.execute(select(endpoints).where(endpoints.c.name == name)).first()
    if row is None:
        raise NotFound(f"there is no endpoint named {name!r}")
    return _read_endpoint(row)


def _read_version(row: Row[Any] | Sequence[Any]) -> AgentVersion:
    return AgentVersion(*row)


def _read_endpoint(row: Row[Any] | Sequence[Any]) -> EndpointRecord:
    return EndpointRecord(*row)
