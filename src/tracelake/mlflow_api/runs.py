"""Runs and their metrics: `2.0/mlflow/runs/…`, `2.0/mlflow/metrics/…`."""

import math
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request

from tracelake.mlflow_api.artifacts import list_below, own_path
from tracelake.mlflow_api.experiments import VIEWS, ViewType
from tracelake.mlflow_api.flavour import artifact_root
from tracelake.mlflow_api.route import Message, Tag, Text, from_map, said, to_map
from tracelake.model.entities import DatasetInput, Metric, ModelOutput, Run, RunStatus
from tracelake.model.errors import InvalidInput
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ListQuery
from tracelake.store.artifacts import Artifacts
from tracelake.store.runs import NewRun, RunChange, Runs
from tracelake.web.answer import JsonAnswer

_MOST_METRICS: Final = 25_000
_INT64: Final = 2**63
Milliseconds = Annotated[int, Field(gt=-_INT64, lt=_INT64)]
Status = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]


class OfRun(Message):
    """Old clients say `run_uuid`."""

    run_id: Text = ""
    run_uuid: Text = ""

    @property
    def id(self) -> str:
        if not (self.run_id or self.run_uuid):
            raise InvalidInput("run_id: Field required")
        return self.run_id or self.run_uuid


class NewRunMessage(Message):
    experiment_id: Text = "0"
    user_id: Text = ""
    run_name: Text = ""
    start_time: Milliseconds | None = None
    tags: list[Tag] = []


class RunUpdate(OfRun):
    status: Status | None = None
    end_time: Milliseconds | None = None
    run_name: Text | None = None


class MetricMessage(Message):
    key: Text
    value: float
    """JSON has no NaN or infinity: they come as texts."""
    timestamp: Milliseconds
    step: Milliseconds = 0
    model_id: Text | None = None
    dataset_name: Text | None = None
    dataset_digest: Text | None = None


class OneMetric(OfRun, MetricMessage):
    pass


class OneParam(OfRun, Tag):
    pass


class RunTagKey(OfRun):
    key: Text


class Batch(OfRun):
    metrics: list[MetricMessage] = []
    params: list[Tag] = []
    tags: list[Tag] = []


class DatasetMessage(Message):
    name: Text
    digest: Text
    source_type: Text
    source: Text
    schema_: Annotated[Text | None, Field(alias="schema")] = None
    profile: Text | None = None


class DatasetInputMessage(Message):
    dataset: DatasetMessage
    tags: list[Tag] = []


class ModelMessage(Message):
    model_id: Text
    step: Milliseconds = 0


class Inputs(OfRun):
    datasets: list[DatasetInputMessage] = []
    models: list[ModelMessage] = []


class Outputs(OfRun):
    models: list[ModelMessage] = []


class RunSearch(Message):
    experiment_ids: list[Text] = []
    filter: Text | None = None
    run_view_type: ViewType = "ACTIVE_ONLY"
    max_results: Annotated[int, Field(ge=1, le=50_000)] = 1000
    order_by: list[Text] = []
    page_token: Text | None = None


class DatasetSearch(Message):
    experiment_ids: list[Text]


class LoggedModelJson(OfRun):
    model_json: Text


def add_runs(routes: APIRouter, runs: Runs, artifacts: Artifacts) -> None:
    _lifecycle(routes, runs)
    _logging(routes, runs)
    _metrics(routes, runs)

    @routes.get("/2.0/mlflow/artifacts/list")
    @requires(Permission.READ_EXPERIMENTS)
    def list_artifacts(
        request: Request, run_id: str = "", run_uuid: str = "", path: str = ""
    ) -> JsonAnswer:
        run = runs.get(OfRun(run_id=run_id, run_uuid=run_uuid).id)
        uri = run_uri(request, run)
        return JsonAnswer({"root_uri": uri, "files": list_below(artifacts, own_path(uri), path)})


