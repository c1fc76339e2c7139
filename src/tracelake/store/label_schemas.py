"""Label schemas, what people are asked of traces: the table, what each method promises, and the SQL
behind it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Table,
    Text,
    UniqueConstraint,
    delete,
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

DEFAULT: Final = "Feedback"
"""What every experiment asks; nobody changes it, and no other has its name."""
_TYPES: Final = ("FEEDBACK", "EXPECTATION")
_NAME_CHARS: Final = 250


@dataclass(frozen=True, slots=True)
class NewLabelSchema:
    name: str
    type: str
    """FEEDBACK or EXPECTATION: what the answer becomes."""
    input: Mapping[str, JsonValue]
    instruction: str | None
    enable_comment: bool = False


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

    @property
    def is_default(self) -> bool:
        return self.name == DEFAULT


_DEFAULT_SCHEMA: Final = NewLabelSchema(
    DEFAULT, _TYPES[0], {"text": {}}, "Say what you think of this trace."
)


class LabelSchemas(Protocol):
    """Every method that names a schema raises NotFound where there is none, but for `delete`."""

    def create(self, experiment_id: str, new: NewLabelSchema) -> LabelSchema:
        """Raises AlreadyExists, InvalidInput."""
        ...

    def get(self, schema_id: str) -> LabelSchema: ...

    def get_by_name(self, experiment_id: str, name: str) -> LabelSchema: ...

    def find(self, experiment_id: str, query: ListQuery) -> Page[LabelSchema]:
        """Newest first; the default one is made where it is not there yet."""
        ...

    def update(self, schema_id: str, fields: Mapping[str, Any]) -> LabelSchema:
        """Name, instruction, input, whether comments are taken.

        Raises AlreadyExists; InvalidInput for the default one, and for another kind of input.
        """
        ...

    def delete(self, schema_id: str) -> None:
        """One that is not there is no error. Raises InvalidInput for the default one."""
        ...


_SCHEMAS: Final = Noun(
    "label schemas",
    OrderKey.text("schema_id", label_schemas.c.schema_id, False, nullable=False),
    {"created_at": Field(label_schemas.c.creation_time_ms, Kind.INTEGER)},
    ("created_at DESC",),
)


class SqlLabelSchemas:
    """Implements `LabelSchemas`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listing = Listing(_SCHEMAS, is_sqlite=database.is_sqlite)

    def create(self, experiment_id: str, new: NewLabelSchema) -> LabelSchema:
        _check_name(new.name)
        if new.type not in _TYPES:
            raise InvalidInput(f"type {new.type!r}: use one of {', '.join(_TYPES)}")
        try:
            with self._database.write() as connection:
                number = active_experiment(connection, experiment_id)
                return _schema(_row(connection, _insert(connection, number, new)))
        except IntegrityError as error:
            raise _taken(new.name) from error

    def get(self, schema_id: str) -> LabelSchema:
        with self._database.read() as connection:
            return _schema(_row(connection, schema_id))

    def get_by_name(self, experiment_id: str, name: str) -> LabelSchema:
        if name == DEFAULT:
            self._ensure_default(experiment_id)
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            row = _named(connection, number, storable(name))
        if row is None:
            raise NotFound(f"Experiment {experiment_id} has no label schema named {name!r}")
        return _schema(row)

    def find(self, experiment_id: str, query: ListQuery) -> Page[LabelSchema]:
        self._ensure_default(experiment_id)
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            found = select(label_schemas).where(label_schemas.c.experiment_id == number)
            rows, token = self._listing.page(connection, found, query, experiment_id)
        return Page([_schema(row) for row in rows], token)

    def _ensure_default(self, experiment_id: str) -> None:
        with self._database.read() as connection:
            number = active_experiment(connection, experiment_id)
            if _named(connection, number, DEFAULT) is not None:
                return
        # Another may make it at the same time.
        with suppress(IntegrityError), self._database.write() as connection:
            _insert(connection, number, _DEFAULT_SCHEMA)

    def update(self, schema_id: str, fields: Mapping[str, Any]) -> LabelSchema:
        try:
            with self._database.write() as connection:
                row = _row(connection, schema_id)
                _refuse_default(row)
                values = dict(fields)
                if "name" in values:
                    _check_name(values["name"])
                if "instruction" in values:
                    values["instruction"] = storable(values["instruction"])
                if "input" in values and _kind(values["input"]) != _kind(row.input):
                    raise InvalidInput("what kind of answers a label schema takes stays as it is")
                connection.execute(
                    update(label_schemas)
                    .where(label_schemas.c.schema_id == row.schema_id)
                    .values(last_update_time_ms=now_ms(), **values)
                )
                return _schema(_row(connection, schema_id))
        except IntegrityError as error:
            raise _taken(fields["name"]) from error

    def delete(self, schema_id: str) -> None:
        with self._database.write() as connection, suppress(NotFound):
            row = _row(connection, schema_id)
            _refuse_default(row)
            connection.execute(
                delete(label_schemas).where(label_schemas.c.schema_id == row.schema_id)
            )


def check_schemas(connection: Connection, number: int, schema_ids: Sequence[str]) -> None:
    """Raises InvalidInput where one of them is none of this experiment."""
    of = label_schemas.c
    query = select(of.schema_id).where(of.experiment_id == number, of.schema_id.in_(schema_ids))
    known = set(connection.scalars(query))
    for schema_id in schema_ids:
        if schema_id not in known:
            raise InvalidInput(f"experiment {number} has no label schema {schema_id!r}")


def _insert(connection: Connection, number: int, new: NewLabelSchema) -> str:
    schema_id = f"ls-{uuid4().hex}"
    time_ms = now_ms()
    connection.execute(
        label_schemas.insert().values(
            schema_id=schema_id,
            experiment_id=number,
            name=new.name,
            type=new.type,
            input=dict(new.input),
            instruction=new.instruction and storable(new.instruction),
            enable_comment=new.enable_comment,
            creation_time_ms=time_ms,
            last_update_time_ms=time_ms,
        )
    )
    return schema_id


def _row(connection: Connection, schema_id: str) -> AnyRow:
    query = select(label_schemas).where(label_schemas.c.schema_id == storable(schema_id))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no label schema {schema_id!r}")
    return row


def _named(connection: Connection, number: int, name: str) -> AnyRow | None:
    of = label_schemas.c
    query = select(label_schemas).where(of.experiment_id == number, of.name == name)
    return connection.execute(query).one_or_none()


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


def _kind(input: Mapping[str, Any]) -> tuple[str, bool]:
    """How it is answered, and whether with several options."""
    [(kind, told)] = input.items()
    return kind, bool(told.get("multi_select"))


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _NAME_CHARS or storable(name) != name:
        raise InvalidInput(f"a name has 1 to {_NAME_CHARS} characters")
    if name.strip().lower() == DEFAULT.lower():
        raise InvalidInput(f"{name!r} is the label schema that every experiment has")


def _refuse_default(row: AnyRow) -> None:
    if row.name == DEFAULT:
        raise InvalidInput(f"the label schema {DEFAULT!r} stays as it is")


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"A label schema named {name!r} exists already")
