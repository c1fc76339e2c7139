"""Evaluation datasets and their records: the tables, what each method promises, the SQL behind it.

Names are not unique, as in MLflow. A record is known by its inputs: what comes with the same ones
changes it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import uuid4

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    exists,
    func,
    select,
    update,
)

from tracelake.model.entities import JsonValue
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.filters.tree import Entity
from tracelake.model.jsonvalue import as_object
from tracelake.model.text import storable
from tracelake.store.api import ListQuery, Page
from tracelake.store.database import Database, now_ms
from tracelake.store.experiments import check_experiments, experiment_numbers
from tracelake.store.keyset import Keyset, OrderKey
from tracelake.store.listing import Field, Listing, Noun, keyed_text
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, Key, metadata

evaluation_datasets = Table(
    "evaluation_datasets",
    metadata,
    Column("dataset_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("tags", JsonColumn, nullable=False),
    Column("created_by", Text),
    Column("last_updated_by", Text),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
)

dataset_experiments = Table(
    "dataset_experiments",
    metadata,
    Column(
        "dataset_id",
        Text,
        ForeignKey(
            "evaluation_datasets.dataset_id",
            name="fk_dataset_experiments_dataset_id",
            ondelete="CASCADE",
        ),
        nullable=False,
    ),
    Column("experiment_id", Key, nullable=False),
    PrimaryKeyConstraint("dataset_id", "experiment_id", name="pk_dataset_experiments"),
    Index("ix_dataset_experiments_experiment", "experiment_id"),
)

dataset_records = Table(
    "dataset_records",
    metadata,
    Column("record_id", Text, primary_key=True),
    Column(
        "dataset_id",
        Text,
        ForeignKey(
            "evaluation_datasets.dataset_id",
            name="fk_dataset_records_dataset_id",
            ondelete="CASCADE",
        ),
        nullable=False,
    ),
    Column("inputs_hash", LargeBinary, nullable=False),
    Column("inputs", JsonColumn, nullable=False),
    Column("outputs", JsonColumn),
    Column("expectations", JsonColumn),
    Column("tags", JsonColumn, nullable=False),
    Column("source", JsonColumn),
    Column("created_by", Text),
    Column("last_updated_by", Text),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    Index("ix_dataset_records_inputs", "dataset_id", "inputs_hash", unique=True),
)

_NAME_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class EvaluationDataset:
    dataset_id: str
    name: str
    tags: dict[str, str]
    experiment_ids: tuple[str, ...]
    record_count: int
    digest: str
    """Another one whenever its records change."""
    fields: dict[str, dict[str, str]]
    """Of `inputs`, `outputs` and `expectations`: the names in its records, and their types."""
    created_by: str | None
    last_updated_by: str | None
    creation_time_ms: int
    last_update_time_ms: int


@dataclass(frozen=True, slots=True)
class NewRecord:
    inputs: dict[str, JsonValue]
    outputs: JsonValue = None
    tells_outputs: bool = True
    """False for what says nothing of them: they are empty, or stay as they are."""
    expectations: dict[str, JsonValue] | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    source: dict[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    record_id: str
    dataset_id: str
    inputs: dict[str, JsonValue]
    outputs: JsonValue
    expectations: dict[str, JsonValue] | None
    tags: dict[str, str]
    source: dict[str, JsonValue] | None
    created_by: str | None
    last_updated_by: str | None
    creation_time_ms: int
    last_update_time_ms: int


class EvaluationDatasets(Protocol):
    """Every method that names a dataset raises NotFound where there is none."""

    def create(
        self, name: str, experiment_ids: Sequence[str], tags: Mapping[str, str]
    ) -> EvaluationDataset:
        """Raises InvalidInput."""
        ...

    def get(self, dataset_id: str) -> EvaluationDataset: ...

    def delete(self, dataset_id: str) -> None:
        """With its records. One that is not there is no error."""
        ...

    def find(
        self, experiment_ids: Sequence[str] | None, query: ListQuery
    ) -> Page[EvaluationDataset]:
        """Those of any of the experiments. Raises InvalidFilter, InvalidInput."""
        ...

    def update_tags(self, dataset_id: str, tags: Mapping[str, str | None]) -> EvaluationDataset:
        """None takes a tag away."""
        ...

    def add_experiments(self, dataset_id: str, experiment_ids: Sequence[str]) -> EvaluationDataset:
        """Raises NotFound for an unknown experiment, too."""
        ...

    def remove_experiments(
        self, dataset_id: str, experiment_ids: Sequence[str]
    ) -> EvaluationDataset: ...

    def merge(self, dataset_id: str, records: Sequence[NewRecord]) -> tuple[int, int]:
        """How many records were added, and how many changed."""
        ...

    def records(
        self, dataset_id: str, *, max_results: int, page_token: str | None = None
    ) -> Page[DatasetRecord]:
        """In the order in which they were added."""
        ...

    def delete_records(self, dataset_id: str, record_ids: Sequence[str]) -> int:
        """How many were there."""
        ...


_DATASETS: Final = Noun(
    "datasets",
    OrderKey.text("dataset_id", evaluation_datasets.c.dataset_id, False, nullable=False),
    {
        "dataset_id": Field(evaluation_datasets.c.dataset_id),
        "name": Field(evaluation_datasets.c.name),
        "created_by": Field(evaluation_datasets.c.created_by, nullable=True),
        "last_updated_by": Field(evaluation_datasets.c.last_updated_by, nullable=True),
        "created_time": Field(evaluation_datasets.c.creation_time_ms, Kind.INTEGER),
        "last_update_time": Field(evaluation_datasets.c.last_update_time_ms, Kind.INTEGER),
    },
    ("created_time DESC",),
    keyed={Entity.TAG: keyed_text(evaluation_datasets.c.tags)},
)

_RECORDS: Final = Keyset(
    [
        OrderKey.number("created", dataset_records.c.creation_time_ms, False, nullable=False),
        OrderKey.text("record_id", dataset_records.c.record_id, False, nullable=False),
    ]
)


class SqlEvaluationDatasets:
    """Implements `EvaluationDatasets`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listing = Listing(_DATASETS, is_sqlite=database.is_sqlite)

    def create(
        self, name: str, experiment_ids: Sequence[str], tags: Mapping[str, str]
    ) -> EvaluationDataset:
        if not name.strip() or len(name) > _NAME_CHARS or storable(name) != name:
            raise InvalidInput(f"a dataset's name has 1 to {_NAME_CHARS} characters")
        dataset_id = f"d-{uuid4().hex}"
        time_ms = now_ms()
        user = tags.get("mlflow.user")
        with self._database.write() as connection:
            connection.execute(
                evaluation_datasets.insert().values(
                    dataset_id=dataset_id,
                    name=name,
                    tags=_storable(tags),
                    created_by=user,
                    last_updated_by=user,
                    creation_time_ms=time_ms,
                    last_update_time_ms=time_ms,
                )
            )
            _add_experiments(connection, dataset_id, experiment_ids)
            return _whole(connection, [_row(connection, dataset_id)])[0]

    def get(self, dataset_id: str) -> EvaluationDataset:
        with self._database.read() as connection:
            return _whole(connection, [_row(connection, dataset_id)])[0]

    def delete(self, dataset_id: str) -> None:
        table = evaluation_datasets
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.dataset_id == storable(dataset_id)))

    def find(
        self, experiment_ids: Sequence[str] | None, query: ListQuery
    ) -> Page[EvaluationDataset]:
        found = select(evaluation_datasets)
        numbers = None if experiment_ids is None else experiment_numbers(experiment_ids)
        if numbers is not None:
            of = dataset_experiments.c
            found = found.where(
                exists(
                    select(of.dataset_id).where(
                        of.dataset_id == evaluation_datasets.c.dataset_id,
                        of.experiment_id.in_(numbers),
                    )
                )
            )
        with self._database.read() as connection:
            rows, token = self._listing.page(connection, found, query, repr(numbers))
            return Page(_whole(connection, rows), token)

    def update_tags(self, dataset_id: str, tags: Mapping[str, str | None]) -> EvaluationDataset:
        with self._database.write() as connection:
            merged = {**_row(connection, dataset_id).tags, **tags}
            kept = {key: value for key, value in merged.items() if value is not None}
            _touch(connection, dataset_id, tags=_storable(kept))
            return _whole(connection, [_row(connection, dataset_id)])[0]

    def add_experiments(self, dataset_id: str, experiment_ids: Sequence[str]) -> EvaluationDataset:
        with self._database.write() as connection:
            _row(connection, dataset_id)
            check_experiments(connection, experiment_ids)
            _add_experiments(connection, dataset_id, experiment_ids)
            _touch(connection, dataset_id)
            return _whole(connection, [_row(connection, dataset_id)])[0]

    def remove_experiments(
        self, dataset_id: str, experiment_ids: Sequence[str]
    ) -> EvaluationDataset:
        of = dataset_experiments.c
        with self._database.write() as connection:
            _row(connection, dataset_id)
            connection.execute(
                delete(dataset_experiments).where(
                    of.dataset_id == dataset_id,
                    of.experiment_id.in_(experiment_numbers(experiment_ids)),
                )
            )
            _touch(connection, dataset_id)
            return _whole(connection, [_row(connection, dataset_id)])[0]

    def merge(self, dataset_id: str, records: Sequence[NewRecord]) -> tuple[int, int]:
        added = changed = 0
        with self._database.write() as connection:
            _row(connection, dataset_id)
            for record in records:
                if _merge(connection, dataset_id, record):
                    added += 1
                else:
                    changed += 1
            users = [
                record.tags["mlflow.user"] for record in records if "mlflow.user" in record.tags
            ]
            values = {"last_updated_by": users[-1]} if users else {}
            _touch(connection, dataset_id, **values)
        return added, changed

    def records(
        self, dataset_id: str, *, max_results: int, page_token: str | None = None
    ) -> Page[DatasetRecord]:
        scope = f"records:{dataset_id}:"
        query = (
            select(dataset_records, *_RECORDS.columns())
            .where(dataset_records.c.dataset_id == dataset_id)
            .order_by(*_RECORDS.order_by())
        )
        if page_token:
            query = query.where(_RECORDS.after(page_token, scope))
        with self._database.read() as connection:
            _row(connection, dataset_id)
            rows = connection.execute(query.limit(max_results + 1)).all()
        page, has_more = rows[:max_results], len(rows) > max_results
        token = _RECORDS.token(page[-1], scope) if has_more else None
        return Page([_record(row) for row in page], token)

    def delete_records(self, dataset_id: str, record_ids: Sequence[str]) -> int:
        of = dataset_records.c
        with self._database.write() as connection:
            _row(connection, dataset_id)
            gone = connection.execute(
                delete(dataset_records).where(
                    of.dataset_id == dataset_id, of.record_id.in_(list(record_ids))
                )
            ).rowcount
            if gone:
                _touch(connection, dataset_id)
        return gone


