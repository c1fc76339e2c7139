"""Evaluation datasets: `3.0/mlflow/datasets/…`. Tags, records and more are JSON within texts."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from tracelake.mlflow_api.route import Message, Text, said
from tracelake.model.entities import JsonValue
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.jsonvalue import as_list, as_object, checked
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ListQuery
from tracelake.store.evaluation_datasets import (
    DatasetRecord,
    EvaluationDataset,
    EvaluationDatasets,
    NewRecord,
)
from tracelake.web.answer import JsonAnswer

_BASE = "/3.0/mlflow/datasets"
_ONE = _BASE + "/{dataset_id}"
_UNKNOWN_SOURCE = "SOURCE_TYPE_UNSPECIFIED"


class NewDataset(Message):
    name: Text
    experiment_ids: list[Text] = []
    tags: Text | None = None


class Search(Message):
    experiment_ids: list[Text] = []
    filter_string: Text | None = None
    max_results: Annotated[int, Field(ge=1, le=1000)] = 1000
    order_by: list[Text] = []
    page_token: Text | None = None


class Tags(Message):
    tags: Text


class Records(Message):
    records: Annotated[str, Field(max_length=200_000_000)]


class RecordIds(Message):
    dataset_record_ids: list[Text]


class ExperimentIds(Message):
    experiment_ids: list[Text]


def add_datasets(routes: APIRouter, datasets: EvaluationDatasets) -> None:
    _datasets(routes, datasets)
    _records(routes, datasets)


def _datasets(routes: APIRouter, datasets: EvaluationDatasets) -> None:
    @routes.post(_BASE + "/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewDataset) -> JsonAnswer:
        tags = {key: _word(value) for key, value in _object(body.tags, "tags").items()}
        return _answer(datasets.create(body.name, body.experiment_ids, tags))

    @routes.post(_BASE + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search(body: Search) -> JsonAnswer:
        return _found(body)

    @routes.get(_BASE + "/search")
    @requires(Permission.READ_EXPERIMENTS)
    def search_by_query(query: Annotated[Search, Query()]) -> JsonAnswer:
        return _found(query)

    def _found(search: Search) -> JsonAnswer:
        page = datasets.find(
            search.experiment_ids or None,
            ListQuery(
                search.filter_string or "",
                tuple(search.order_by),
                search.max_results,
                search.page_token or None,
            ),
        )
        return JsonAnswer(
            said(
                datasets=[dataset_message(each) for each in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.get(_ONE)
    @requires(Permission.READ_EXPERIMENTS)
    def get(dataset_id: str) -> JsonAnswer:
        return _answer(datasets.get(dataset_id))

    @routes.delete(_ONE)
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(dataset_id: str) -> JsonAnswer:
        datasets.delete(dataset_id)
        return JsonAnswer({})

    @routes.patch(_ONE + "/tags")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_tags(dataset_id: str, body: Tags) -> JsonAnswer:
        """Tags whose value is null stay as they are."""
        told = _object(body.tags, "tags")
        tags = {key: _word(value) for key, value in told.items() if value is not None}
        return _answer(datasets.update_tags(dataset_id, tags))

    @routes.delete(_ONE + "/tags/{key:path}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_tag(dataset_id: str, key: str) -> JsonAnswer:
        if key not in datasets.get(dataset_id).tags:
            raise NotFound(f"Dataset {dataset_id} has no tag {key!r}")
        return _answer(datasets.update_tags(dataset_id, {key: None}))

    @routes.get(_ONE + "/experiment-ids")
    @requires(Permission.READ_EXPERIMENTS)
    def experiment_ids(dataset_id: str) -> JsonAnswer:
        return JsonAnswer({"experiment_ids": list(datasets.get(dataset_id).experiment_ids)})

    @routes.post(_ONE + "/add-experiments")
    @requires(Permission.WRITE_EXPERIMENTS)
    def add_experiments(dataset_id: str, body: ExperimentIds) -> JsonAnswer:
        return _answer(datasets.add_experiments(dataset_id, body.experiment_ids))

    @routes.post(_ONE + "/remove-experiments")
    @requires(Permission.WRITE_EXPERIMENTS)
    def remove_experiments(dataset_id: str, body: ExperimentIds) -> JsonAnswer:
        return _answer(datasets.remove_experiments(dataset_id, body.experiment_ids))


def _records(routes: APIRouter, datasets: EvaluationDatasets) -> None:
    @routes.post(_ONE + "/records")
    @requires(Permission.WRITE_EXPERIMENTS)
    def merge(dataset_id: str, body: Records) -> JsonAnswer:
        told = as_list(_json(body.records, "records"))
        if told is None:
            raise InvalidInput("records: not a JSON list")
        added, changed = datasets.merge(dataset_id, [_record(each) for each in told])
        return JsonAnswer({"inserted_count": added, "updated_count": changed})

    @routes.get(_ONE + "/records")
    @requires(Permission.READ_EXPERIMENTS)
    def get_records(
        dataset_id: str,
        max_results: Annotated[int, Query(ge=1, le=10_000)] = 1000,
        page_token: str | None = None,
    ) -> JsonAnswer:
        page = datasets.records(dataset_id, max_results=max_results, page_token=page_token or None)
        return JsonAnswer(
            said(
                records=json.dumps([_record_message(record) for record in page.items]),
                next_page_token=page.next_page_token,
            )
        )

    @routes.delete(_ONE + "/records")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete_records(dataset_id: str, body: RecordIds) -> JsonAnswer:
        return JsonAnswer(
            {"deleted_count": datasets.delete_records(dataset_id, body.dataset_record_ids)}
        )


def _answer(dataset: EvaluationDataset) -> JsonAnswer:
    return JsonAnswer({"dataset": dataset_message(dataset)})


def dataset_message(dataset: EvaluationDataset) -> dict[str, Any]:
    has_records = dataset.record_count > 0
    return said(
        dataset_id=dataset.dataset_id,
        name=dataset.name,
        tags=json.dumps(dataset.tags),
        schema=json.dumps(dataset.fields) if has_records else None,
        profile=json.dumps({"num_records": dataset.record_count}) if has_records else None,
        digest=dataset.digest,
        created_time=dataset.creation_time_ms,
        last_update_time=dataset.last_update_time_ms,
        created_by=dataset.created_by,
        last_updated_by=dataset.last_updated_by,
        experiment_ids=list(dataset.experiment_ids),
    )


def _record_message(record: DatasetRecord) -> dict[str, Any]:
    source = record.source or {}
    return {
        "dataset_record_id": record.record_id,
        "dataset_id": record.dataset_id,
        "inputs": record.inputs,
        "outputs": record.outputs,
        "expectations": record.expectations,
        "tags": record.tags,
        "source": record.source,
        "source_type": source.get("source_type", _UNKNOWN_SOURCE),
        "created_time": record.creation_time_ms,
        "last_update_time": record.last_update_time_ms,
        "created_by": record.created_by,
        "last_updated_by": record.last_updated_by,
    }


def _record(told: JsonValue) -> NewRecord:
    record = as_object(checked(told))
    inputs = None if record is None else as_object(record.get("inputs"))
    if record is None or inputs is None:
        raise InvalidInput("records: each is an object with `inputs`, which is an object too")
    return NewRecord(
        inputs,
        record.get("outputs"),
        "outputs" in record,
        as_object(record.get("expectations")),
        {key: _word(value) for key, value in (as_object(record.get("tags")) or {}).items()},
        as_object(record.get("source")),
    )


def _object(text: str | None, name: str) -> Mapping[str, JsonValue]:
    told = as_object(_json(text or "{}", name))
    if told is None:
        raise InvalidInput(f"{name}: not a JSON object")
    return told


def _json(text: str, name: str) -> JsonValue:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name}: not JSON: {error}") from error


def _word(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
