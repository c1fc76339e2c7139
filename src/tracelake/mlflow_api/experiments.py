"""Experiments: `2.0/mlflow/experiments/…`."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from tracelake.mlflow_api.flavour import artifact_root
from tracelake.mlflow_api.route import Message, Tag, Text, from_map, said, to_map
from tracelake.model.entities import Experiment
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import Experiments, ListQuery, View
from tracelake.web.answer import JsonAnswer

ViewType = Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]
VIEWS: dict[ViewType, View] = {
    "ACTIVE_ONLY": View.ACTIVE,
    "DELETED_ONLY": View.DELETED,
    "ALL": View.ALL,
}


class NewExperiment(Message):
    name: Text
    artifact_location: Text | None = None
    tags: list[Tag] = []


class Search(Message):
    filter: Text | None = None
    order_by: list[Text] = []
    max_results: Annotated[int, Field(ge=1, le=50_000)] = 1000
    page_token: Text | None = None
    view_type: ViewType = "ACTIVE_ONLY"


class OfExperiment(Message):
    experiment_id: Text


class Rename(OfExperiment):
    new_name: Text | None = None


class ExperimentTag(OfExperiment, Tag):
    pass


class ExperimentTagKey(OfExperiment):
    key: Text


def add_experiments(routes: APIRouter, experiments: Experiments) -> None:
    @routes.post("/2.0/mlflow/experiments/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewExperiment) -> JsonAnswer:
        made = experiments.create(body.name, to_map(body.tags), body.artifact_location)
        return JsonAnswer({"experiment_id": made.experiment_id})

    @routes.get("/2.0/mlflow/experiments/get")
    @requires(Permission.READ_EXPERIMENTS)
    def get(request: Request, experiment_id: str) -> JsonAnswer:
        return _answer(request, experiments.get(experiment_id))

    @routes.get("/2.0/mlflow/experiments/get-by-name")
    @requires(Permission.READ_EXPERIMENTS)
    def get_by_name(request: Request, experiment_name: str) -> JsonAnswer:
        return _answer(request, experiments.get_by_name(experiment_name))

    @routes.post("/2.0/mlflow/experiments/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(request: Request, body: Search) -> JsonAnswer:
        return _found(request, body)

    @routes.get("/2.0/mlflow/experiments/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search_by_query(request: Request, query: Annotated[Search, Query()]) -> JsonAnswer:
        return _found(request, query)

    def _found(request: Request, search: Search) -> JsonAnswer:
        page = experiments.find(
            ListQuery(
                search.filter or "",
                tuple(search.order_by),
                search.max_results,
                search.page_token or None,
            ),
            VIEWS[search.view_type],
        )
        return JsonAnswer(
            said(
                experiments=[experiment_message(request, item) for item in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.post("/2.0/mlflow/experiments/update")
    @requires(Permission.WRITE_EXPERIMENTS)
    def rename(body: Rename) -> JsonAnswer:
        if not body.new_name:
            raise InvalidInput("new_name: an experiment needs a name")
        experiments.update(body.experiment_id, name=body.new_name)
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/experiments/delete")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(body: OfExperiment) -> JsonAnswer:
        experiments.delete(body.experiment_id)
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/experiments/restore")
    @requires(Permission.WRITE_EXPERIMENTS)
    def restore(body: OfExperiment) -> JsonAnswer:
        experiments.restore(body.experiment_id)
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/experiments/set-experiment-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_tag(body: ExperimentTag) -> JsonAnswer:
        experiments.update(body.experiment_id, tags={body.key: body.value})
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/experiments/delete-experiment-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_tag(body: ExperimentTagKey) -> JsonAnswer:
        if body.key not in experiments.get(body.experiment_id).tags:
            raise NotFound(f"Experiment {body.experiment_id} has no tag {body.key!r}")
        experiments.update(body.experiment_id, tags={body.key: None})
        return JsonAnswer({})


def _answer(request: Request, experiment: Experiment) -> JsonAnswer:
    return JsonAnswer({"experiment": experiment_message(request, experiment)})


def experiment_message(request: Request, experiment: Experiment) -> dict[str, Any]:
    own = f"{artifact_root(request)}/{experiment.experiment_id}"
    return {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "artifact_location": experiment.artifact_location or own,
        "lifecycle_stage": "deleted" if experiment.is_deleted else "active",
        "creation_time": experiment.creation_time_ms,
        "last_update_time": experiment.last_update_time_ms,
        "tags": from_map(experiment.tags),
    }
