"""How the outbox is drained, on every engine."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from tracelake.model.webhooks import Attempt, WebhookEvent
from tracelake.store.leases import HeldLease
from tracelake.store.open import Store
from tracelake.store.webhooks import NewWebhook
from tracelake.webhooks.job import LEASE, LEASE_S, RENEW_S, WebhookJob

OK = Attempt(200)
EVENTS = [WebhookEvent.REGISTERED_MODEL_CREATED]


class Receivers:
    """What each host was told, and what it answers: `answers` in turn, then 200."""

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}
        self.ids: list[str] = []
        self.answers: dict[str, list[Attempt]] = {}
        self.hanging: set[str] = set()

    async def send(self, url: str, secret: str, body: str, delivery_id: str) -> Attempt:
        assert secret == "shh"
        host = url.removeprefix("http://")
        self.told.setdefault(host, []).append(json.loads(body)["data"]["name"])
        self.ids.append(delivery_id)
        if host in self.hanging:
            await asyncio.sleep(3600)
        answers = self.answers.get(host)
        return answers.pop(0) if answers else OK


def make(store: Store, host: str) -> str:
    new = NewWebhook("hook", f"http://{host}", EVENTS, secret="shh")
    return store.webhooks.create(new).webhook_id


def change(store: Store, *names: str) -> None:
    for name in names:
        store.registered_models.create(name, "", {})


@asynccontextmanager
async def running(
    store: Store,
    receivers: Receivers,
    *,
    wait_s: float = 0.1,
    give_up_s: float = 60,
    registry: CollectorRegistry | None = None,
) -> AsyncGenerator[None]:
    job = WebhookJob(
        store.webhook_outbox,
        HeldLease(store.leases, LEASE, LEASE_S, RENEW_S),
        receivers.send,
        registry or CollectorRegistry(),
        give_up_s=give_up_s,
        wait_s=lambda _failed, asked_s: max(wait_s, asked_s),
    )
    job.start()
    try:
        yield
    finally:
        await job.stop()


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    ends_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends_s, "it never came to be"
        await asyncio.sleep(0.02)


async def test_events_are_told_once_in_their_order(store: Store) -> None:
    make(store, "a")
    make(store, "b")
    receivers = Receivers()
    change(store, "m1", "m2")
    async with running(store, receivers):
        await asyncio.to_thread(change, store, "m3", "m4", "m5")
        await until(lambda: sum(map(len, receivers.told.values())) == 10)
        await asyncio.sleep(1.2)
    expected = [f"m{n}" for n in range(1, 6)]
    assert receivers.told == {"a": expected, "b": expected}
    assert len(set(receivers.ids)) == 10
    assert store.leases.acquire(LEASE, "another", 1)


async def test_a_receiver_that_hangs_holds_up_nobody(store: Store) -> None:
    for n in range(3):
        make(store, f"slow{n}")
    make(store, "fast")
    receivers = Receivers()
    receivers.hanging = {"slow0", "slow1", "slow2"}
    change(store, "m1", "m2")
    async with running(store, receivers):
        await until(lambda: receivers.told.get("fast") == ["m1", "m2"])
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 5
    assert all(receivers.told[f"slow{n}"] == ["m1"] for n in range(3))
    first = list(receivers.ids)
    receivers.hanging.clear()
    async with running(store, receivers):
        await until(lambda: receivers.told["slow2"] == ["m1", "m1", "m2"])
    assert set(first) < set(receivers.ids)


async def test_a_receiver_that_is_away_hears_of_all_in_order(store: Store) -> None:
    make(store, "a")
    receivers = Receivers()
    receivers.answers["a"] = [Attempt(None, error="gone"), Attempt(503, retry_after_s=0.3)]
    change(store, "m1", "m2")
    async with running(store, receivers):
        await until(lambda: len(receivers.told.get("a", [])) == 4)
    assert receivers.told["a"] == ["m1", "m1", "m1", "m2"]
    assert len(set(receivers.ids)) == 2


async def test_an_event_that_a_receiver_fails_at_is_told_later(store: Store) -> None:
    make(store, "a")
    receivers = Receivers()
    receivers.answers["a"] = [Attempt(500)]
    change(store, "m1", "m2")
    async with running(store, receivers):
        await until(lambda: len(receivers.told.get("a", [])) == 3)
    assert receivers.told["a"] == ["m1", "m2", "m1"]


async def test_an_event_is_given_up_in_the_end(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    made = make(store, "a")
    receivers, registry = Receivers(), CollectorRegistry()
    receivers.answers["a"] = [Attempt(400), *[Attempt(None, error="gone")] * 100]
    change(store, "refused", "late")
    with caplog.at_level(logging.ERROR, "tracelake.webhooks"):
        async with running(store, receivers, give_up_s=0.8, registry=registry):
            await until(lambda: registry.get_sample_value("tracelake_webhook_given_up_total") == 2)
    assert store.webhook_outbox.next(made) is None
    assert receivers.told["a"].count("refused") == 1
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == [
        made,
        made,
    ]


async def test_one_server_at_a_time_tells(store: Store) -> None:
    make(store, "a")
    receivers = Receivers()
    assert store.leases.acquire(LEASE, "another server", 60)
    change(store, "m1")
    async with running(store, receivers):
        await asyncio.sleep(1.2)
        assert receivers.told == {}
        await asyncio.to_thread(store.leases.release, LEASE, "another server")
        await until(lambda: receivers.told == {"a": ["m1"]})


async def test_two_servers_tell_of_everything_once(store: Store) -> None:
    make(store, "a")
    receivers = Receivers()
    async with running(store, receivers), running(store, receivers):
        names = [f"m{n}" for n in range(20)]
        await asyncio.to_thread(change, store, *names)
        await until(lambda: len(receivers.told.get("a", [])) >= 20)
        await asyncio.sleep(1.2)
    assert receivers.told["a"] == names


async def test_a_webhook_that_is_deleted_meanwhile_is_no_error(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    made = make(store, "a")
    receivers = Receivers()
    receivers.answers["a"] = [Attempt(503)] * 100
    change(store, "m1")
    async with running(store, receivers):
        await until(lambda: len(receivers.told.get("a", [])) >= 2)
        await asyncio.to_thread(store.webhooks.delete, made)
        await asyncio.sleep(0.8)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
