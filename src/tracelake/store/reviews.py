"""What people are asked of traces, and the queues in which they answer: tables, promises, SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    delete,
    exists,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from tracelake.model.entities import JsonValue
from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.text import storable
from tracelake.store.api import ListQuery, Page
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import active_experiment
from tracelake.store.keyset import OrderKey
from tracelake.store.listing import Field, Listing, Noun
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, Key, metadata

label_schemas = Table(
    "label_schemas",
    metadata,
    Column("schema_id", Text, primary_key=True),
    Column(
        "experiment_id",
        Key,
        ForeignKey("experiments.experiment_id", name="fk_label_schemas_experiment_id"),
        nullable=False,
    ),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("input", JsonColumn, nullable=False),
    Column("instruction", Text),
    Column("enable_comment", Boolean, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    UniqueConstraint("experiment_id", "name", name="uq_label_schemas_name"),
)

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
)

USER: Final = "USER"
CUSTOM: Final = "CUSTOM"
PENDING: Final = "PENDING"
_STATUSES: Final = (PENDING, "COMPLETE", "DECLINED")
_TYPES: Final = ("FEEDBACK", "EXPECTATION")
_NAME_CHARS: Final = 250


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """One question about a trace, and what may be answered."""

    schema_id: str
    experiment_id: str
    name: str
    type: str
    """FEEDBACK or EXPECTATION: what the answer becomes."""
    input: dict[str, JsonValue]
    instruction: str | None
    enable_comment: bool
    creation_time_ms: int
    last_update_time_ms: int


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
    """Every method that names a schema, a queue or an item raises NotFound where there is none."""

    def create_schema(
        self,
        experiment_id: str,
        name: str,
        type: str,
        input: Mapping[str, JsonValue],
        instruction: str | None,
        *,
        enable_comment: bool,
    ) -> LabelSchema:
        """Raises AlreadyExists, InvalidInput."""
        ...

    def schema(self, schema_id: str) -> LabelSchema: ...

    def schema_by_name(self, experiment_id: str, name: str) -> LabelSchema: ...

    def schemas(self, experiment_id: str, query: ListQuery) -> Page[LabelSchema]: ...

    def update_schema(self, schema_id: str, fields: Mapping[str, Any]) -> LabelSchema:
        """Name, instruction, input, whether comments are taken."""
        ...

    def delete_schema(self, schema_id: str) -> None: ...

    def create_queue(
        self,
        experiment_id: str,
        name: str,
        queue_type: str,
        created_by: str | None,
        users: Sequence[str],
        schema_ids: Sequence[str],
    ) -> ReviewQueue:
        """Raises AlreadyExists, InvalidInput."""
        ...

    def queue(self, queue_id: str) -> ReviewQueue: ...

    def queue_by_name(self, experiment_id: str, name: str) -> ReviewQueue: ...

    def queues(
        self, experiment_id: str, query: ListQuery, *, item_id: str | None = None
    ) -> Page[ReviewQueue]:
        """Those that have an item, where one is named."""
        ...

    def update_queue(self, queue_id: str, fields: Mapping[str, Any]) -> ReviewQueue:
        """Name, owner, users, schemas."""
        ...

    def delete_queue(self, queue_id: str) -> None:
        """With its items."""
        ...

    def add_items(self, queue_id: str, item_ids: Sequence[str]) -> list[ReviewItem]:
        """Those that are there already stay as they are."""
        ...

    def remove_items(self, queue_id: str, item_ids: Sequence[str]) -> None: ...

    def items(
        self, queue_id: str, query: ListQuery, status: str | None = None
    ) -> Page[ReviewItem]: ...

    def set_status(
        self, queue_id: str, item_id: str, status: str, completed_by: str | None
    ) -> ReviewItem:
        """Raises InvalidInput for an unknown one."""
        ...


_SCHEMAS: Final = Noun(
    "label schemas",
    OrderKey.text("schema_id", label_schemas.c.schema_id, False, nullable=False),
    {"created_at": Field(label_schemas.c.creation_time_ms, Kind.INTEGER)},
    ("created_at ASC",),
)
_QUEUES: Final = Noun(
    "review queues",
    OrderKey.text("queue_id", review_queues.c.queue_id, False, nullable=False),
    {"creation_time": Field(review_queues.c.creation_time_ms, Kind.INTEGER)},
    ("creation_time ASC",),
)
_ITEMS: Final = Noun(
    "review items",
    OrderKey.text("item_id", review_items.c.item_id, False, nullable=False),
    {"creation_time": Field(review_items.c.creation_time_ms, Kind.INTEGER)},
    ("creation_time ASC",),
)


class SqlReviews:
    """Implements `Reviews`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._schemas = Listing(_SCHEMAS, is_sqlite=database.is_sqlite)
        self._queues = Listing(_QUEUES, is_sqlite=database.is_sqlite)
        self._items = Listing(_ITEMS, is_sqlite=database.is_sqlite)

    def create_schema(
        self,
        experiment_id: str,
        name: str,
        type: str,
        input: Mapping[str, JsonValue],
        instruction: str | None,
        *,
        enable_comment: bool,
    ) -> LabelSchema:
        _check_name(name)
        if type not in _TYPES:
            raise InvalidInput(f"type {type!r}: use one of {', '.join(_TYPES)}")
        schema_id = f"ls-{uuid4().hex}"
        time_ms = now_ms()
        try:
            with self._database.write() as connection:
                connection.execute(
                    label_schemas.insert().values(
                        schema_id=schema_id,
                        experiment_id=active_experiment(connection, experiment_id),
                        name=name,
                        type=type,
                        input=dict(input),
                        instruction=instruction and storable(instruction),
                        enable_comment=enable_comment,
                        creation_time_ms=time_ms,
                        last_update_time_ms=time_ms,
                    )
                )
                return _schema(_row(connection, label_schemas.c.schema_id, schema_id))
        except IntegrityError as error:
            raise AlreadyExists(f"A label schema named {name!r} exists already") from error

    def schema(self, schema_id: str) -> LabelSchema:
        with self._database.read() as connection:
            return _schema(_row(connection, label_schemas.c.schema_id, schema_id))

    def schema_by_name(self, experiment_id: str, name: str) -> LabelSchema:
        with self._database.read() as connection:
            return _schema(_named(connection, label_schemas, experiment_id, name))

    def schemas(self, experiment_id: str, query: ListQuery) -> Page[LabelSchema]:
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            found = select(label_schemas).where(label_schemas.c.experiment_id == number)
            rows, token = self._schemas.page(connection, found, query, experiment_id)
        return Page([_schema(row) for row in rows], token)

    def update_schema(self, schema_id: str, fields: Mapping[str, Any]) -> LabelSchema:
        with self._database.write() as connection:
            _change(connection, label_schemas.c.schema_id, schema_id, fields)
            return _schema(_row(connection, label_schemas.c.schema_id, schema_id))

    def delete_schema(self, schema_id: str) -> None:
        with self._database.write() as connection:
            _row(connection, label_schemas.c.schema_id, schema_id)
            connection.execute(delete(label_schemas).where(label_schemas.c.schema_id == schema_id))

    def create_queue(
        self,
        experiment_id: str,
        name: str,
        queue_type: str,
        created_by: str | None,
        users: Sequence[str],
        schema_ids: Sequence[str],
    ) -> ReviewQueue:
        _check_name(name)
        if queue_type not in (USER, CUSTOM):
            raise InvalidInput(f"queue_type {queue_type!r}: use {USER} or {CUSTOM}")
        queue_id = f"rq-{uuid4().hex}"
        time_ms = now_ms()
        try:
            with self._database.write() as connection:
                connection.execute(
                    review_queues.insert().values(
                        queue_id=queue_id,
                        experiment_id=active_experiment(connection, experiment_id),
                        name=name,
                        queue_type=queue_type,
                        created_by=created_by and storable(created_by),
                        users=[storable(user) for user in users],
                        schema_ids=[storable(each) for each in schema_ids],
                        creation_time_ms=time_ms,
                        last_update_time_ms=time_ms,
                    )
                )
                return _queue(_row(connection, review_queues.c.queue_id, queue_id))
        except IntegrityError as error:
            raise AlreadyExists(f"A review queue named {name!r} exists already") from error

    def queue(self, queue_id: str) -> ReviewQueue:
        with self._database.read() as connection:
            return _queue(_row(connection, review_queues.c.queue_id, queue_id))

    def queue_by_name(self, experiment_id: str, name: str) -> ReviewQueue:
        with self._database.read() as connection:
            return _queue(_named(connection, review_queues, experiment_id, name))

    def queues(
        self, experiment_id: str, query: ListQuery, *, item_id: str | None = None
    ) -> Page[ReviewQueue]:
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            found = select(review_queues).where(review_queues.c.experiment_id == number)
            if item_id is not None:
                inside = select(review_items.c.item_id).where(
                    review_items.c.queue_id == review_queues.c.queue_id,
                    review_items.c.item_id == storable(item_id),
                )
                found = found.where(exists(inside))
            scope = f"{experiment_id}:{item_id}"
            rows, token = self._queues.page(connection, found, query, scope)
        return Page([_queue(row) for row in rows], token)

    def update_queue(self, queue_id: str, fields: Mapping[str, Any]) -> ReviewQueue:
        with self._database.write() as connection:
            _change(connection, review_queues.c.queue_id, queue_id, fields)
            return _queue(_row(connection, review_queues.c.queue_id, queue_id))

    def delete_queue(self, queue_id: str) -> None:
        with self._database.write() as connection:
            _row(connection, review_queues.c.queue_id, queue_id)
            connection.execute(delete(review_queues).where(review_queues.c.queue_id == queue_id))

    def add_items(self, queue_id: str, item_ids: Sequence[str]) -> list[ReviewItem]:
        wanted = list(dict.fromkeys(map(storable, item_ids)))
        of = review_items.c
        query = select(review_items).where(of.queue_id == queue_id, of.item_id.in_(wanted))
        time_ms = now_ms()
        with self._database.write() as connection:
            _row(connection, review_queues.c.queue_id, queue_id)
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
            _row(connection, review_queues.c.queue_id, queue_id)
            connection.execute(
                delete(review_items).where(of.queue_id == queue_id, of.item_id.in_(list(item_ids)))
            )

    def items(self, queue_id: str, query: ListQuery, status: str | None = None) -> Page[ReviewItem]:
        found = select(review_items).where(review_items.c.queue_id == queue_id)
        if status is not None:
            _check_status(status)
            found = found.where(review_items.c.status == status)
        with self._database.read() as connection:
            _row(connection, review_queues.c.queue_id, queue_id)
            rows, token = self._items.page(connection, found, query, f"{queue_id}:{status}")
        return Page([_item(row) for row in rows], token)

    def set_status(
        self, queue_id: str, item_id: str, status: str, completed_by: str | None
    ) -> ReviewItem:
        _check_status(status)
        of = review_items.c
        here = (of.queue_id == queue_id, of.item_id == storable(item_id))
        is_done = status != PENDING
        time_ms = now_ms()
        with self._database.write() as connection:
            changed = connection.execute(
                update(review_items)
                .where(*here)
                .values(
                    status=status,
                    completed_by=completed_by and storable(completed_by) if is_done else None,
                    completed_time_ms=time_ms if is_done else None,
                    last_update_time_ms=time_ms,
                )
            )
            if changed.rowcount == 0:
                raise NotFound(f"Queue {queue_id} has no item {item_id!r}")
            return _item(connection.execute(select(review_items).where(*here)).one())