def _merge(connection: Connection, dataset_id: str, record: NewRecord) -> bool:
    """Whether the record is new."""
    text = orjson.dumps(record.inputs, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(text).digest()
    of = dataset_records.c
    query = select(dataset_records).where(of.dataset_id == dataset_id, of.inputs_hash == digest)
    row = connection.execute(query).one_or_none()
    time_ms = now_ms()
    user = record.tags.get("mlflow.user")
    if row is None:
        connection.execute(
            dataset_records.insert().values(
                record_id=f"dr-{uuid4().hex}",
                dataset_id=dataset_id,
                inputs_hash=digest,
                inputs=record.inputs,
                outputs=record.outputs if record.tells_outputs else {},
                expectations=record.expectations,
                tags=_storable(record.tags),
                source=record.source,
                created_by=user,
                last_updated_by=user,
                creation_time_ms=time_ms,
                last_update_time_ms=time_ms,
            )
        )
        return True
    connection.execute(
        update(dataset_records)
        .where(of.record_id == row.record_id)
        .values(
            outputs=record.outputs if record.tells_outputs else row.outputs,
            expectations=_merged(row.expectations, record.expectations),
            tags=row.tags | _storable(record.tags),
            source=row.source or record.source,
            last_updated_by=user or row.last_updated_by,
            last_update_time_ms=time_ms,
        )
    )
    return False


def _merged(
    before: dict[str, JsonValue] | None, told: dict[str, JsonValue] | None
) -> dict[str, JsonValue] | None:
    return before if told is None else (before or {}) | told


def _add_experiments(
    connection: Connection, dataset_id: str, experiment_ids: Sequence[str]
) -> None:
    known = set(_experiments_of(connection, [dataset_id]).get(dataset_id, ()))
    for number in experiment_numbers(experiment_ids):
        if str(number) not in known:
            connection.execute(
                dataset_experiments.insert().values(dataset_id=dataset_id, experiment_id=number)
            )


def _touch(connection: Connection, dataset_id: str, **values: Any) -> None:
    connection.execute(
        update(evaluation_datasets)
        .where(evaluation_datasets.c.dataset_id == dataset_id)
        .values(last_update_time_ms=now_ms(), **values)
    )


def _row(connection: Connection, dataset_id: str) -> AnyRow:
    query = select(evaluation_datasets).where(
        evaluation_datasets.c.dataset_id == storable(dataset_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Evaluation dataset with id {dataset_id!r} not found")
    return row


def _experiments_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    of = dataset_experiments.c
    query = select(dataset_experiments).where(of.dataset_id.in_(ids)).order_by(of.experiment_id)
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.dataset_id, []).append(str(row.experiment_id))
    return found


def _whole(connection: Connection, rows: Sequence[AnyRow]) -> list[EvaluationDataset]:
    ids = [row.dataset_id for row in rows]
    experiments = _experiments_of(connection, ids)
    of = dataset_records.c
    counts = {
        row.dataset_id: (row.records, row.latest)
        for row in connection.execute(
            select(
                of.dataset_id,
                func.count().label("records"),
                func.max(of.last_update_time_ms).label("latest"),
            )
            .where(of.dataset_id.in_(ids))
            .group_by(of.dataset_id)
        )
    }
    whole: list[EvaluationDataset] = []
    for row in rows:
        count, latest = counts.get(row.dataset_id, (0, 0))
        state = f"{row.dataset_id}:{row.name}:{count}:{latest}".encode()
        whole.append(
            EvaluationDataset(
                row.dataset_id,
                row.name,
                row.tags,
                tuple(experiments.get(row.dataset_id, ())),
                count,
                hashlib.sha256(state).hexdigest()[:8],
                _fields(connection, row.dataset_id) if count else {},
                row.created_by,
                row.last_updated_by,
                row.creation_time_ms,
                row.last_update_time_ms,
            )
        )
    return whole


_SEEN: Final = 1000
"""Records that the fields are read from."""


def _fields(connection: Connection, dataset_id: str) -> dict[str, dict[str, str]]:
    of = dataset_records.c
    query = select(of.inputs, of.outputs, of.expectations).where(of.dataset_id == dataset_id)
    fields: dict[str, dict[str, str]] = {"inputs": {}, "outputs": {}, "expectations": {}}
    for row in connection.execute(query.limit(_SEEN)):
        for part, told in zip(fields, row, strict=True):
            for name, value in (as_object(told) or {}).items():
                fields[part].setdefault(name, _type(value))
    return fields


def _type(value: JsonValue) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "null"


def _record(row: AnyRow) -> DatasetRecord:
    return DatasetRecord(
        row.record_id,
        row.dataset_id,
        row.inputs,
        row.outputs,
        row.expectations,
        row.tags,
        row.source,
        row.created_by,
        row.last_updated_by,
        row.creation_time_ms,
        row.last_update_time_ms,
    )


def _storable(told: Mapping[str, str]) -> dict[str, str]:
    return {storable(key): storable(value) for key, value in told.items()}