def _lifecycle(routes: APIRouter, runs: Runs) -> None:
    @routes.post("/2.0/mlflow/runs/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(request: Request, body: NewRunMessage) -> JsonAnswer:
        made = runs.create(
            NewRun(
                body.experiment_id, body.run_name, body.user_id, body.start_time, to_map(body.tags)
            )
        )
        return JsonAnswer({"run": run_message(request, made)})

    @routes.get("/2.0/mlflow/runs/get")
    @requires(Permission.READ_EXPERIMENTS)
    def get(request: Request, run_id: str = "", run_uuid: str = "") -> JsonAnswer:
        asked = OfRun(run_id=run_id, run_uuid=run_uuid)
        return JsonAnswer({"run": run_message(request, runs.get(asked.id))})

    @routes.post("/2.0/mlflow/runs/update")
    @requires(Permission.WRITE_EXPERIMENTS)
    def change(request: Request, body: RunUpdate) -> JsonAnswer:
        status = None if body.status is None else RunStatus(body.status)
        changed = runs.update(body.id, RunChange(status, body.end_time, body.run_name))
        return JsonAnswer({"run_info": run_message(request, changed)["info"]})

    @routes.post("/2.0/mlflow/runs/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(request: Request, body: RunSearch) -> JsonAnswer:
        page = runs.find(
            body.experiment_ids,
            ListQuery(
                body.filter or "", tuple(body.order_by), body.max_results, body.page_token or None
            ),
            VIEWS[body.run_view_type],
            artifact_root=artifact_root(request),
        )
        return JsonAnswer(
            said(
                runs=[run_message(request, run) for run in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.post("/2.0/mlflow/runs/delete")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(body: OfRun) -> JsonAnswer:
        runs.delete(body.id)
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/restore")
    @requires(Permission.WRITE_EXPERIMENTS)
    def restore(body: OfRun) -> JsonAnswer:
        runs.restore(body.id)
        return JsonAnswer({})


def _logging(routes: APIRouter, runs: Runs) -> None:
    @routes.post("/2.0/mlflow/runs/log-metric")
    @requires(Permission.WRITE_EXPERIMENTS)
    def log_metric(body: OneMetric) -> JsonAnswer:
        runs.log(body.id, metrics=[_metric(body)])
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/log-parameter")
    @requires(Permission.WRITE_EXPERIMENTS)
    def log_parameter(body: OneParam) -> JsonAnswer:
        runs.log(body.id, params={body.key: body.value})
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/set-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_tag(body: OneParam) -> JsonAnswer:
        runs.log(body.id, tags={body.key: body.value})
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/delete-tag")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_tag(body: RunTagKey) -> JsonAnswer:
        runs.delete_tag(body.id, body.key)
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/log-batch")
    @requires(Permission.WRITE_EXPERIMENTS)
    def log_batch(body: Batch) -> JsonAnswer:
        params: dict[str, str] = {}
        for param in body.params:
            if params.setdefault(param.key, param.value) != param.value:
                raise InvalidInput(f"params: {param.key!r} has two values")
        runs.log(
            body.id,
            metrics=[_metric(metric) for metric in body.metrics],
            params=params,
            tags=to_map(body.tags),
        )
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/log-inputs")
    @requires(Permission.WRITE_EXPERIMENTS)
    def log_inputs(body: Inputs) -> JsonAnswer:
        datasets = [_dataset(told) for told in body.datasets]
        runs.log_inputs(body.id, datasets, [model.model_id for model in body.models])
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/outputs")
    @requires(Permission.WRITE_EXPERIMENTS)
    def log_outputs(body: Outputs) -> JsonAnswer:
        runs.log_outputs(body.id, [ModelOutput(m.model_id, m.step) for m in body.models])
        return JsonAnswer({})

    @routes.post("/2.0/mlflow/runs/log-model")
    @requires(Permission.WRITE_EXPERIMENTS)
    def log_model(body: LoggedModelJson) -> JsonAnswer:
        """Clients before version 3 keep the models of a run as a JSON list in a tag of it."""
        before = runs.get(body.id).tags.get(_MODELS_TAG, "[]")
        inside = before.strip()[1:-1].strip()
        told = f"{inside}, {body.model_json}" if inside else body.model_json
        runs.log(body.id, tags={_MODELS_TAG: f"[{told}]"})
        return JsonAnswer({})


_MODELS_TAG: Final = "mlflow.log-model.history"


def _metrics(routes: APIRouter, runs: Runs) -> None:
    @routes.get("/2.0/mlflow/metrics/get-history")
    @requires(Permission.READ_EXPERIMENTS)
    def history(
        metric_key: str,
        run_id: str = "",
        run_uuid: str = "",
        max_results: Annotated[int, Query(ge=1)] = _MOST_METRICS,
        page_token: str | None = None,
    ) -> JsonAnswer:
        page = runs.metric_history(
            OfRun(run_id=run_id, run_uuid=run_uuid).id,
            metric_key,
            max_results=min(max_results, _MOST_METRICS),
            page_token=page_token or None,
        )
        return JsonAnswer(
            said(
                metrics=[metric_message(metric) for metric in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.get("/2.0/mlflow/metrics/get-history-bulk")
    @requires(Permission.READ_EXPERIMENTS)
    def whole_history_of_runs(
        run_id: Annotated[list[str], Query(max_length=100)],
        metric_key: str,
        max_results: Annotated[int, Query(ge=1)] = _MOST_METRICS,
    ) -> JsonAnswer:
        told: list[dict[str, Any]] = []
        for each in sorted(run_id):
            most = min(max_results, _MOST_METRICS) - len(told)
            if most > 0:
                page = runs.metric_history(each, metric_key, max_results=most)
                told += [metric_message(metric) | {"run_id": each} for metric in page.items]
        return JsonAnswer({"metrics": told})

    @routes.get("/2.0/mlflow/metrics/get-history-bulk-interval")
    @requires(Permission.READ_EXPERIMENTS)
    def history_of_runs(
        run_ids: Annotated[list[str], Query(max_length=100)],
        metric_key: str,
        start_step: int | None = None,
        end_step: int | None = None,
        max_results: Annotated[int, Query(ge=1, le=2500)] = 2500,
    ) -> JsonAnswer:
        """For charts: of each run as many points as may be shown, evenly, the last among them."""
        told: list[dict[str, Any]] = []
        for run_id in run_ids:
            page = runs.metric_history(run_id, metric_key, max_results=_MOST_METRICS)
            found = [
                metric
                for metric in page.items
                if (start_step is None or metric.step >= start_step)
                and (end_step is None or metric.step <= end_step)
            ]
            every = math.ceil(len(found) / max_results) or 1
            shown = [*found[::every], *(found[-1:] if (len(found) - 1) % every else [])]
            told += [metric_message(metric) | {"run_id": run_id} for metric in shown]
        return JsonAnswer({"metrics": told})

    @routes.post("/2.0/mlflow/experiments/search-datasets")
    @requires(Permission.READ_EXPERIMENTS)
    def search_datasets(body: DatasetSearch) -> JsonAnswer:
        found = runs.datasets_of(body.experiment_ids, 1000)
        return JsonAnswer(
            {
                "dataset_summaries": [
                    said(
                        experiment_id=experiment_id,
                        name=dataset.name,
                        digest=dataset.digest,
                        context=dataset.tags.get("mlflow.data.context"),
                    )
                    for experiment_id, dataset in found
                ]
            }
        )


def run_uri(request: Request, run: Run) -> str:
    """Where its files are."""
    root = run.artifact_location or f"{artifact_root(request)}/{run.experiment_id}"
    return f"{root.rstrip('/')}/{run.run_id}/artifacts"


def run_message(request: Request, run: Run) -> dict[str, Any]:
    return {
        "info": said(
            run_id=run.run_id,
            run_uuid=run.run_id,
            run_name=run.name,
            experiment_id=run.experiment_id,
            user_id=run.user_id,
            status=run.status,
            start_time=run.start_time_ms,
            end_time=run.end_time_ms,
            artifact_uri=run_uri(request, run),
            lifecycle_stage="deleted" if run.is_deleted else "active",
        ),
        "data": {
            "metrics": [metric_message(metric) for metric in run.metrics],
            "params": from_map(run.params),
            "tags": from_map(run.tags),
        },
        "inputs": {
            "dataset_inputs": [_dataset_message(dataset) for dataset in run.datasets],
            "model_inputs": [{"model_id": model_id} for model_id in run.model_inputs],
        },
        "outputs": {
            "model_outputs": [
                {"model_id": model.model_id, "step": model.step} for model in run.model_outputs
            ]
        },
    }


def metric_message(metric: Metric) -> dict[str, Any]:
    value: float | str = metric.value
    if not math.isfinite(value):
        value = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return said(
        key=metric.key,
        value=value,
        timestamp=metric.timestamp_ms,
        step=metric.step,
        model_id=metric.model_id,
        dataset_name=metric.dataset_name,
        dataset_digest=metric.dataset_digest,
        run_id=metric.run_id,
    )


def _metric(told: MetricMessage) -> Metric:
    return Metric(
        told.key,
        told.value,
        told.timestamp,
        told.step,
        told.model_id or None,
        told.dataset_name,
        told.dataset_digest,
    )


def _dataset(told: DatasetInputMessage) -> DatasetInput:
    dataset = told.dataset
    return DatasetInput(
        dataset.name,
        dataset.digest,
        dataset.source_type,
        dataset.source,
        dataset.schema_,
        dataset.profile,
        to_map(told.tags),
    )


def _dataset_message(dataset: DatasetInput) -> dict[str, Any]:
    return {
        "dataset": said(
            name=dataset.name,
            digest=dataset.digest,
            source_type=dataset.source_type,
            source=dataset.source,
            schema=dataset.schema,
            profile=dataset.profile,
        ),
        "tags": from_map(dataset.tags),
    }
