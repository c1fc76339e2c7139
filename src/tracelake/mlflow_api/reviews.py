"""Label schemas and review queues: `3.0/mlflow/label-schemas/…`, `3.0/mlflow/review-queues/…`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from tracelake.mlflow_api.route import Message, Text, said
from tracelake.model.errors import InvalidInput
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import ListQuery
from tracelake.store.label_schemas import LabelSchema, LabelSchemas, NewLabelSchema
from tracelake.store.reviews import ReviewItem, ReviewQueue, Reviews
from tracelake.web.answer import JsonAnswer

_SCHEMAS = "/3.0/mlflow/label-schemas"
_QUEUES = "/3.0/mlflow/review-queues"
_ITEMS = _QUEUES + "/items"
_KINDS = ("pass_fail", "categorical", "numeric", "text")
PageSize = Annotated[int, Query(ge=1, le=1000)]


class NewSchema(Message):
    experiment_id: Text
    name: Text
    type: Text
    input: dict[str, Any]
    instruction: Text | None = None
    enable_comment: bool = False


class SchemaUpdate(Message):
    schema_id: Text
    name: Text | None = None
    instruction: Text | None = None
    enable_comment: bool | None = None
    input: dict[str, Any] | None = None


class SchemaId(Message):
    schema_id: Text


class NewQueue(Message):
    experiment_id: Text
    name: Text
    queue_type: Text
    created_by: Text | None = None
    users: list[Text] = []
    schema_ids: list[Text] = []


class UserQueue(Message):
    experiment_id: Text
    user: Text


class QueueUpdate(Message):
    queue_id: Text
    update_users: bool = False
    users: list[Text] = []
    update_schema_ids: bool = False
    schema_ids: list[Text] = []
    name: Text | None = None
    new_owner: Text | None = None


class QueueId(Message):
    queue_id: Text


class Items(QueueId):
    item_ids: Annotated[list[Text], Field(min_length=1, max_length=1000)]


class ItemStatus(QueueId):
    item_id: Text
    status: Text
    completed_by: Text | None = None


def add_reviews(routes: APIRouter, schemas: LabelSchemas, reviews: Reviews) -> None:
    _schemas(routes, schemas)
    _queues(routes, reviews)
    _items(routes, reviews)


def _schemas(routes: APIRouter, schemas: LabelSchemas) -> None:
    @routes.post(_SCHEMAS + "/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewSchema) -> JsonAnswer:
        new = NewLabelSchema(
            body.name, body.type, _checked(body.input), body.instruction, body.enable_comment
        )
        return _schema_answer(schemas.create(body.experiment_id, new))

    @routes.get(_SCHEMAS + "/get")
    @requires(Permission.READ_EXPERIMENTS)
    def get(schema_id: str) -> JsonAnswer:
        return _schema_answer(schemas.get(schema_id))

    @routes.get(_SCHEMAS + "/get-by-name")
    @requires(Permission.READ_EXPERIMENTS)
    def get_by_name(experiment_id: str, name: str) -> JsonAnswer:
        return _schema_answer(schemas.get_by_name(experiment_id, name))

    @routes.get(_SCHEMAS + "/list")
    @requires(Permission.READ_EXPERIMENTS)
    def list_schemas(
        experiment_id: str, max_results: PageSize = 100, page_token: str | None = None
    ) -> JsonAnswer:
        page = schemas.find(experiment_id, _page(max_results, page_token))
        return JsonAnswer(
            said(
                label_schemas=[_schema(each) for each in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.patch(_SCHEMAS + "/update")
    @requires(Permission.WRITE_EXPERIMENTS)
    def update(body: SchemaUpdate) -> JsonAnswer:
        fields = body.model_dump(exclude_none=True, exclude={"schema_id"})
        if "input" in fields:
            fields["input"] = _checked(fields["input"])
        return _schema_answer(schemas.update(body.schema_id, fields))

    @routes.delete(_SCHEMAS + "/delete")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(body: SchemaId) -> JsonAnswer:
        schemas.delete(body.schema_id)
        return JsonAnswer({})


def _queues(routes: APIRouter, reviews: Reviews) -> None:
    @routes.post(_QUEUES + "/create")
    @requires(Permission.WRITE_EXPERIMENTS)
    def create(body: NewQueue) -> JsonAnswer:
        made = reviews.create_queue(
            body.experiment_id,
            body.name,
            body.queue_type,
            body.created_by,
            body.users,
            body.schema_ids,
        )
        return _queue_answer(made)

    @routes.post(_QUEUES + "/get-or-create-user")
    @requires(Permission.WRITE_EXPERIMENTS)
    def of_user(body: UserQueue) -> JsonAnswer:
        return _queue_answer(reviews.queue_of(body.experiment_id, body.user))

    @routes.get(_QUEUES + "/get")
    @requires(Permission.READ_EXPERIMENTS)
    def get(queue_id: str) -> JsonAnswer:
        return _queue_answer(reviews.queue(queue_id))

    @routes.get(_QUEUES + "/get-by-name")
    @requires(Permission.READ_EXPERIMENTS)
    def get_by_name(experiment_id: str, name: str) -> JsonAnswer:
        return _queue_answer(reviews.queue_by_name(experiment_id, name))

    @routes.get(_QUEUES + "/list")
    @requires(Permission.READ_EXPERIMENTS)
    def list_queues(
        experiment_id: str,
        user: str | None = None,
        item_id: str | None = None,
        max_results: PageSize = 100,
        page_token: str | None = None,
    ) -> JsonAnswer:
        page = reviews.queues(
            experiment_id, _page(max_results, page_token), item_id=item_id or None
        )
        shown = [each for each in page.items if not user or user.strip().lower() in each.users]
        return JsonAnswer(
            said(
                review_queues=[_queue(each) for each in shown],
                next_page_token=page.next_page_token,
            )
        )

    @routes.post(_QUEUES + "/update")
    @requires(Permission.WRITE_EXPERIMENTS)
    def update(body: QueueUpdate) -> JsonAnswer:
        fields: dict[str, Any] = said(name=body.name, created_by=body.new_owner)
        if body.update_users:
            fields["users"] = body.users
        if body.update_schema_ids:
            fields["schema_ids"] = body.schema_ids
        return _queue_answer(reviews.update_queue(body.queue_id, fields))

    @routes.post(_QUEUES + "/delete")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(body: QueueId) -> JsonAnswer:
        reviews.delete_queue(body.queue_id)
        return JsonAnswer({})


def _items(routes: APIRouter, reviews: Reviews) -> None:
    @routes.post(_ITEMS + "/add")
    @requires(Permission.WRITE_EXPERIMENTS)
    def add(body: Items) -> JsonAnswer:
        found = reviews.add_items(body.queue_id, body.item_ids)
        return JsonAnswer({"items": [_item(each) for each in found]})

    @routes.post(_ITEMS + "/remove")
    @requires(Permission.WRITE_EXPERIMENTS)
    def remove(body: Items) -> JsonAnswer:
        reviews.remove_items(body.queue_id, body.item_ids)
        return JsonAnswer({})

    @routes.get(_ITEMS + "/list")
    @requires(Permission.READ_EXPERIMENTS)
    def list_items(
        queue_id: str,
        status: str | None = None,
        max_results: PageSize = 100,
        page_token: str | None = None,
    ) -> JsonAnswer:
        page = reviews.items(queue_id, _page(max_results, page_token), status or None)
        return JsonAnswer(
            said(items=[_item(each) for each in page.items], next_page_token=page.next_page_token)
        )

    @routes.post(_ITEMS + "/set-status")
    @requires(Permission.WRITE_EXPERIMENTS)
    def set_status(body: ItemStatus) -> JsonAnswer:
        changed = reviews.set_status(body.queue_id, body.item_id, body.status, body.completed_by)
        return JsonAnswer({"item": _item(changed)})


def _page(max_results: int, page_token: str | None) -> ListQuery:
    return ListQuery(max_results=max_results, page_token=page_token or None)


def _checked(told: dict[str, Any]) -> dict[str, Any]:
    """Raises InvalidInput unless exactly one kind of answer is described."""
    kinds = [kind for kind in _KINDS if told.get(kind) is not None]
    if len(kinds) != 1:
        raise InvalidInput(f"input: give exactly one of {', '.join(_KINDS)}")
    return {kinds[0]: told[kinds[0]]}


def _schema_answer(schema: LabelSchema) -> JsonAnswer:
    return JsonAnswer({"label_schema": _schema(schema)})


def _queue_answer(queue: ReviewQueue) -> JsonAnswer:
    return JsonAnswer({"review_queue": _queue(queue)})


def _schema(schema: LabelSchema) -> dict[str, Any]:
    return said(
        schema_id=schema.schema_id,
        experiment_id=schema.experiment_id,
        name=schema.name,
        type=schema.type,
        instruction=schema.instruction,
        enable_comment=schema.enable_comment,
        input=schema.input,
        created_at=schema.creation_time_ms,
        last_updated_at=schema.last_update_time_ms,
        is_default=schema.is_default,
    )


def _queue(queue: ReviewQueue) -> dict[str, Any]:
    return said(
        queue_id=queue.queue_id,
        experiment_id=queue.experiment_id,
        name=queue.name,
        queue_type=queue.queue_type,
        created_by=queue.created_by,
        creation_time_ms=queue.creation_time_ms,
        last_update_time_ms=queue.last_update_time_ms,
        users=queue.users,
        schema_ids=queue.schema_ids,
    )


def _item(item: ReviewItem) -> dict[str, Any]:
    return said(
        queue_id=item.queue_id,
        item_type=item.item_type,
        item_id=item.item_id,
        status=item.status,
        completed_by=item.completed_by,
        completed_time_ms=item.completed_time_ms,
        creation_time_ms=item.creation_time_ms,
        last_update_time_ms=item.last_update_time_ms,
    )
