"""Logged models: `2.0/mlflow/logged-models/…`."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request

from tracelake.mlflow_api.artifacts import list_below, own_path
from tracelake.mlflow_api.flavour import artifact_root, is_of_workspace
from tracelake.mlflow_api.route import Message, Tag, Text, from_map, said, to_map
from tracelake.mlflow_api.runs import metric_message
from tracelake.model.entities import LoggedModel
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ListQuery
from tracelake.store.artifacts import Artifacts
from tracelake.store.logged_models import LoggedModels, MeasuredOn, NewLoggedModel
from tracelake.web.answer import JsonAnswer

_BASE = "/2.0/mlflow/logged-models"
_STATUS_NUMBERS = {
    0: "LOGGED_MODEL_STATUS_UNSPECIFIED",
    1: "LOGGED_MODEL_PENDING",
    2: "LOGGED_MODEL_READY",
    3: "LOGGED_MODEL_UPLOAD_FAILED",
}


class NewModel(Message):
    experiment_id: Text
    name: Text = ""
    model_type: Text = ""
    source_run_id: Text | None = None
    params: list[Tag] = []
    tags: list[Tag] = []


class Finish(Message):
    status: Text | int


class Tags(Message):
    tags: list[Tag] = []


class Params(Message):
    params: list[Tag] = []


class Dataset(Message):
    dataset_name: Annotated[Text, Field(min_length=1)]
    dataset_digest: Text | None = None


class OrderBy(Message):
    field_name: Text
    ascending: bool = True
    dataset_name: Text | None = None
    dataset_digest: Text | None = None


class Search(Message):
    experiment_ids: list[Text] = []
    datasets: list[Dataset] = []
    filter: Text | None = None
    max_results: Annotated[int, Field(ge=1, le=1000)] = 100
    order_by: list[OrderBy] = []
    page_token: Text | None = None


def add_logged_models(routes: APIRouter, models: LoggedModels, artifacts: Artifacts) -> None:
    @routes.post(_BASE)
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(request: Request, body: NewModel) -> JsonAnswer:
        made = models.create(
            NewLoggedModel(
                body.experiment_id,
                body.name,
                body.model_type,
                body.source_run_id or None,
                to_map(body.params),
                to_map(body.tags),
            )
        )
        return JsonAnswer({"model": model_message(request, made)})

    @routes.post(_BASE + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(request: Request, body: Search) -> JsonAnswer:
        page = models.find(
            body.experiment_ids,
            ListQuery(
                body.filter or "",
                tuple(_order(each) for each in body.order_by),
                body.max_results,
                body.page_token or None,
            ),
            [MeasuredOn(each.dataset_name, each.dataset_digest or None) for each in body.datasets],
            {
                each.field_name.partition(".")[2].strip("`"): MeasuredOn(
                    each.dataset_name, each.dataset_digest or None
                )
                for each in body.order_by
                if each.dataset_name
            },
        )
        return JsonAnswer(
            said(
                models=[model_message(request, model) for model in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.get(_BASE + "/{model_id}")
    @requires(Permission.READ_EXPERIMENTS)
    def get(request: Request, model_id: str) -> JsonAnswer:
        return JsonAnswer({"model": model_message(request, models.get(model_id))})

    @routes.patch(_BASE + "/{model_id}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def finish(request: Request, model_id: str, body: Finish) -> JsonAnswer:
        status = body.status
        word = _STATUS_NUMBERS.get(status, str(status)) if isinstance(status, int) else status
        return JsonAnswer({"model": model_message(request, models.finish(model_id, word))})

    @routes.delete(_BASE + "/{model_id}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(model_id: str) -> JsonAnswer:
        models.delete(model_id)
        return JsonAnswer({})

    @routes.patch(_BASE + "/{model_id}/tags")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_tags(model_id: str, body: Tags) -> JsonAnswer:
        models.set_tags(model_id, to_map(body.tags))
        return JsonAnswer({})

    @routes.delete(_BASE + "/{model_id}/tags/{key:path}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_tag(model_id: str, key: str) -> JsonAnswer:
        models.delete_tag(model_id, key)
        return JsonAnswer({})

    @routes.post(_BASE + "/{model_id}/params")
    @requires(Permission.WRITE_EXPERIMENTS)
    def log_params(model_id: str, body: Params) -> JsonAnswer:
        models.log_params(model_id, to_map(body.params))
        return JsonAnswer({})

    @routes.get(_BASE + "/{model_id}/artifacts/directories")
    @requires(Permission.READ_EXPERIMENTS)
    def list_artifacts(
        request: Request, model_id: str, artifact_directory_path: str = ""
    ) -> JsonAnswer:
        uri = model_uri(request, models.get(model_id))
        files = list_below(artifacts, own_path(uri), artifact_directory_path)
        return JsonAnswer({"root_uri": uri, "files": files})


def model_uri(request: Request, model: LoggedModel) -> str:
    """Where its files are."""
    root = model.artifact_location or f"{artifact_root(request)}/{model.experiment_id}"
    folder = "logged_models" if is_of_workspace(request) else "models"
    return f"{root.rstrip('/')}/{folder}/{model.model_id}/artifacts"


def model_message(request: Request, model: LoggedModel) -> dict[str, Any]:
    return {
        "info": said(
            model_id=model.model_id,
            experiment_id=model.experiment_id,
            name=model.name,
            model_type=model.model_type,
            source_run_id=model.source_run_id,
            status=model.status,
            creation_timestamp_ms=model.creation_time_ms,
            last_updated_timestamp_ms=model.last_update_time_ms,
            artifact_uri=model_uri(request, model),
            tags=from_map(model.tags),
        ),
        "data": {
            "params": from_map(model.params),
            "metrics": [metric_message(metric) for metric in model.metrics],
        },
    }


def _order(told: OrderBy) -> str:
    return f"{told.field_name} {'ASC' if told.ascending else 'DESC'}"
