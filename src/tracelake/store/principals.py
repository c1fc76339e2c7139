"""People and service principals, and what they prove themselves with: the tables, what each method
promises, and the SQL behind it.

Only hashes of secrets are kept. They are random and long, so a plain hash is enough: there is
nothing to guess.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    delete,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.model.text import storable
from tracelake.store.database import Database, now_ms
from tracelake.store.rows import AnyRow
from tracelake.store.schema import metadata

principals = Table(
    "principals",
    metadata,
    Column("principal_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("is_service", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("name", name="uq_principals_name"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("credential_id", Text, nullable=False),
    Column(
        "principal_id",
        Text,
        ForeignKey(
            "principals.principal_id", name="fk_credentials_principal_id", ondelete="CASCADE"
        ),
        nullable=False,
    ),
    Column("kind", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    UniqueConstraint("credential_id", name="uq_credentials_credential_id"),
)

_NAME_CHARS: Final = 250
_SECRET_BYTES: Final = 32


class CredentialKind(StrEnum):
    TOKEN = "token"
    """Sent with each request; a person's or a service principal's."""
    SECRET = "secret"
    """A service principal's, which it gets access tokens for."""
    ACCESS = "access"
    """What it gets: a token for an hour."""


_PREFIXES: Final = {
    CredentialKind.TOKEN: "tlp_",
    CredentialKind.SECRET: "tls_",
    CredentialKind.ACCESS: "tla_",
}
"""So that people, and scanners of repositories, know one when they see it."""


@dataclass(frozen=True, slots=True)
class PrincipalRecord:
    principal_id: str
    """A service principal's client id."""
    name: str
    is_service: bool
    created_ms: int


@dataclass(frozen=True, slots=True)
class Credential:
    credential_id: str
    kind: CredentialKind
    principal: PrincipalRecord
    comment: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def why_not(self, now_ms: int) -> str | None:
        """Why it proves nothing any more; None while it does."""
        if self.revoked_ms is not None:
            return "it was revoked"
        if self.expires_ms is not None and self.expires_ms <= now_ms:
            return "it has expired"
        return None


class Principals(Protocol):
    def create(self, name: str, *, is_service: bool) -> PrincipalRecord:
        """Raises AlreadyExists, InvalidInput."""
        ...

    def get(self, name: str) -> PrincipalRecord:
        """By name or id. Raises NotFound."""
        ...

    def list_all(self) -> list[PrincipalRecord]:
        """By name."""
        ...

    def delete(self, name: str) -> None:
        """With all credentials. Raises NotFound."""
        ...

    def issue(
        self,
        principal_id: str,
        kind: CredentialKind,
        *,
        comment: str = "",
        lifetime_s: float | None = None,
    ) -> tuple[str, Credential]:
        """A new secret, which nobody can read again, and what is kept of it. Raises NotFound."""
        ...

    def find(self, secret: str) -> Credential | None:
        """Whose this is, whether or not it still proves it."""
        ...

    def credentials_of(self, principal_id: str) -> list[Credential]:
        """Tokens and secrets, oldest first; not the access tokens."""
        ...

    def revoke(self, credential_id: str) -> None:
        """Have it prove nothing from now on. Raises NotFound."""
        ...

    def forget_expired(self) -> int:
        """Remove access tokens that have expired; how many."""
        ...


