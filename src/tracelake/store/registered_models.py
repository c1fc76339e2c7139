"""Registered models and their versions, prompts among them: the tables, what each method promises,
and the SQL behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    cast,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from tracelake.model.entities import ModelVersion, RegisteredModel
from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.model.filters.fields import Kind
from tracelake.model.filters.tree import Entity
from tracelake.model.keys import check_key
from tracelake.model.prompts import IS_PROMPT
from tracelake.model.text import storable
from tracelake.store.api import ListQuery, Page
from tracelake.store.database import Database, now_ms
from tracelake.store.keyset import OrderKey
from tracelake.store.listing import Field, Listing, Noun, keyed_text
from tracelake.store.logged_models import logged_models
from tracelake.store.registry_events import (
    alias_deleted,
    alias_set,
    model_created,
    model_tags_changed,
    version_created,
    version_tags_changed,
)
from tracelake.store.rows import AnyRow
from tracelake.store.schema import JsonColumn, metadata

registered_models = Table(
    "registered_models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("tags", JsonColumn, nullable=False),
    Column("last_version", Integer, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column(
        "name",
        Text,
        ForeignKey(
            "registered_models.name",
            name="fk_model_versions_name",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        nullable=False,
    ),
    Column("version", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("run_id", Text),
    Column("run_link", Text, nullable=False),
    Column("model_id", Text),
    Column("status", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("tags", JsonColumn, nullable=False),
    Column("creation_time_ms", BigInteger, nullable=False),
    Column("last_update_time_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", "version", name="pk_model_versions"),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column(
        "name",
        Text,
        ForeignKey(
            "registered_models.name",
            name="fk_model_aliases_name",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        nullable=False,
    ),
    Column("alias", Text, nullable=False),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("name", "alias", name="pk_model_aliases"),
)

STAGES: Final = ("None", "Staging", "Production", "Archived")
READY: Final = "READY"
_NAME_CHARS: Final = 256
_ALIAS_CHARS: Final = 255
_TAG_CHARS: Final = 100_000
LATEST: Final = "latest"
_OF_PROMPTS: Final = (IS_PROMPT,)
"""Clients look for models as what is not told to be a prompt."""


@dataclass(frozen=True, slots=True)
class NewModelVersion:
    name: str
    source: str
    description: str = ""
    run_id: str | None = None
    """The logged model's, where it is None."""
    run_link: str = ""
    model_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    user_id: str = ""
    status: str = READY


