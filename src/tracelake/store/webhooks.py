"""Webhooks: who is told of which events. The table, the promises, the SQL.

What they are still to be told is in `webhook_outbox.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Connection, Table, Text, delete, select, update

from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.text import is_storable, storable
from tracelake.model.webhooks import WebhookEvent
from tracelake.store.api import ListQuery, Page
from tracelake.store.database import Database, now_ms
from tracelake.store.keyset import OrderKey
from tracelake.store.listing import Field, Listing, Noun
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", JsonColumn, nullable=False),
    Column("status", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("paused_until_ms", BigInteger, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
)

ACTIVE: Final = "ACTIVE"
STATUSES: Final = (ACTIVE, "DISABLED")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", re.IGNORECASE | re.ASCII)
_SCHEMES: Final = ("http", "https")
_CHANGEABLE: Final = frozenset({"name", "description", "url", "events", "status", "secret"})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where events go, and what they are signed with. For who sends them; never shown."""

    url: str
    secret: str = field(repr=False)
    """Empty: nothing is signed."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    name: str
    url: str
    events: Sequence[WebhookEvent]
    description: str = ""
    secret: str = field(default="", repr=False)
    status: str = ACTIVE


@dataclass(frozen=True, slots=True)
class Webhook:
    """All that is ever shown of one: the secret is not in it."""

    webhook_id: str
    name: str
    description: str
    url: str
    events: list[WebhookEvent]
    status: str
    creation_time_ms: int
    last_update_time_ms: int


class Webhooks(Protocol):
    """Every method that names a webhook raises NotFound where there is none."""

    def create(self, new: NewWebhook) -> Webhook:
        """Names need not differ. Raises InvalidInput."""
        ...

    def get(self, webhook_id: str) -> Webhook: ...

    def update(self, webhook_id: str, fields: Mapping[str, Any]) -> Webhook:
        """Change any field of `NewWebhook`. What it is still to be told goes where it now points,
        at once, and waits while it is disabled. Raises InvalidInput."""
        ...

    def delete(self, webhook_id: str) -> None:
        """With what it is still to be told."""
        ...

    def find(self, query: ListQuery) -> Page[Webhook]:
        """Newest first. Raises InvalidInput."""
        ...

    def destination(self, webhook_id: str) -> Destination: ...


_WEBHOOKS: Final = Noun(
    "webhooks",
    OrderKey.text("webhook_id", webhooks.c.webhook_id, False, nullable=False),
    {"creation_timestamp": Field(webhooks.c.creation_time_ms, Kind.INTEGER)},
    ("creation_timestamp DESC",),
)


class SqlWebhooks:
    """Implements `Webhooks`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listing = Listing(_WEBHOOKS, is_sqlite=database.is_sqlite)

    def create(self, new: NewWebhook) -> Webhook:
        fields: dict[str, Any] = {name: getattr(new, name) for name in _CHANGEABLE}
        webhook_id = str(uuid4())
        time_ms = now_ms()
        values = _values(fields)
        with self._database.write() as connection:
            connection.execute(
                webhooks.insert().values(
                    webhook_id=webhook_id,
                    paused_until_ms=0,
                    creation_time_ms=time_ms,
                    last_update_time_ms=time_ms,
                    **values,
                )
            )
            return _webhook(_row(connection, webhook_id))

    def get(self, webhook_id: str) -> Webhook:
        with self._database.read() as connection:
            return _webhook(_row(connection, webhook_id))

    def update(self, webhook_id: str, fields: Mapping[str, Any]) -> Webhook:
        unknown = set(fields) - _CHANGEABLE
        if unknown:
            raise InvalidInput(f"cannot change {', '.join(sorted(unknown))} of a webhook")
        values = _values(fields)
        with self._database.write() as connection:
            _row(connection, webhook_id)
            connection.execute(
                update(webhooks)
                .where(webhooks.c.webhook_id == webhook_id)
                .values(last_update_time_ms=now_ms(), paused_until_ms=0, **values)
            )
            return _webhook(_row(connection, webhook_id))

    def delete(self, webhook_id: str) -> None:
        with self._database.write() as connection:
            _row(connection, webhook_id)
            connection.execute(delete(webhooks).where(webhooks.c.webhook_id == webhook_id))

    def find(self, query: ListQuery) -> Page[Webhook]:
        with self._database.read() as connection:
            rows, token = self._listing.page(connection, select(webhooks), query)
        return Page([_webhook(row) for row in rows], token)

    def destination(self, webhook_id: str) -> Destination:
        with self._database.read() as connection:
            row = _row(connection, webhook_id)
        return Destination(row.url, row.secret)


def _row(connection: Connection, webhook_id: str) -> AnyRow:
    query = select(webhooks).where(webhooks.c.webhook_id == storable(webhook_id))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Webhook with ID {webhook_id} not found.")
    return row


def _webhook(row: AnyRow) -> Webhook:
    return Webhook(
        row.webhook_id,
        row.name,
        row.description,
        row.url,
        [WebhookEvent(event) for event in row.events],
        row.status,
        row.creation_time_ms,
        row.last_update_time_ms,
    )


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As columns have them. Raises InvalidInput for what a webhook cannot have."""
    for name, value in fields.items():
        if name in _CHECKS:
            _CHECKS[name](value)
    return {
        name: storable(value) if isinstance(value, str) else list(value)
        for name, value in fields.items()
    }


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"name {name[:80]!r}: a webhook's has 1 to 63 letters, digits, dots, hyphens and "
            "underscores, and begins and ends with a letter or digit"
        )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        # Asked for, because it is only then that a wrong one is refused.
        parts.port  # noqa: B018
    except ValueError as error:
        raise InvalidInput(f"url {url[:200]!r}: {error}") from error
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise InvalidInput(f"url {url[:200]!r}: use http://host/path or https://host/path")
    if " " in url or not url.isprintable() or not is_storable(url):
        raise InvalidInput(f"url {url[:200]!r}: it has characters that no URL has")


def _check_events(events: Sequence[WebhookEvent]) -> None:
    if not events:
        raise InvalidInput("events: a webhook needs at least one")
    if len(set(events)) < len(events):
        raise InvalidInput("events: one of them is there twice")


def _check_status(status: str) -> None:
    if status not in STATUSES:
        raise InvalidInput(f"status {status[:80]!r}: use one of {', '.join(STATUSES)}")


_CHECKS: Final = {
    "name": _check_name,
    "url": _check_url,
    "events": _check_events,
    "status": _check_status,
}
