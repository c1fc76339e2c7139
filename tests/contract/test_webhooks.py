"""What `store/webhooks.py` and `store/webhook_outbox.py` promise, on every engine."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tracelake.model.errors import AlreadyExists, InvalidInput, NotFound
from tracelake.model.webhooks import WebhookEvent
from tracelake.store.api import ListQuery
from tracelake.store.open import Store
from tracelake.store.registered_models import NewModelVersion
from tracelake.store.webhook_outbox import Delivery
from tracelake.store.webhooks import NewWebhook

ALL = list(WebhookEvent)
NEW = NewWebhook("hook", "https://example.com/hook", ALL, "tells", "shh")
IS_PROMPT = {"mlflow.prompt.is_prompt": "true"}


def told(store: Store, webhook_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Every event that waits for a webhook, which is taken away."""
    found: list[tuple[str, dict[str, Any]]] = []
    while delivery := store.webhook_outbox.next(webhook_id):
        body = json.loads(delivery.body)
        found.append((f"{body['entity']}.{body['action']}", body["data"]))
        store.webhook_outbox.remove(delivery.number)
    return found


def due(store: Store, webhook_id: str) -> Delivery:
    delivery = store.webhook_outbox.next(webhook_id)
    assert delivery is not None
    return delivery


def name_of(delivery: Delivery) -> str:
    return json.loads(delivery.body)["data"]["name"]


def test_a_webhook_comes_back_without_its_secret(store: Store) -> None:
    made = store.webhooks.create(NEW)
    assert store.webhooks.get(made.webhook_id) == made
    assert (made.name, made.url, made.description) == (NEW.name, NEW.url, NEW.description)
    assert (made.events, made.status) == (ALL, "ACTIVE")
    assert "shh" not in repr(made) + repr(NEW)
    where = store.webhooks.destination(made.webhook_id)
    assert (where.url, where.secret) == (NEW.url, "shh")
    assert "shh" not in repr(where)


def test_a_webhook_is_changed_where_it_is_told_to(store: Store) -> None:
    made = store.webhooks.create(NEW)
    changed = store.webhooks.update(
        made.webhook_id, {"events": [WebhookEvent.PROMPT_CREATED], "status": "DISABLED"}
    )
    assert (changed.events, changed.status) == ([WebhookEvent.PROMPT_CREATED], "DISABLED")
    assert (changed.name, changed.url) == (made.name, made.url)
    assert store.webhooks.destination(made.webhook_id).secret == "shh"


