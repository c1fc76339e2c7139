"""Webhooks: `2.0/mlflow/webhooks/…`. How they are told of events is not here."""

from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from tracelake.mlflow_api.route import Message, Text, said
from tracelake.model.entities import JsonValue
from tracelake.model.errors import InvalidInput
from tracelake.model.permissions import Permission, requires
from tracelake.model.webhooks import Attempt, WebhookEvent, event_body
from tracelake.store.api import ListQuery
from tracelake.store.webhooks import ACTIVE, NewWebhook, Webhook, Webhooks
from tracelake.web.answer import JsonAnswer

_BASE: Final = "/2.0/mlflow/webhooks"
_PAGE: Final = 100


class Receivers(Protocol):
    """Those whom webhooks point to."""

    async def check(self, url: str) -> None:
        """Raises InvalidInput for an address that no event may go to."""
        ...

    async def send(self, url: str, secret: str, body: str) -> Attempt: ...


class Event(Message):
    entity: Text
    action: Text


class NewHook(Message):
    name: Text
    url: Text
    events: list[Event]
    description: Text = ""
    secret: Text = ""
    status: Text = ACTIVE


class Changes(Message):
    name: Text | None = None
    url: Text | None = None
    events: list[Event] = []
    description: Text | None = None
    secret: Text | None = None
    status: Text | None = None


class Trial(Message):
    event: Event | None = None


class HookList(Message):
    max_results: Annotated[int, Query(ge=0, le=1000)] = _PAGE
    page_token: str | None = None


def add_webhooks(routes: APIRouter, webhooks: Webhooks, receivers: Receivers) -> None:
    _changes(routes, webhooks, receivers)
    _questions(routes, webhooks, receivers)


