"""Registered models, their versions, prompts: `2.0/mlflow/{registered-models,model-versions}/…`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from tracelake.mlflow_api.logged_models import model_uri
from tracelake.mlflow_api.route import Message, Tag, Text, from_map, said, to_map
from tracelake.mlflow_api.sources import Source, Sources
from tracelake.model.entities import ModelVersion, RegisteredModel
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ListQuery
from tracelake.store.logged_models import LoggedModels
from tracelake.store.registered_models import NewModelVersion, RegisteredModels
from tracelake.store.runs import Runs
from tracelake.web.answer import JsonAnswer

_MODELS = "/2.0/mlflow/registered-models"
_VERSIONS = "/2.0/mlflow/model-versions"
_LOGGED = "models:/"

Number = Annotated[int, Field(ge=1, lt=2**31)]
NumberInQuery = Annotated[int, Query(ge=1, lt=2**31)]


class NewModel(Message):
    name: Text
    description: Text = ""
    tags: list[Tag] = []


class OfModel(Message):
    name: Text


class Rename(OfModel):
    new_name: Text


class Description(OfModel):
    description: Text = ""


class ModelTag(OfModel):
    key: Text
    value: Text = ""


class ModelTagKey(OfModel):
    key: Text


class Alias(OfModel):
    alias: Text


class AliasOfVersion(Alias):
    version: Number


class Stages(OfModel):
    stages: list[Text] = []


class ModelSearch(Message):
    filter: Text | None = None
    max_results: Annotated[int, Field(ge=1, le=1000)] = 100
    order_by: list[Text] = []
    page_token: Text | None = None


class VersionSearch(ModelSearch):
    max_results: Annotated[int, Field(ge=1, le=200_000)] = 10_000


class NewVersion(OfModel):
    source: Text
    run_id: Text | None = None
    run_link: Text = ""
    description: Text = ""
    model_id: Text | None = None
    tags: list[Tag] = []


class OfVersion(OfModel):
    version: Number


class VersionDescription(OfVersion):
    description: Text = ""


class VersionTag(OfVersion):
    key: Text
    value: Text = ""


class VersionTagKey(OfVersion):
    key: Text


class Transition(OfVersion):
    stage: Text
    archive_existing_versions: bool = False


def add_registry(
    routes: APIRouter, registry: RegisteredModels, logged: LoggedModels, runs: Runs
) -> None:
    _models(routes, registry)
    _latest(routes, registry)
    add_shared(routes, registry, _PLAIN)
    _versions(routes, registry, Sources(runs, logged, registry))
    _version_details(routes, registry, logged)


def _models(routes: APIRouter, registry: RegisteredModels) -> None:
    @routes.post(_MODELS + "/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewModel) -> JsonAnswer:
        return _PLAIN.model(registry.create(body.name, body.description, to_map(body.tags)))

    @routes.get(_MODELS + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(query: Annotated[ModelSearch, Query()]) -> JsonAnswer:
        page = registry.find(_query(query))
        return JsonAnswer(
            said(
                registered_models=[model_told(model) for model in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.post(_MODELS + "/rename")
    @requires(Permission.WRITE_EXPERIMENTS)
    def rename(body: Rename) -> JsonAnswer:
        return _PLAIN.model(registry.rename(body.name, body.new_name))

    @routes.patch(_MODELS + "/update")
    @requires(Permission.WRITE_EXPERIMENTS)
    def update(body: Description) -> JsonAnswer:
        return _PLAIN.model(registry.update(body.name, description=body.description))


def _latest(routes: APIRouter, registry: RegisteredModels) -> None:
    @routes.post(_MODELS + "/get-latest-versions")
    @requires(Permission.READ_EXPERIMENTS)
    def latest(body: Stages) -> JsonAnswer:
        return _versions_answer(registry.latest_versions(body.name, body.stages))

    @routes.get(_MODELS + "/get-latest-versions")
    @requires(Permission.READ_EXPERIMENTS)
    def latest_by_query(query: Annotated[Stages, Query()]) -> JsonAnswer:
        return _versions_answer(registry.latest_versions(query.name, query.stages))


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where a registry is, and the words it is spoken of in there."""

    models: str
    versions: str
    model_told: Callable[[RegisteredModel], dict[str, Any]]
    version_told: Callable[[ModelVersion], dict[str, Any]]

    def model(self, model: RegisteredModel) -> JsonAnswer:
        return JsonAnswer({"registered_model": self.model_told(model)})

    def version(self, version: ModelVersion) -> JsonAnswer:
        return JsonAnswer({"model_version": self.version_told(version)})


def add_shared(routes: APIRouter, registry: RegisteredModels, dialect: Dialect) -> None:
    """What is the same in every dialect."""
    models, versions = dialect.models, dialect.versions

    @routes.get(models + "/get")
    @requires(Permission.READ_EXPERIMENTS)
    def get(name: str) -> JsonAnswer:
        return dialect.model(registry.get(name))

    @routes.delete(models + "/delete")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(body: OfModel) -> JsonAnswer:
        registry.delete(body.name)
        return JsonAnswer({})

    @routes.get(versions + "/get")
    @requires(Permission.READ_EXPERIMENTS)
    def get_version(name: str, version: NumberInQuery) -> JsonAnswer:
        return dialect.version(registry.version(name, version))

    @routes.patch(versions + "/update")
    @requires(Permission.WRITE_EXPERIMENTS)
    def update_version(body: VersionDescription) -> JsonAnswer:
        changed = registry.update_version(body.name, body.version, description=body.description)
        return dialect.version(changed)

    @routes.delete(versions + "/delete")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_version(body: OfVersion) -> JsonAnswer:
        registry.delete_version(body.name, body.version)
        return JsonAnswer({})

    _labels(routes, registry, dialect)