def test_a_deleted_webhook_is_gone_with_what_it_was_to_be_told(store: Store) -> None:
    made = store.webhooks.create(NEW)
    store.registered_models.create("m", "", {})
    delivery = due(store, made.webhook_id)
    store.webhooks.delete(made.webhook_id)
    assert store.webhook_outbox.next(made.webhook_id) is None
    assert store.webhook_outbox.waiting(9) == []
    store.webhook_outbox.remove(delivery.number)
    store.webhook_outbox.postpone(delivery.number, 1)
    store.webhook_outbox.pause(delivery.number, 1)
    for call in (store.webhooks.get, store.webhooks.delete, store.webhooks.destination):
        with pytest.raises(NotFound):
            call(made.webhook_id)
    with pytest.raises(NotFound):
        store.webhooks.update("a\x00b", {"name": "x"})


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "-hook"},
        {"name": "a" * 64},
        {"name": "two words"},
        {"name": "hook\n"},
        {"url": ""},
        {"url": "ftp://example.com"},
        {"url": "https:///path"},
        {"url": "https://example.com:99999/"},
        {"url": "https://example.com/\x00"},
        {"url": "https://[::1/"},
        {"url": "https://exa mple.com/"},
        {"url": "https://example.com/\ud800"},
        {"events": []},
        {"events": [WebhookEvent.PROMPT_CREATED] * 2},
        {"status": "PAUSED"},
    ],
)
def test_what_a_webhook_cannot_have_is_refused(store: Store, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        store.webhooks.create(replace(NEW, **change))
    made = store.webhooks.create(NEW)
    with pytest.raises(InvalidInput):
        store.webhooks.update(made.webhook_id, change)
    assert store.webhooks.get(made.webhook_id) == made


def test_webhooks_are_listed_newest_first_page_by_page(store: Store) -> None:
    made = [store.webhooks.create(NEW).webhook_id for _ in range(5)]
    found: list[str] = []
    token = None
    while True:
        page = store.webhooks.find(ListQuery(max_results=2, page_token=token))
        assert len(page.items) <= 2
        times = [each.creation_time_ms for each in page.items]
        assert times == sorted(times, reverse=True)
        found += [each.webhook_id for each in page.items]
        token = page.next_page_token
        if token is None:
            break
    assert sorted(found) == sorted(made)


def test_changes_of_models_are_told(store: Store) -> None:
    made = store.webhooks.create(NEW)
    registry = store.registered_models
    registry.create("m", "about", {"a": "1"})
    registry.add_version(NewModelVersion("m", "s3://x", "first", tags={"b": "2"}))
    registry.update("m", tags={"not": "told"})
    registry.update_version("m", 1, tags={"k": "v"})
    registry.update_version("m", 1, tags={"k": None})
    registry.update_version("m", 1, description="not told")
    registry.set_alias("m", "best", 1)
    registry.delete_alias("m", "best")
    of_version = {"name": "m", "version": "1"}
    assert told(store, made.webhook_id) == [
        ("registered_model.created", {"name": "m", "tags": {"a": "1"}, "description": "about"}),
        (
            "model_version.created",
            of_version
            | {"source": "s3://x", "run_id": None, "tags": {"b": "2"}, "description": "first"},
        ),
        ("model_version_tag.set", of_version | {"key": "k", "value": "v"}),
        ("model_version_tag.deleted", of_version | {"key": "k"}),
        ("model_version_alias.created", of_version | {"alias": "best"}),
        ("model_version_alias.deleted", {"name": "m", "alias": "best"}),
    ]


def test_changes_of_prompts_are_told_as_such(store: Store) -> None:
    made = store.webhooks.create(NEW)
    registry = store.registered_models
    registry.create("p", "", {"a": "1", **IS_PROMPT, "_mlflow_prompt_type": "text"})
    registry.add_version(
        NewModelVersion(
            "p", "prompt", tags={"mlflow.prompt.text": "Hi {{x}}", "b": "2"} | IS_PROMPT
        )
    )
    registry.update("p", tags={"k": "v"})
    registry.update("p", tags={"k": None})
    registry.update_version("p", 1, tags={"k": "v"})
    registry.update_version("p", 1, tags={"k": None})
    registry.set_alias("p", "best", 1)
    registry.delete_alias("p", "best")
    of_version = {"name": "p", "version": "1"}
    assert told(store, made.webhook_id) == [
        ("prompt.created", {"name": "p", "tags": {"a": "1"}, "description": ""}),
        (
            "prompt_version.created",
            of_version | {"template": "Hi {{x}}", "tags": {"b": "2"}, "description": None},
        ),
        ("prompt_tag.set", {"name": "p", "key": "k", "value": "v"}),
        ("prompt_tag.deleted", {"name": "p", "key": "k"}),
        ("prompt_version_tag.set", of_version | {"key": "k", "value": "v"}),
        ("prompt_version_tag.deleted", of_version | {"key": "k"}),
        ("prompt_alias.created", of_version | {"alias": "best"}),
        ("prompt_alias.deleted", {"name": "p", "alias": "best"}),
    ]


def test_a_change_that_fails_is_not_told(store: Store) -> None:
    made = store.webhooks.create(NEW)
    store.registered_models.create("m", "", {})
    with pytest.raises(AlreadyExists):
        store.registered_models.create("m", "", {})
    with pytest.raises(NotFound):
        store.registered_models.set_alias("m", "best", 7)
    assert len(told(store, made.webhook_id)) == 1


def test_only_active_webhooks_that_want_an_event_are_told(store: Store) -> None:
    deaf = store.webhooks.create(replace(NEW, events=[WebhookEvent.PROMPT_CREATED]))
    disabled = store.webhooks.create(replace(NEW, status="DISABLED"))
    first, second = store.webhooks.create(NEW), store.webhooks.create(NEW)
    store.registered_models.create("m", "", {})
    assert sorted(store.webhook_outbox.waiting(9)) == sorted([first.webhook_id, second.webhook_id])
    assert len(store.webhook_outbox.waiting(1)) == 1
    store.webhooks.update(disabled.webhook_id, {"status": "ACTIVE"})
    assert told(store, deaf.webhook_id) == told(store, disabled.webhook_id) == []
    one, other = due(store, first.webhook_id), due(store, second.webhook_id)
    assert one.body == other.body
    assert one.delivery_id != other.delivery_id


def test_what_waits_for_a_disabled_webhook_is_told_where_it_points_later(store: Store) -> None:
    made = store.webhooks.create(NEW)
    store.registered_models.create("m", "", {})
    store.webhooks.update(made.webhook_id, {"status": "DISABLED"})
    assert store.webhook_outbox.next(made.webhook_id) is None
    assert store.webhook_outbox.waiting(9) == []
    store.webhooks.update(made.webhook_id, {"status": "ACTIVE", "url": "https://other.example/"})
    assert due(store, made.webhook_id).destination.url == "https://other.example/"


def test_an_event_that_is_postponed_lets_the_next_go_first(store: Store) -> None:
    made = store.webhooks.create(NEW)
    for name in ("a", "b"):
        store.registered_models.create(name, "", {})
    first = due(store, made.webhook_id)
    store.webhook_outbox.postpone(first.number, 0.3)
    assert name_of(due(store, made.webhook_id)) == "b"
    store.webhook_outbox.remove(due(store, made.webhook_id).number)
    assert store.webhook_outbox.waiting(9) == []
    time.sleep(0.35)
    again = due(store, made.webhook_id)
    assert (again.delivery_id, again.body) == (first.delivery_id, first.body)
    assert (first.attempts, again.attempts) == (0, 1)


def test_a_pause_keeps_the_order(store: Store) -> None:
    made, other = store.webhooks.create(NEW), store.webhooks.create(NEW)
    store.registered_models.create("a", "", {})
    first = due(store, made.webhook_id)
    store.webhook_outbox.pause(first.number, 0.3)
    store.registered_models.create("b", "", {})
    assert store.webhook_outbox.next(made.webhook_id) is None
    assert store.webhook_outbox.waiting(9) == [other.webhook_id]
    time.sleep(0.35)
    again = due(store, made.webhook_id)
    assert (again.number, again.attempts) == (first.number, 1)
    store.webhook_outbox.remove(again.number)
    assert name_of(due(store, made.webhook_id)) == "b"


def test_a_change_of_a_webhook_ends_its_pause(store: Store) -> None:
    made = store.webhooks.create(NEW)
    store.registered_models.create("a", "", {})
    store.webhook_outbox.pause(due(store, made.webhook_id).number, 3600)
    assert store.webhook_outbox.next(made.webhook_id) is None
    store.webhooks.update(made.webhook_id, {"url": "https://other.example/"})
    assert due(store, made.webhook_id).attempts == 1
