"""Queues of traces that people answer for: the tables, what each method promises, the SQL."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.ids import format_trace_id, parse_trace_id, trace_ids_in
from tracelake.model.text import storable
from tracelake.store.api import ListQuery, Page
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import active_experiment
from tracelake.store.keyset import OrderKey
from tracelake.store.label_schemas import check_schemas
from tracelake.store.listing import Field, Listing, Noun
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, Key, metadata, traces

review_queues = Table(
    "review_queues",
    metadata,
    Column("queue_id", Text, primary_key=True),
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_review_queues_experiment_id"),
        nullable=False,
    ),
    Column("name", Text, nullable=False),
    Column("queue_type", Text, nullable=False),
    Column("created_by", Text),
    Column("users", JsonColumn, nullable=False),
    Column("schema_ids", JsonColumn, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    UniqueConstraint("experiment_id", "name", name="uq_review_queues_name"),
)

review_items = Table(
    "review_items",
    metadata,
    Column(
        "queue_id",
        Text,
        ForeignKey("review_queues.queue_id", name="fk_review_items_queue_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("item_id", Text, nullable=False),
    Column("item_type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("completed_by", Text),
    Column("completed_time_ms", BigInteger),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("queue_id", "item_id", name="pk_review_items"),
    Index("ix_review_items_item", "item_id"),
)

USER: Final = "USER"
CUSTOM: Final = "CUSTOM"
PENDING: Final = "PENDING"
_STATUSES: Final = (PENDING, "COMPLETE", "DECLINED")
_NAME_CHARS: Final = 250


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    queue_id: str
    experiment_id: str
    name: str
    queue_type: str
    """USER, of one person, or CUSTOM."""
    created_by: str | None
    users: list[str]
    schema_ids: list[str]
    creation_time_ms: int
    last_update_time_ms: int


@dataclass(frozen=True, slots=True)
class ReviewItem:
    queue_id: str
    item_id: str
    """A trace's id."""
    item_type: str
    status: str
    completed_by: str | None
    completed_time_ms: int | None
    creation_time_ms: int
    last_update_time_ms: int


class Reviews(Protocol):
    """Every method that names a queue or an item raises NotFound where there is none, but for
    `delete_queue`. The names of users are kept in lower case."""

    def create_queue(
        self,
        experiment_id: str,
        name: str,
        queue_type: str,
        created_by: str | None,
        users: Sequence[str],
        schema_ids: Sequence[str],
    ) -> ReviewQueue:
        """Of no other name, in whatever case; a user's queue is theirs alone and asks everything.

        Raises AlreadyExists, InvalidInput.
        """
        ...

    def queue_of(self, experiment_id: str, user: str) -> ReviewQueue:
        """The one queue of a user, made where there is none; it has their name.

        Raises AlreadyExists where another queue has it, InvalidInput.
        """
        ...

    def queue(self, queue_id: str) -> ReviewQueue: ...

    def queue_by_name(self, experiment_id: str, name: str) -> ReviewQueue: ...

    def queues(
        self, experiment_id: str, query: ListQuery, *, item_id: str | None = None
    ) -> Page[ReviewQueue]:
        """Newest first; those that have an item, where one is named."""
        ...

    def update_queue(self, queue_id: str, fields: Mapping[str, Any]) -> ReviewQueue:
        """Name, owner, users, schemas.

        Raises AlreadyExists; InvalidInput for a user's queue, and for other schemas while there are
        items.
        """
        ...

    def delete_queue(self, queue_id: str) -> None:
        """With its items. One that is not there is no error."""
        ...

    def add_items(self, queue_id: str, item_ids: Sequence[str]) -> list[ReviewItem]:
        """Those that are there already stay as they are.

        Raises NotFound where one is no trace of the queue's experiment.
        """
        ...

    def remove_items(self, queue_id: str, item_ids: Sequence[str]) -> None: ...

    def items(
        self, queue_id: str, query: ListQuery, status: str | None = None
    ) -> Page[ReviewItem]: ...

    def set_status(
        self, queue_id: str, item_id: str, status: str, completed_by: str | None
    ) -> ReviewItem:
        """Who sets the status that an item has already changes nothing.

        Raises InvalidInput for an unknown one; one that is done is done by somebody.
        """
        ...


_QUEUES: Final = Noun(
    "review queues",
    OrderKey.text("queue_id", review_queues.c.queue_id, False, nullable=False),
    {"creation_time": Field(review_queues.c.creation_time_ms, Kind.INTEGER)},
    ("creation_time DESC",),
)
_ITEMS: Final = Noun(
    "review items",
    OrderKey.text("item_id", review_items.c.item_id, False, nullable=False),
    {"creation_time": Field(review_items.c.creation_time_ms, Kind.INTEGER)},
    ("creation_time DESC",),
)


