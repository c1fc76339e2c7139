"""What webhooks are still to be told: a row a webhook and event, from the transaction of the change
until the webhook has heard of it, or is given up. The table, the promises, the SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    delete,
    select,
    update,
)

from tracelake.model.entities import JsonValue
from tracelake.model.webhooks import WebhookEvent, event_body
from tracelake.store.database import Database, next_numbers, now_ms
from tracelake.store.schema import Key, metadata
from tracelake.store.webhooks import ACTIVE, Destination, webhooks

_NUMBERS: Final = "webhook_delivery"

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("number", Key, primary_key=True, autoincrement=False),
    Column("delivery_id", Text, nullable=False),
    Column(
        "webhook_id",
        Text,
        ForeignKey(
            "webhooks.webhook_id", name="fk_webhook_deliveries_webhook_id", ondelete="CASCADE"
        ),
        nullable=False,
    ),
    Column("body", Text, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_ms", BigInteger, nullable=False),
    Index("ix_webhook_deliveries_order", "webhook_id", "number"),
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook."""

    number: int
    delivery_id: str
    """The same with every attempt, so that a receiver knows what it has had already."""
    webhook_id: str
    destination: Destination
    """As of now, not of when it happened."""
    body: str
    creation_time_ms: int
    attempts: int
    """That have failed so far."""


class WebhookOutbox(Protocol):
    """For the one process that delivers. Events get here with the changes that they tell of."""

    def waiting(self, most: int) -> list[str]:
        """Ids of active webhooks that are to be told something now, the longest waiting first."""
        ...

    def next(self, webhook_id: str) -> Delivery | None:
        """What an active webhook is to be told now: of what is due, that which happened first.

        So events are told in the order of their changes, but for those that were postponed.
        """
        ...

    def remove(self, number: int) -> None:
        """It was delivered, or is given up. One that is not there any more is no error."""
        ...

    def postpone(self, number: int, delay_s: float) -> None:
        """The receiver failed at this event: it is told again after so long, the others meanwhile.
        As `remove` where it has gone."""
        ...

    def pause(self, number: int, delay_s: float) -> None:
        """The receiver cannot be told anything for so long: this event, then the others, wait. As
        `remove` where it has gone."""
        ...


def emit(connection: Connection, event: WebhookEvent, data: Mapping[str, JsonValue]) -> None:
    """Have the active webhooks that want this event told of it, once the transaction is durable."""
    found = connection.execute(
        select(webhooks.c.webhook_id, webhooks.c.events)
        .where(webhooks.c.status == ACTIVE)
        .order_by(webhooks.c.webhook_id)
    )
    wanting = [row.webhook_id for row in found if event in row.events]
    if not wanting:
        return
    body = event_body(event, data)
    time_ms = now_ms()
    first = next_numbers(connection, _NUMBERS, len(wanting))
    connection.execute(
        webhook_deliveries.insert(),
        [
            {
                "number": number,
                "delivery_id": str(uuid4()),
                "webhook_id": webhook_id,
                "body": body,
                "creation_time_ms": time_ms,
                "attempts": 0,
                "next_attempt_ms": time_ms,
            }
            for number, webhook_id in enumerate(wanting, first)
        ],
    )


class SqlWebhookOutbox:
    """Implements `WebhookOutbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, most: int) -> list[str]:
        told = webhook_deliveries.c
        time_ms = now_ms()
        first = (
            select(told.number)
            .where(told.webhook_id == webhooks.c.webhook_id, told.next_attempt_ms <= time_ms)
            .order_by(told.number)
            .limit(1)
            .scalar_subquery()
        )
        query = (
            select(webhooks.c.webhook_id)
            .where(*_open(time_ms), first.is_not(None))
            .order_by(first)
            .limit(most)
        )
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def next(self, webhook_id: str) -> Delivery | None:
        told = webhook_deliveries.c
        time_ms = now_ms()
        query = (
            select(webhook_deliveries, webhooks.c.url, webhooks.c.secret)
            .join(webhooks, webhooks.c.webhook_id == told.webhook_id)
            .where(told.webhook_id == webhook_id, told.next_attempt_ms <= time_ms, *_open(time_ms))
            .order_by(told.number)
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Delivery(
            row.number,
            row.delivery_id,
            row.webhook_id,
            Destination(row.url, row.secret),
            row.body,
            row.creation_time_ms,
            row.attempts,
        )

    def remove(self, number: int) -> None:
        with self._database.write() as connection:
            connection.execute(
                delete(webhook_deliveries).where(webhook_deliveries.c.number == number)
            )

    def postpone(self, number: int, delay_s: float) -> None:
        with self._database.write() as connection:
            _count_attempt(connection, number, next_attempt_ms=_after_ms(delay_s))

    def pause(self, number: int, delay_s: float) -> None:
        webhook_id = (
            select(webhook_deliveries.c.webhook_id)
            .where(webhook_deliveries.c.number == number)
            .scalar_subquery()
        )
        with self._database.write() as connection:
            _count_attempt(connection, number)
            connection.execute(
                update(webhooks)
                .where(webhooks.c.webhook_id == webhook_id)
                .values(paused_until_ms=_after_ms(delay_s))
            )


def _open(time_ms: int) -> list[ColumnElement[bool]]:
    return [webhooks.c.status == ACTIVE, webhooks.c.paused_until_ms <= time_ms]


def _after_ms(delay_s: float) -> int:
    return now_ms() + int(delay_s * 1000)


def _count_attempt(connection: Connection, number: int, **values: int) -> None:
    connection.execute(
        update(webhook_deliveries)
        .where(webhook_deliveries.c.number == number)
        .values(attempts=webhook_deliveries.c.attempts + 1, **values)
    )