def _changes(routes: APIRouter, webhooks: Webhooks, receivers: Receivers) -> None:
    @routes.post(_BASE)
    @requires(Permission.WRITE_EXPERIMENTS)
    async def create(body: NewHook) -> JsonAnswer:
        new = NewWebhook(
            body.name,
            body.url,
            [_event(each) for each in body.events],
            body.description,
            body.secret,
            body.status,
        )
        await receivers.check(new.url)
        return _answer(await run_in_threadpool(webhooks.create, new))

    @routes.patch(_BASE + "/{webhook_id}")
    @requires(Permission.WRITE_EXPERIMENTS)
    async def update(webhook_id: str, body: Changes) -> JsonAnswer:
        # To MLflow's server, a name, a URL or events that are empty are not told.
        fields: dict[str, Any] = said(
            name=body.name or None,
            url=body.url or None,
            events=[_event(each) for each in body.events] or None,
            description=body.description,
            secret=body.secret,
            status=body.status,
        )
        if body.url:
            await receivers.check(body.url)
        return _answer(await run_in_threadpool(webhooks.update, webhook_id, fields))

    @routes.delete(_BASE + "/{webhook_id}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(webhook_id: str) -> JsonAnswer:
        webhooks.delete(webhook_id)
        return JsonAnswer({})


def _questions(routes: APIRouter, webhooks: Webhooks, receivers: Receivers) -> None:
    @routes.get(_BASE)
    @requires(Permission.READ_EXPERIMENTS)
    def list_webhooks(query: Annotated[HookList, Query()]) -> JsonAnswer:
        asked = ListQuery(
            max_results=query.max_results or _PAGE, page_token=query.page_token or None
        )
        page = webhooks.find(asked)
        return JsonAnswer(
            said(
                webhooks=[_told(each) for each in page.items],
                next_page_token=page.next_page_token,
            )
        )

    @routes.get(_BASE + "/{webhook_id}")
    @requires(Permission.READ_EXPERIMENTS)
    def get(webhook_id: str) -> JsonAnswer:
        return _answer(webhooks.get(webhook_id))

    @routes.post(_BASE + "/{webhook_id}/test")
    @requires(Permission.WRITE_EXPERIMENTS)
    async def test(webhook_id: str, body: Trial) -> JsonAnswer:
        """One event that never happened, now, also where the webhook is disabled."""
        found = await run_in_threadpool(webhooks.get, webhook_id)
        where = await run_in_threadpool(webhooks.destination, webhook_id)
        event = _event(body.event) if body.event is not None else found.events[0]
        told = event_body(event, _EXAMPLES[event])
        attempt = await receivers.send(where.url, where.secret, told)
        return JsonAnswer({"result": _result(attempt)})


def _event(told: Event) -> WebhookEvent:
    name = f"{told.entity}.{told.action}".lower()
    try:
        return WebhookEvent(name)
    except ValueError as error:
        raise InvalidInput(
            f"there is no event {name[:80]!r}: use one of {', '.join(WebhookEvent)}"
        ) from error


def _answer(webhook: Webhook) -> JsonAnswer:
    return JsonAnswer({"webhook": _told(webhook)})


def _told(webhook: Webhook) -> dict[str, Any]:
    return said(
        webhook_id=webhook.webhook_id,
        name=webhook.name,
        description=webhook.description or None,
        url=webhook.url,
        events=[
            {"entity": event.entity.upper(), "action": event.action.upper()}
            for event in webhook.events
        ],
        status=webhook.status,
        creation_timestamp=webhook.creation_time_ms,
        last_updated_timestamp=webhook.last_update_time_ms,
    )


def _result(attempt: Attempt) -> dict[str, Any]:
    return said(
        success=attempt.is_success,
        response_status=attempt.status,
        response_body=attempt.body or None,
        error_message=attempt.error or None,
    )


_NAME: Final[dict[str, JsonValue]] = {"name": "example"}
_VERSION: Final[dict[str, JsonValue]] = _NAME | {"version": "1"}
_KEY: Final[dict[str, JsonValue]] = {"key": "stage"}
_TAG: Final[dict[str, JsonValue]] = _KEY | {"value": "trial"}
_ALIAS: Final[dict[str, JsonValue]] = {"alias": "champion"}
_ABOUT: Final[dict[str, JsonValue]] = {
    "tags": {"stage": "trial"},
    "description": "Made up, to try a webhook",
}
_EXAMPLES: Final[dict[WebhookEvent, dict[str, JsonValue]]] = {
    WebhookEvent.REGISTERED_MODEL_CREATED: _NAME | _ABOUT,
    WebhookEvent.MODEL_VERSION_CREATED: _VERSION
    | {"source": "models:/m-0", "run_id": "0" * 32}
    | _ABOUT,
    WebhookEvent.MODEL_VERSION_TAG_SET: _VERSION | _TAG,
    WebhookEvent.MODEL_VERSION_TAG_DELETED: _VERSION | _KEY,
    WebhookEvent.MODEL_VERSION_ALIAS_CREATED: _VERSION | _ALIAS,
    WebhookEvent.MODEL_VERSION_ALIAS_DELETED: _NAME | _ALIAS,
    WebhookEvent.PROMPT_CREATED: _NAME | _ABOUT,
    WebhookEvent.PROMPT_VERSION_CREATED: _VERSION | {"template": "Answer {{question}}"} | _ABOUT,
    WebhookEvent.PROMPT_TAG_SET: _NAME | _TAG,
    WebhookEvent.PROMPT_TAG_DELETED: _NAME | _KEY,
    WebhookEvent.PROMPT_VERSION_TAG_SET: _VERSION | _TAG,
    WebhookEvent.PROMPT_VERSION_TAG_DELETED: _VERSION | _KEY,
    WebhookEvent.PROMPT_ALIAS_CREATED: _VERSION | _ALIAS,
    WebhookEvent.PROMPT_ALIAS_DELETED: _NAME | _ALIAS,
    WebhookEvent.BUDGET_POLICY_EXCEEDED: {
        "budget_policy_id": "example",
        "budget_unit": "USD",
        "budget_amount": 10.0,
        "current_spend": 10.5,
        "duration_unit": "DAYS",
        "duration_value": 1,
        "target_scope": "GLOBAL",
        "target_value": None,
        "workspace": "default",
        "window_start": 1_700_000_000_000,
    },
}