class SqlReviews:
    """Implements `Reviews`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues = Listing(_QUEUES, is_sqlite=database.is_sqlite)
        self._items = Listing(_ITEMS, is_sqlite=database.is_sqlite)

    def create_queue(
        self,
        experiment_id: str,
        name: str,
        queue_type: str,
        created_by: str | None,
        users: Sequence[str],
        schema_ids: Sequence[str],
    ) -> ReviewQueue:
        users = _users(users)
        if queue_type == USER:
            name = _user(name)
            if users not in ([], [name]) or schema_ids:
                raise InvalidInput(f"the queue of {name!r} has no other user and no schemas")
            users = [name]
        elif queue_type == CUSTOM:
            name = _queue_name(name)
        else:
            raise InvalidInput(f"queue_type {queue_type!r}: use {USER} or {CUSTOM}")
        queue_id = f"rq-{uuid4().hex}"
        time_ms = now_ms()
        with self._writing(name) as connection:
            number = active_experiment(connection, experiment_id)
            _check_free(connection, number, name)
            check_schemas(connection, number, schema_ids)
            connection.execute(
                review_queues.insert().values(
                    queue_id=queue_id,
                    experiment_id=number,
                    name=name,
                    queue_type=queue_type,
                    created_by=created_by and storable(created_by),
                    users=users,
                    schema_ids=list(dict.fromkeys(schema_ids)),
                    creation_time_ms=time_ms,
                    last_update_time_ms=time_ms,
                )
            )
            return _queue(_row(connection, queue_id))

    def queue_of(self, experiment_id: str, user: str) -> ReviewQueue:
        name = _user(user)
        try:
            return self.create_queue(experiment_id, name, USER, name, [], [])
        except AlreadyExists:
            found = self.queue_by_name(experiment_id, name)
            if found.queue_type != USER:
                raise
            return found

    def queue(self, queue_id: str) -> ReviewQueue:
        with self._database.read() as connection:
            return _queue(_row(connection, queue_id))

    def queue_by_name(self, experiment_id: str, name: str) -> ReviewQueue:
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            row = _named(connection, number, name)
        if row is None:
            raise NotFound(f"Experiment {experiment_id} has no review queue named {name!r}")
        return _queue(row)

    def queues(
        self, experiment_id: str, query: ListQuery, *, item_id: str | None = None
    ) -> Page[ReviewQueue]:
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            found = select(review_queues).where(review_queues.c.experiment_id == number)
            if item_id is not None:
                inside = select(review_items.c.item_id).where(
                    review_items.c.queue_id == review_queues.c.queue_id,
                    review_items.c.item_id.in_(_trace_ids([item_id])),
                )
                found = found.where(exists(inside))
            scope = f"{experiment_id}:{item_id}"
            rows, token = self._queues.page(connection, found, query, scope)
        return Page([_queue(row) for row in rows], token)

    def update_queue(self, queue_id: str, fields: Mapping[str, Any]) -> ReviewQueue:
        values = dict(fields)
        if "name" in values:
            values["name"] = _queue_name(values["name"])
        if "users" in values:
            values["users"] = _users(values["users"])
        with self._writing(values.get("name", "")) as connection:
            row = _row(connection, queue_id)
            if row.queue_type == USER:
                raise InvalidInput(f"the queue of {row.name!r} stays as it is")
            if values.get("name", row.name).lower() != row.name.lower():
                _check_free(connection, row.experiment_id, values["name"])
            if "schema_ids" in values:
                inside = select(review_items.c.item_id).where(review_items.c.queue_id == queue_id)
                if connection.execute(inside.limit(1)).one_or_none() is not None:
                    raise InvalidInput("what a queue asks stays as it is while it has items")
                values["schema_ids"] = list(dict.fromkeys(values["schema_ids"]))
                check_schemas(connection, row.experiment_id, values["schema_ids"])
            if values:
                connection.execute(
                    update(review_queues)
                    .where(review_queues.c.queue_id == row.queue_id)
                    .values(last_update_time_ms=now_ms(), **values)
                )
            return _queue(_row(connection, queue_id))

    def delete_queue(self, queue_id: str) -> None:
        of = review_queues.c.queue_id
        with self._database.write() as connection:
            connection.execute(delete(review_queues).where(of == storable(queue_id)))

    @contextmanager
    def _writing(self, name: str) -> Generator[Connection]:
        try:
            with self._database.write() as connection:
                yield connection
        except IntegrityError as error:
            raise _taken(name) from error

    def add_items(self, queue_id: str, item_ids: Sequence[str]) -> list[ReviewItem]:
        wanted = list(dict.fromkeys(map(_trace_id, item_ids)))
        of = review_items.c
        query = select(review_items).where(of.queue_id == queue_id, of.item_id.in_(wanted))
        time_ms = now_ms()
        with self._database.write() as connection:
            _check_traces(connection, _row(connection, queue_id), wanted)
            known = {row.item_id for row in connection.execute(query)}
            new = [item_id for item_id in wanted if item_id not in known]
            if new:
                connection.execute(
                    review_items.insert(),
                    [
                        {
                            "queue_id": queue_id,
                            "item_id": item_id,
                            "item_type": "TRACE",
                            "status": PENDING,
                            "creation_time_ms": time_ms,
                            "last_update_time_ms": time_ms,
                        }
                        for item_id in new
                    ],
                )
            found = {row.item_id: _item(row) for row in connection.execute(query)}
        return [found[item_id] for item_id in wanted]

    def remove_items(self, queue_id: str, item_ids: Sequence[str]) -> None:
        of = review_items.c
        with self._database.write() as connection:
            _row(connection, queue_id)
            connection.execute(
                delete(review_items).where(
                    of.queue_id == queue_id, of.item_id.in_(_trace_ids(item_ids))
                )
            )

    def items(self, queue_id: str, query: ListQuery, status: str | None = None) -> Page[ReviewItem]:
        found = select(review_items).where(review_items.c.queue_id == queue_id)
        if status is not None:
            _check_status(status)
            found = found.where(review_items.c.status == status)
        with self._database.read() as connection:
            _row(connection, queue_id)
            rows, token = self._items.page(connection, found, query, f"{queue_id}:{status}")
        return Page([_item(row) for row in rows], token)

    def set_status(
        self, queue_id: str, item_id: str, status: str, completed_by: str | None
    ) -> ReviewItem:
        _check_status(status)
        user = _user(completed_by) if completed_by else None
        is_done = status != PENDING
        if is_done != bool(user):
            raise InvalidInput(
                f"completed_by: who set {status} has to be told"
                if is_done
                else "completed_by: what is to be done again is done by nobody"
            )
        of = review_items.c
        here = select(review_items).where(of.queue_id == queue_id, of.item_id == _trace_id(item_id))
        time_ms = now_ms()
        with self._database.write() as connection:
            row = connection.execute(here).one_or_none()
            if row is None:
                raise NotFound(f"Queue {queue_id} has no item {item_id!r}")
            if row.status != status:
                connection.execute(
                    update(review_items)
                    .where(of.queue_id == row.queue_id, of.item_id == row.item_id)
                    .values(
                        status=status,
                        completed_by=user,
                        completed_time_ms=time_ms if is_done else None,
                        last_update_time_ms=time_ms,
                    )
                )
            return _item(connection.execute(here).one())


def forget_traces(connection: Connection, trace_ids: Sequence[bytes]) -> None:
    """Take traces that are gone out of every queue."""
    gone = list(map(format_trace_id, trace_ids))
    connection.execute(delete(review_items).where(review_items.c.item_id.in_(gone)))


def _row(connection: Connection, queue_id: str) -> AnyRow:
    query = select(review_queues).where(review_queues.c.queue_id == storable(queue_id))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no review queue {queue_id!r}")
    return row


def _named(connection: Connection, number: int, name: str) -> AnyRow | None:
    """Whatever the case of its letters."""
    of = review_queues.c
    query = select(review_queues).where(
        of.experiment_id == number, func.lower(of.name) == storable(name).strip().lower()
    )
    return connection.execute(query.order_by(of.queue_id).limit(1)).one_or_none()


def _check_free(connection: Connection, number: int, name: str) -> None:
    if _named(connection, number, name) is not None:
        raise _taken(name)


def _check_traces(connection: Connection, queue: AnyRow, trace_ids: Sequence[str]) -> None:
    raw = [parse_trace_id(trace_id) for trace_id in trace_ids]
    query = select(traces.c.trace_id).where(
        traces.c.trace_id.in_(raw), traces.c.experiment_id == queue.experiment_id
    )
    known = set(map(format_trace_id, connection.scalars(query)))
    for trace_id in trace_ids:
        if trace_id not in known:
            raise NotFound(f"Experiment {queue.experiment_id} has no trace {trace_id}")


def _trace_id(text: str) -> str:
    """As it is kept, whatever the case of its digits."""
    try:
        return format_trace_id(parse_trace_id(text))
    except InvalidInput as error:
        raise NotFound(error.message) from error


def _trace_ids(texts: Sequence[str]) -> list[str]:
    """As they are kept; of what is no id, nothing is."""
    return list(map(format_trace_id, trace_ids_in(texts)))


def _queue(row: AnyRow) -> ReviewQueue:
    return ReviewQueue(
        row.queue_id,
        str(row.experiment_id),
        row.name,
        row.queue_type,
        row.created_by,
        row.users,
        row.schema_ids,
        row.creation_time_ms,
        row.last_update_time_ms,
    )


def _item(row: AnyRow) -> ReviewItem:
    return ReviewItem(
        row.queue_id,
        row.item_id,
        row.item_type,
        row.status,
        row.completed_by,
        row.completed_time_ms,
        row.creation_time_ms,
        row.last_update_time_ms,
    )


def _check_status(status: str) -> None:
    if status not in _STATUSES:
        raise InvalidInput(f"status {status!r}: use one of {', '.join(_STATUSES)}")


def _users(told: Sequence[str]) -> list[str]:
    return sorted({_user(user) for user in told})


def _user(told: str) -> str:
    user = storable(told).strip().lower()
    if not user or len(user) > _NAME_CHARS:
        raise InvalidInput(f"a user has a name of 1 to {_NAME_CHARS} characters")
    return user


def _queue_name(told: str) -> str:
    name = told.strip()
    if not name or len(name) > _NAME_CHARS or storable(name) != name:
        raise InvalidInput(f"a name has 1 to {_NAME_CHARS} characters")
    return name


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"A review queue named {name!r} exists already")