def _row(connection: Connection, key: Column[Any], value: str) -> AnyRow:
    row = connection.execute(select(key.table).where(key == storable(value))).one_or_none()
    if row is None:
        raise NotFound(f"There is no {key.name} {value!r}")
    return row


def _named(connection: Connection, table: Table, experiment_id: str, name: str) -> AnyRow:
    number = active_experiment(connection, experiment_id)
    query = select(table).where(table.c.experiment_id == number, table.c.name == storable(name))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Experiment {experiment_id} has nothing here named {name!r}")
    return row


def _change(
    connection: Connection, key: Column[Any], value: str, fields: Mapping[str, Any]
) -> None:
    _row(connection, key, value)
    if "name" in fields:
        _check_name(fields["name"])
    table: Any = key.table
    connection.execute(
        update(table).where(key == value).values(last_update_time_ms=now_ms(), **fields)
    )


def _schema(row: AnyRow) -> LabelSchema:
    return LabelSchema(
        row.schema_id,
        str(row.experiment_id),
        row.name,
        row.type,
        row.input,
        row.instruction,
        row.enable_comment,
        row.creation_time_ms,
        row.last_update_time_ms,
    )


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


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _NAME_CHARS or storable(name) != name:
        raise InvalidInput(f"a name has 1 to {_NAME_CHARS} characters")


def _check_status(status: str) -> None:
    if status not in _STATUSES:
        raise InvalidInput(f"status {status!r}: use one of {', '.join(_STATUSES)}")