def _labels(routes: APIRouter, registry: RegisteredModels, dialect: Dialect) -> None:
    models, versions = dialect.models, dialect.versions

    @routes.post(models + "/alias")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_alias(body: AliasOfVersion) -> JsonAnswer:
        registry.set_alias(body.name, body.alias, body.version)
        return JsonAnswer({})

    @routes.delete(models + "/alias")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_alias(body: Alias) -> JsonAnswer:
        registry.delete_alias(body.name, body.alias)
        return JsonAnswer({})

    @routes.get(models + "/alias")
    @requires(Permission.READ_EXPERIMENTS)
    def by_alias(name: str, alias: str) -> JsonAnswer:
        return dialect.version(registry.by_alias(name, alias))

    @routes.post(models + "/set-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_tag(body: ModelTag) -> JsonAnswer:
        registry.update(body.name, tags={body.key: body.value})
        return JsonAnswer({})

    @routes.delete(models + "/delete-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_tag(body: ModelTagKey) -> JsonAnswer:
        registry.update(body.name, tags={body.key: None})
        return JsonAnswer({})

    @routes.post(versions + "/set-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_version_tag(body: VersionTag) -> JsonAnswer:
        registry.update_version(body.name, body.version, tags={body.key: body.value})
        return JsonAnswer({})

    @routes.delete(versions + "/delete-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_version_tag(body: VersionTagKey) -> JsonAnswer:
        registry.update_version(body.name, body.version, tags={body.key: None})
        return JsonAnswer({})


def _versions(routes: APIRouter, registry: RegisteredModels, sources: Sources) -> None:
    @routes.post(_VERSIONS + "/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(request: Request, body: NewVersion) -> JsonAnswer:
        told = Source(body.source, body.run_id or None, body.model_id or None)
        sources.check(request, told, to_map(body.tags))
        made = registry.add_version(
            NewModelVersion(
                body.name,
                body.source,
                body.description,
                body.run_id or None,
                body.run_link,
                body.model_id or None,
                to_map(body.tags),
            )
        )
        return _PLAIN.version(made)

    @routes.get(_VERSIONS + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(query: Annotated[VersionSearch, Query()]) -> JsonAnswer:
        page = registry.find_versions(_query(query))
        return JsonAnswer(
            said(
                model_versions=[version_told(version) for version in page.items],
                next_page_token=page.next_page_token,
            )
        )


def _version_details(routes: APIRouter, registry: RegisteredModels, logged: LoggedModels) -> None:
    @routes.post(_VERSIONS + "/transition-stage")
    @requires(Permission.WRITE_EXPERIMENTS)
    def transition(body: Transition) -> JsonAnswer:
        moved = registry.move_version(
            body.name,
            body.version,
            body.stage,
            archives_others=body.archive_existing_versions,
        )
        return _PLAIN.version(moved)

    @routes.get(_VERSIONS + "/get-download-uri")
    @requires(Permission.READ_EXPERIMENTS)
    def get_download_uri(request: Request, name: str, version: NumberInQuery) -> JsonAnswer:
        found = registry.version(name, version)
        return JsonAnswer({"artifact_uri": download_uri(request, found, logged)})


def download_uri(request: Request, version: ModelVersion, logged: LoggedModels) -> str:
    """Where the files of a version are: of a logged model, in its own folder."""
    model_id = version.source.removeprefix(_LOGGED)
    if version.source.startswith(_LOGGED) and "/" not in model_id:
        return model_uri(request, logged.get(model_id))
    return version.source


def _query(told: ModelSearch) -> ListQuery:
    return ListQuery(
        told.filter or "", tuple(told.order_by), told.max_results, told.page_token or None
    )


def _versions_answer(versions: list[ModelVersion]) -> JsonAnswer:
    return JsonAnswer({"model_versions": [version_told(version) for version in versions]})


def model_told(model: RegisteredModel) -> dict[str, Any]:
    return said(
        name=model.name,
        creation_timestamp=model.creation_time_ms,
        last_updated_timestamp=model.last_update_time_ms,
        description=model.description or None,
        latest_versions=[version_told(version) for version in model.latest_versions],
        tags=from_map(model.tags),
        aliases=[
            {"alias": alias, "version": str(version)} for alias, version in model.aliases.items()
        ],
    )


def version_told(version: ModelVersion) -> dict[str, Any]:
    return said(
        name=version.name,
        version=str(version.version),
        creation_timestamp=version.creation_time_ms,
        last_updated_timestamp=version.last_update_time_ms,
        user_id=version.user_id,
        current_stage=version.stage,
        description=version.description,
        source=version.source,
        run_id=version.run_id or "",
        run_link=version.run_link,
        model_id=version.model_id,
        status=version.status,
        tags=from_map(version.tags),
        aliases=list(version.aliases),
    )


_PLAIN = Dialect(_MODELS, _VERSIONS, model_told, version_told)
