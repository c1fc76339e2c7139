"""The registry of a workspace's clients: `2.0/mlflow/unity-catalog/…`, names of three levels, over
the same registered models; and what they ask of the plain one beside all others.

A version begins as PENDING_REGISTRATION; the client puts its files in the folder that it is told,
by the Files API, and finalises it.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from tracelake.mlflow_api.artifacts import list_below, own_path
from tracelake.mlflow_api.registry import (
    Description,
    Dialect,
    NewModel,
    NumberInQuery,
    OfModel,
    OfVersion,
    add_shared,
    download_uri,
    model_told,
    version_told,
)
from tracelake.mlflow_api.route import Message, Tag, Text, said, to_map
from tracelake.mlflow_api.signed import Signer
from tracelake.model.entities import ModelVersion, RegisteredModel
from tracelake.model.errors import InvalidInput
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ListQuery
from tracelake.store.artifacts import Artifacts
from tracelake.store.logged_models import LoggedModels
from tracelake.store.registered_models import READY, NewModelVersion, RegisteredModels
from tracelake.web.answer import JsonAnswer

PENDING: Final = "PENDING_REGISTRATION"
_BASE: Final = "/2.0/mlflow/unity-catalog"
_MODELS: Final = _BASE + "/registered-models"
_VERSIONS: Final = _BASE + "/model-versions"
_LEVELS: Final = 3


class Update(Description):
    new_name: Text | None = None


class NewVersion(OfModel):
    source: Text
    run_id: Text | None = None
    description: Text = ""
    model_id: Text | None = None
    tags: list[Tag] = []


class Page(Message):
    filter: Text | None = None
    max_results: Annotated[int, Field(ge=1, le=10_000)] = 100
    page_token: Text | None = None


def add_unity_catalog(routes: APIRouter, registry: RegisteredModels) -> None:
    _models(routes, registry)
    add_shared(routes, registry, _CATALOG)
    _versions(routes, registry)
    _files(routes, registry)


def _models(routes: APIRouter, registry: RegisteredModels) -> None:
    @routes.post(_MODELS + "/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewModel) -> JsonAnswer:
        if body.name.count(".") != _LEVELS - 1 or not all(body.name.split(".")):
            raise InvalidInput(f"name {body.name!r}: use catalog.schema.model")
        return _CATALOG.model(registry.create(body.name, body.description, to_map(body.tags)))

    @routes.get(_MODELS + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(query: Annotated[Page, Query()]) -> JsonAnswer:
        page = registry.find(_query(query, "name LIKE '%.%.%'"))
        return JsonAnswer(
            said(
                registered_models=[_model_told(model) for model in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.patch(_MODELS + "/update")
    @requires(Permission.WRITE_EXPERIMENTS)
    def update(body: Update) -> JsonAnswer:
        if body.new_name:
            return _CATALOG.model(registry.rename(body.name, body.new_name))
        return _CATALOG.model(registry.update(body.name, description=body.description))


def _versions(routes: APIRouter, registry: RegisteredModels) -> None:
    @routes.post(_VERSIONS + "/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewVersion) -> JsonAnswer:
        made = registry.add_version(
            NewModelVersion(
                body.name,
                body.source,
                body.description,
                body.run_id or None,
                model_id=body.model_id or None,
                tags=to_map(body.tags),
                status=PENDING,
            )
        )
        return _CATALOG.version(made)

    @routes.post(_VERSIONS + "/finalize")
    @requires(Permission.WRITE_EXPERIMENTS)
    def finalise(body: OfVersion) -> JsonAnswer:
        return _CATALOG.version(registry.update_version(body.name, body.version, status=READY))

    @routes.get(_VERSIONS + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(query: Annotated[Page, Query()]) -> JsonAnswer:
        page = registry.find_versions(_query(query, "name LIKE '%.%.%'"))
        return JsonAnswer(
            said(
                model_versions=[_version_told(version) for version in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.post(_VERSIONS + "/emit-lineage")
    @requires(Permission.READ_EXPERIMENTS)
    def emit_lineage() -> JsonAnswer:
        """Which notebook used a version is nothing to us."""
        return JsonAnswer({})


def _files(routes: APIRouter, registry: RegisteredModels) -> None:
    @routes.get(_MODELS + ":is-databricks-sdk-models-artifact-repository-enabled")
    @requires(Permission.READ_EXPERIMENTS)
    def uses_files_api() -> JsonAnswer:
        return JsonAnswer({"is_databricks_sdk_models_artifact_repository_enabled": True})

    @routes.get(_VERSIONS + "/get-download-uri")
    @requires(Permission.READ_EXPERIMENTS)
    def get_download_uri(name: str, version: NumberInQuery) -> JsonAnswer:
        found = registry.version(name, version)
        return JsonAnswer({"artifact_uri": f"dbfs:/{_folder(found)}"})


def add_workspace_registry(
    routes: APIRouter,
    registry: RegisteredModels,
    logged: LoggedModels,
    artifacts: Artifacts,
    signer: Signer,
) -> None:
    """Files of versions in the plain registry, which these clients read by signed addresses."""

    def root_of(request: Request, name: str, version: int) -> str:
        return own_path(download_uri(request, registry.version(name, version), logged))

    @routes.get("/2.0/mlflow/model-versions/list-artifacts")
    @requires(Permission.READ_EXPERIMENTS)
    def list_artifacts(
        request: Request, name: str, version: NumberInQuery, path: str = ""
    ) -> JsonAnswer:
        return JsonAnswer({"files": list_below(artifacts, root_of(request, name, version), path)})

    @routes.get("/2.0/mlflow/model-versions/get-signed-download-uri")
    @requires(Permission.READ_EXPERIMENTS)
    def signed_uri(request: Request, name: str, version: NumberInQuery, path: str) -> JsonAnswer:
        file = f"{root_of(request, name, version)}/{path}"
        return JsonAnswer({"signed_uri": signer.url(request, "GET", file), "headers": []})


def _query(told: Page, only: str) -> ListQuery:
    filter = f"{only} AND {told.filter}" if told.filter else only
    return ListQuery(filter, (), told.max_results, told.page_token or None)


def _folder(version: ModelVersion) -> str:
    return "/".join(("Models", *version.name.split("."), str(version.version)))


def _model_told(model: RegisteredModel) -> dict[str, Any]:
    told = model_told(model)
    told.pop("latest_versions")
    return told


def _version_told(version: ModelVersion) -> dict[str, Any]:
    told = version_told(version)
    told.pop("current_stage")
    told.pop("run_link")
    if not told["run_id"]:
        told.pop("run_id")
    return told | {
        "aliases": [{"alias": alias, "version": str(version.version)} for alias in version.aliases],
        "storage_location": f"dbfs:/{_folder(version)}",
    }


_CATALOG = Dialect(_MODELS, _VERSIONS, _model_told, _version_told)