class RegisteredModels(Protocol):
    """Every method that names a model or a version raises NotFound where there is none."""

    def create(self, name: str, description: str, tags: Mapping[str, str]) -> RegisteredModel:
        """Raises AlreadyExists, InvalidInput."""
        ...

    def get(self, name: str) -> RegisteredModel: ...

    def rename(self, name: str, new_name: str) -> RegisteredModel:
        """With all versions. Raises AlreadyExists, InvalidInput."""
        ...

    def update(
        self, name: str, *, description: str | None = None, tags: Mapping[str, str | None] = ...
    ) -> RegisteredModel:
        """None takes a tag away. Raises InvalidInput for the key of a tag, or a long one."""
        ...

    def delete(self, name: str) -> None:
        """With all versions."""
        ...

    def find(self, query: ListQuery) -> Page[RegisteredModel]:
        """Raises InvalidFilter, InvalidInput."""
        ...

    def latest_versions(self, name: str, stages: Sequence[str]) -> list[ModelVersion]:
        """The newest of each of these stages, or of every one. Raises InvalidInput."""
        ...

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Raises InvalidInput."""
        ...

    def delete_alias(self, name: str, alias: str) -> None:
        """One that is not there is no error."""
        ...

    def by_alias(self, name: str, alias: str) -> ModelVersion:
        """`latest` is the newest version. Raises InvalidInput for an unknown alias, as MLflow's
        server does."""
        ...

    def add_version(self, new: NewModelVersion) -> ModelVersion:
        """Under the next number, which is never used again. Raises InvalidInput."""
        ...

    def version(self, name: str, version: int) -> ModelVersion: ...

    def update_version(
        self,
        name: str,
        version: int,
        *,
        description: str | None = None,
        status: str | None = None,
        tags: Mapping[str, str | None] = ...,
    ) -> ModelVersion: ...

    def move_version(
        self, name: str, version: int, stage: str, *, archives_others: bool
    ) -> ModelVersion:
        """To a stage; with `archives_others`, the versions that were there leave it.

        Raises InvalidInput for an unknown stage.
        """
        ...

    def delete_version(self, name: str, version: int) -> None:
        """With its aliases."""
        ...

    def find_versions(self, query: ListQuery) -> Page[ModelVersion]:
        """Raises InvalidFilter, InvalidInput."""
        ...


_MODELS: Final = Noun(
    "registered models",
    OrderKey.text("name", registered_models.c.name, False, nullable=False),
    {
        "name": Field(registered_models.c.name),
        "creation_timestamp": Field(registered_models.c.creation_time_ms, Kind.INTEGER),
        "last_updated_timestamp": Field(registered_models.c.last_update_time_ms, Kind.INTEGER),
    },
    ("name ASC",),
    aliases={"timestamp": "last_updated_timestamp"},
    keyed={Entity.TAG: keyed_text(registered_models.c.tags, _OF_PROMPTS)},
)
_VERSIONS: Final = Noun(
    "model versions",
    OrderKey.text(
        "name and version",
        model_versions.c.name + "/" + cast(model_versions.c.version, Text),
        False,
        nullable=False,
    ),
    {
        "name": Field(model_versions.c.name),
        "version_number": Field(model_versions.c.version, Kind.INTEGER),
        "run_id": Field(model_versions.c.run_id, nullable=True),
        "source_path": Field(model_versions.c.source),
        "creation_timestamp": Field(model_versions.c.creation_time_ms, Kind.INTEGER),
        "last_updated_timestamp": Field(model_versions.c.last_update_time_ms, Kind.INTEGER),
    },
    ("last_updated_timestamp DESC", "name ASC", "version_number DESC"),
    aliases={"version": "version_number"},
    keyed={Entity.TAG: keyed_text(model_versions.c.tags, _OF_PROMPTS)},
)


class SqlRegisteredModels:
    """Implements `RegisteredModels`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._models = Listing(_MODELS, is_sqlite=database.is_sqlite)
        self._versions = Listing(_VERSIONS, is_sqlite=database.is_sqlite)

    def create(self, name: str, description: str, tags: Mapping[str, str]) -> RegisteredModel:
        _check_name(name)
        _check_tags(tags)
        time_ms = now_ms()
        try:
            with self._database.write() as connection:
                connection.execute(
                    registered_models.insert().values(
                        name=name,
                        description=storable(description),
                        tags=_storable(tags),
                        last_version=0,
                        creation_time_ms=time_ms,
                        last_update_time_ms=time_ms,
                    )
                )
                row = _model(connection, name)
                model_created(connection, name, row.description, row.tags)
                return _whole(connection, [row])[0]
        except IntegrityError as error:
            raise _taken(name) from error

    def get(self, name: str) -> RegisteredModel:
        with self._database.read() as connection:
            return _whole(connection, [_model(connection, name)])[0]

    def rename(self, name: str, new_name: str) -> RegisteredModel:
        _check_name(new_name)
        try:
            with self._database.write() as connection:
                _model(connection, name)
                _change_model(connection, name, name=new_name)
                connection.execute(
                    update(model_versions)
                    .where(model_versions.c.name == new_name)
                    .values(last_update_time_ms=now_ms())
                )
                return _whole(connection, [_model(connection, new_name)])[0]
        except IntegrityError as error:
            raise _taken(new_name) from error

    def update(
        self,
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> RegisteredModel:
        with self._database.write() as connection:
            row = _model(connection, name)
            _change_model(connection, name, **_changes(row, description, tags))
            row = _model(connection, name)
            if tags:
                model_tags_changed(connection, name, row.tags, tags)
            return _whole(connection, [row])[0]

    def delete(self, name: str) -> None:
        with self._database.write() as connection:
            _model(connection, name)
            connection.execute(delete(registered_models).where(registered_models.c.name == name))

    def find(self, query: ListQuery) -> Page[RegisteredModel]:
        with self._database.read() as connection:
            rows, token = self._models.page(connection, select(registered_models), query)
            return Page(_whole(connection, rows), token)

    def latest_versions(self, name: str, stages: Sequence[str]) -> list[ModelVersion]:
        wanted = {_stage(stage) for stage in stages}
        model = self.get(name)
        return [each for each in model.latest_versions if not wanted or each.stage in wanted]

    def set_alias(self, name: str, alias: str, version: int) -> None:
        _check_alias(alias)
        with self._database.write() as connection:
            model = _model(connection, name)
            _version(connection, name, version)
            _forget_aliases(connection, name, model_aliases.c.alias == alias)
            connection.execute(
                model_aliases.insert().values(name=name, alias=alias, version=version)
            )
            _change_model(connection, name)
            alias_set(connection, name, alias, version, model.tags)

    def delete_alias(self, name: str, alias: str) -> None:
        with self._database.write() as connection:
            model = _model(connection, name)
            _forget_aliases(connection, name, model_aliases.c.alias == storable(alias))
            _change_model(connection, name)
            alias_deleted(connection, name, alias, model.tags)

    def by_alias(self, name: str, alias: str) -> ModelVersion:
        with self._database.read() as connection:
            _model(connection, name)
            version = _aliased(connection, name, alias)
            return _versions(connection, [_version(connection, name, version)])[0]

    def add_version(self, new: NewModelVersion) -> ModelVersion:
        if not new.source:
            raise InvalidInput("source: a model version needs one")
        _check_tags(new.tags)
        time_ms = now_ms()
        with self._database.write() as connection:
            number = _model(connection, new.name).last_version + 1
            run_id = new.run_id or _run_of(connection, new.model_id)
            _change_model(connection, new.name, last_version=number)
            connection.execute(
                model_versions.insert().values(
                    name=new.name,
                    version=number,
                    description=storable(new.description),
                    source=storable(new.source),
                    run_id=run_id,
                    run_link=storable(new.run_link),
                    model_id=new.model_id,
                    status=new.status,
                    stage=STAGES[0],
                    user_id=storable(new.user_id),
                    tags=_storable(new.tags),
                    creation_time_ms=time_ms,
                    last_update_time_ms=time_ms,
                )
            )
            row = _version(connection, new.name, number)
            version_created(
                connection, new.name, number, row.source, run_id, row.description, row.tags
            )
            return _versions(connection, [row])[0]

    def version(self, name: str, version: int) -> ModelVersion:
        with self._database.read() as connection:
            return _versions(connection, [_version(connection, name, version)])[0]

    def update_version(
        self,
        name: str,
        version: int,
        *,
        description: str | None = None,
        status: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> ModelVersion:
        with self._database.write() as connection:
            row = _version(connection, name, version)
            values = _changes(row, description, tags)
            if status is not None:
                values["status"] = status
            _change_version(connection, name, version, **values)
            if tags:
                model = _model(connection, name)
                version_tags_changed(connection, name, version, model.tags, tags)
            return _versions(connection, [_version(connection, name, version)])[0]

    def move_version(
        self, name: str, version: int, stage: str, *, archives_others: bool
    ) -> ModelVersion:
        stage = _stage(stage)
        if archives_others and stage not in ("Staging", "Production"):
            raise InvalidInput(f"versions in stage {stage} cannot be archived by a transition")
        with self._database.write() as connection:
            _version(connection, name, version)
            if archives_others:
                connection.execute(
                    update(model_versions)
                    .where(
                        model_versions.c.name == name,
                        model_versions.c.stage == stage,
                        model_versions.c.version != version,
                    )
                    .values(stage="Archived", last_update_time_ms=now_ms())
                )
            _change_version(connection, name, version, stage=stage)
            return _versions(connection, [_version(connection, name, version)])[0]

    def delete_version(self, name: str, version: int) -> None:
        with self._database.write() as connection:
            _version(connection, name, version)
            _forget_aliases(connection, name, model_aliases.c.version == version)
            connection.execute(
                delete(model_versions).where(
                    model_versions.c.name == name, model_versions.c.version == version
                )
            )
            _change_model(connection, name)

    def find_versions(self, query: ListQuery) -> Page[ModelVersion]:
        with self._database.read() as connection:
            rows, token = self._versions.page(connection, select(model_versions), query)
            return Page(_versions(connection, rows), token)


def _model(connection: Connection, name: str) -> AnyRow:
    query = select(registered_models).where(registered_models.c.name == storable(name))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Registered Model with name={name} not found")
    return row


def _aliased(connection: Connection, name: str, alias: str) -> int:
    version: int | None
    if alias.lower() == LATEST:
        newest = func.max(model_versions.c.version)
        version = connection.scalar(select(newest).where(model_versions.c.name == name))
        if version is None:
            raise NotFound(f"Registered Model {name} has no version")
        return version
    query = select(model_aliases.c.version).where(
        model_aliases.c.name == name, model_aliases.c.alias == storable(alias)
    )
    version = connection.scalar(query)
    if version is None:
        raise InvalidInput(f"Registered model alias {alias} not found.")
    return version


def _version(connection: Connection, name: str, version: int) -> AnyRow:
    query = select(model_versions).where(
        model_versions.c.name == storable(name), model_versions.c.version == version
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Model Version (name={name}, version={version}) not found")
    return row


def _change_model(connection: Connection, model: str, /, **values: Any) -> None:
    connection.execute(
        update(registered_models)
        .where(registered_models.c.name == model)
        .values(last_update_time_ms=now_ms(), **values)
    )


def _change_version(connection: Connection, name: str, version: int, **values: Any) -> None:
    connection.execute(
        update(model_versions)
        .where(model_versions.c.name == name, model_versions.c.version == version)
        .values(last_update_time_ms=now_ms(), **values)
    )
    _change_model(connection, name)


def _changes(
    row: AnyRow, description: str | None, tags: Mapping[str, str | None] | None
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if description is not None:
        values["description"] = storable(description)
    if tags:
        _check_tags(tags)
        merged = {**row.tags, **tags}
        values["tags"] = _storable(
            {key: value for key, value in merged.items() if value is not None}
        )
    return values


def _forget_aliases(connection: Connection, name: str, which: Any) -> None:
    connection.execute(delete(model_aliases).where(and_(model_aliases.c.name == name, which)))


def _run_of(connection: Connection, model_id: str | None) -> str | None:
    if not model_id:
        return None
    query = select(logged_models.c.source_run_id).where(logged_models.c.model_id == model_id)
    return connection.scalar(query)


def _whole(connection: Connection, rows: Sequence[AnyRow]) -> list[RegisteredModel]:
    names = [row.name for row in rows]
    aliases: dict[str, dict[str, int]] = {}
    latest: dict[str, dict[str, ModelVersion]] = {}
    for at in range(0, len(names), 500):
        some = names[at : at + 500]
        for row in connection.execute(
            select(model_aliases)
            .where(model_aliases.c.name.in_(some))
            .order_by(model_aliases.c.alias)
        ):
            aliases.setdefault(row.name, {})[row.alias] = row.version
        found = connection.execute(
            select(model_versions)
            .where(model_versions.c.name.in_(some))
            .order_by(model_versions.c.version)
        ).all()
        for version in _versions(connection, found):
            latest.setdefault(version.name, {})[version.stage] = version
    return [
        RegisteredModel(
            row.name,
            row.description,
            row.tags,
            aliases.get(row.name, {}),
            tuple(latest.get(row.name, {}).values()),
            row.creation_time_ms,
            row.last_update_time_ms,
        )
        for row in rows
    ]


def _versions(connection: Connection, rows: Sequence[AnyRow]) -> list[ModelVersion]:
    names = sorted({row.name for row in rows})
    aliases: dict[tuple[str, int], list[str]] = {}
    for at in range(0, len(names), 500):
        query = select(model_aliases).where(model_aliases.c.name.in_(names[at : at + 500]))
        for row in connection.execute(query.order_by(model_aliases.c.alias)):
            aliases.setdefault((row.name, row.version), []).append(row.alias)
    return [
        ModelVersion(
            row.name,
            row.version,
            row.description,
            row.source,
            row.run_id,
            row.run_link,
            row.model_id,
            row.status,
            row.stage,
            row.user_id,
            row.tags,
            tuple(aliases.get((row.name, row.version), ())),
            row.creation_time_ms,
            row.last_update_time_ms,
        )
        for row in rows
    ]


def _stage(word: str) -> str:
    known = {stage.lower(): stage for stage in STAGES}
    if word.lower() not in known:
        raise InvalidInput(f"Invalid Model Version stage: {word}. Use one of {', '.join(STAGES)}")
    return known[word.lower()]


def _check_name(name: str) -> None:
    if not name or len(name) > _NAME_CHARS or storable(name) != name or set(name) & set("/:"):
        raise InvalidInput(
            f"Registered model name {name[:80]!r}: it has 1 to {_NAME_CHARS} characters, none of "
            "them a slash or a colon"
        )


def _check_tags(tags: Mapping[str, str | None]) -> None:
    for key, value in tags.items():
        if value is None:
            continue
        check_key("tag", key)
        if len(value) > _TAG_CHARS:
            raise InvalidInput(
                f"tag {key!r} has {len(value)} characters; {_TAG_CHARS} are allowed, the text of "
                "a prompt too"
            )


def _check_alias(alias: str) -> None:
    plain = alias.replace("-", "").replace("_", "")
    if not plain.isascii() or not plain.isalnum() or len(alias) > _ALIAS_CHARS:
        raise InvalidInput(f"alias {alias[:80]!r}: letters, digits, - and _ only")
    if alias.lower() == LATEST or (alias[0] in "vV" and alias[1:].isdecimal()):
        raise InvalidInput(f"alias {alias!r} means something else already")


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"Registered Model (name={name}) already exists")


def _storable(told: Mapping[str, str | None]) -> dict[str, str]:
    return {storable(key): storable(value or "") for key, value in told.items()}