class SqlPrincipals:
    """Implements `Principals`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, *, is_service: bool) -> PrincipalRecord:
        if not name.strip() or len(name) > _NAME_CHARS or storable(name) != name or ":" in name:
            raise InvalidInput(f"a name has 1 to {_NAME_CHARS} characters, and no colon")
        made = PrincipalRecord(str(uuid4()), name, is_service, now_ms())
        try:
            with self._database.write() as connection:
                connection.execute(
                    principals.insert().values(
                        principal_id=made.principal_id,
                        name=made.name,
                        is_service=made.is_service,
                        created_ms=made.created_ms,
                    )
                )
        except IntegrityError as error:
            raise AlreadyExists(f"{name!r} exists already") from error
        return made

    def get(self, name: str) -> PrincipalRecord:
        with self._database.read() as connection:
            return _principal(_row(connection, name))

    def list_all(self) -> list[PrincipalRecord]:
        with self._database.read() as connection:
            rows = connection.execute(select(principals).order_by(principals.c.name)).all()
        return [_principal(row) for row in rows]

    def delete(self, name: str) -> None:
        with self._database.write() as connection:
            row = _row(connection, name)
            connection.execute(
                delete(principals).where(principals.c.principal_id == row.principal_id)
            )

    def issue(
        self,
        principal_id: str,
        kind: CredentialKind,
        *,
        comment: str = "",
        lifetime_s: float | None = None,
    ) -> tuple[str, Credential]:
        secret = _PREFIXES[kind] + secrets.token_urlsafe(_SECRET_BYTES)
        time_ms = now_ms()
        with self._database.write() as connection:
            principal = _principal(_row(connection, principal_id))
            made = Credential(
                secrets.token_hex(6),
                kind,
                principal,
                storable(comment),
                time_ms,
                None if lifetime_s is None else time_ms + round(lifetime_s * 1000),
                None,
            )
            connection.execute(
                credentials.insert().values(
                    secret_hash=_hash(secret),
                    credential_id=made.credential_id,
                    principal_id=principal.principal_id,
                    kind=str(kind),
                    comment=made.comment,
                    created_ms=made.created_ms,
                    expires_ms=made.expires_ms,
                )
            )
        return secret, made

    def find(self, secret: str) -> Credential | None:
        query = _with_principals().where(credentials.c.secret_hash == _hash(secret))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _credential(row)

    def credentials_of(self, principal_id: str) -> list[Credential]:
        query = _with_principals().where(
            credentials.c.principal_id == principal_id,
            credentials.c.kind != str(CredentialKind.ACCESS),
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(credentials.c.created_ms)).all()
        return [_credential(row) for row in rows]

    def revoke(self, credential_id: str) -> None:
        with self._database.write() as connection:
            row = connection.execute(
                select(credentials).where(credentials.c.credential_id == storable(credential_id))
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no token or secret with id {credential_id!r}")
            revoked = update(credentials).values(revoked_ms=now_ms())
            connection.execute(revoked.where(credentials.c.secret_hash == row.secret_hash))
            if row.kind == CredentialKind.SECRET:
                # What it was exchanged for ends with it.
                connection.execute(
                    revoked.where(
                        credentials.c.principal_id == row.principal_id,
                        credentials.c.kind == str(CredentialKind.ACCESS),
                    )
                )

    def forget_expired(self) -> int:
        with self._database.write() as connection:
            return connection.execute(
                delete(credentials).where(
                    credentials.c.kind == str(CredentialKind.ACCESS),
                    credentials.c.expires_ms < now_ms(),
                )
            ).rowcount


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def _row(connection: Connection, name: str) -> AnyRow:
    wanted = storable(name)
    query = select(principals).where(
        (principals.c.name == wanted) | (principals.c.principal_id == wanted)
    )
    row = connection.execute(query.limit(1)).one_or_none()
    if row is None:
        raise NotFound(f"there is nobody named {name!r}")
    return row


def _with_principals():
    return select(
        credentials,
        principals.c.name,
        principals.c.is_service,
        principals.c.created_ms.label("principal_created_ms"),
    ).join(principals, principals.c.principal_id == credentials.c.principal_id)


def _principal(row: AnyRow) -> PrincipalRecord:
    return PrincipalRecord(row.principal_id, row.name, row.is_service, row.created_ms)


def _credential(row: AnyRow) -> Credential:
    principal = PrincipalRecord(
        row.principal_id, row.name, row.is_service, row.principal_created_ms
    )
    return Credential(
        row.credential_id,
        CredentialKind(row.kind),
        principal,
        row.comment,
        row.created_ms,
        row.expires_ms,
        row.revoked_ms,
    )
