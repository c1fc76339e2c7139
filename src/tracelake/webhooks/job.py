"""The outbox drained: every webhook by a task of its own, in one of the servers of a store."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter

from tracelake.model.errors import TracelakeError
from tracelake.model.webhooks import Attempt
from tracelake.store.leases import HeldLease
from tracelake.store.webhook_outbox import Delivery, WebhookOutbox
from tracelake.webhooks.retrying import GIVE_UP_S, Outcome, delay_s, outcome

LEASE: Final = "webhooks"
LEASE_S: Final = 15.0
RENEW_S: Final = 5.0
_EVERY_S: Final = 0.5
_AT_ONCE: Final = 50
_STORE_AWAY_S: Final = 5.0
_STOP_S: Final = 2.0

_log = logging.getLogger(__name__)


class Send(Protocol):
    def __call__(
        self, url: str, secret: str, body: str, delivery_id: str
    ) -> Awaitable[Attempt]: ...


class WebhookJob:
    """Tells webhooks of events, each at least once: what was sent but not noted is sent again,
    with the same delivery id. `start` and `stop` in the event loop."""

    def __init__(
        self,
        outbox: WebhookOutbox,
        lease: HeldLease,
        send: Send,
        registry: CollectorRegistry,
        *,
        give_up_s: float = GIVE_UP_S,
        wait_s: Callable[[int, float], float] = delay_s,
    ) -> None:
        self._outbox = outbox
        self._lease = lease
        self._send = send
        self._give_up_s = give_up_s
        self._wait_s = wait_s
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._draining: dict[str, asyncio.Task[None]] = {}
        self._attempts = Counter(
            "tracelake_webhook_attempts",
            "Requests to webhooks.",
            ["outcome"],
            registry=registry,
        )
        self._given_up = Counter(
            "tracelake_webhook_given_up",
            "Events that a webhook was never told of.",
            registry=registry,
        )

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        """Within seconds; what is under way longer is sent again by whoever goes on."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self) -> None:
        while not self._stopping.is_set():
            pause_s = _EVERY_S
            try:
                await self._round()
            except TracelakeError as error:
                _log.error("webhooks cannot be told of events now: %s", error)
                pause_s = _STORE_AWAY_S
            except Exception:
                # The job outlives whatever one round runs into.
                _log.exception("webhooks cannot be told of events now")
                pause_s = _STORE_AWAY_S
            await self._stops_within(pause_s)
        await self._end(_STOP_S)
        await self._give_back()

    async def _stops_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _round(self) -> None:
        """Begin with webhooks that are to be told something and that nobody is telling yet."""
        busy = len(self._draining)
        waiting = await asyncio.to_thread(self._outbox.waiting, busy + _AT_ONCE)
        new = [each for each in waiting if each not in self._draining][: _AT_ONCE - busy]
        if not new and not self._draining:
            await self._give_back()
            return
        if not await asyncio.to_thread(self._lease.keep):
            # Another server has it; it begins with what was not noted here.
            await self._end(0)
            return
        for webhook_id in new:
            task = asyncio.create_task(self._drain(webhook_id), name=f"webhook {webhook_id}")
            self._draining[webhook_id] = task
            task.add_done_callback(lambda _, of=webhook_id: self._draining.pop(of, None))

    async def _drain(self, webhook_id: str) -> None:
        try:
            while not self._stopping.is_set():
                delivery = await asyncio.to_thread(self._outbox.next, webhook_id)
                if delivery is None:
                    return
                attempt = await self._attempt(delivery)
                await asyncio.to_thread(self._settle, delivery, attempt)
        except TracelakeError as error:
            _log.error("webhook %s: what it was told is not noted: %s", webhook_id, error)
            await self._stops_within(_STORE_AWAY_S)
        except Exception:
            _log.exception("webhook %s cannot be told of events now", webhook_id)
            await self._stops_within(_STORE_AWAY_S)

    async def _attempt(self, delivery: Delivery) -> Attempt:
        where = delivery.destination
        try:
            return await self._send(where.url, where.secret, delivery.body, delivery.delivery_id)
        except Exception as error:
            # Unsettled, it would be sent for ever, and hold up all that is behind it.
            _log.exception("webhook %s: sending failed", delivery.webhook_id)
            return Attempt(None, error=f"{type(error).__name__}: {error}")

    def _settle(self, delivery: Delivery, attempt: Attempt) -> None:
        came = outcome(attempt)
        self._attempts.labels(outcome=came).inc()
        if came is Outcome.DELIVERED:
            self._outbox.remove(delivery.number)
            return
        why = attempt.error or f"status {attempt.status}"
        age_s = time.time() - delivery.creation_time_ms / 1000
        failed = delivery.attempts + 1
        if came is Outcome.REFUSED or age_s > self._give_up_s:
            self._outbox.remove(delivery.number)
            self._given_up.inc()
            _log.error(
                "webhook %s: it is not told of event %s, after %d attempts: %s",
                delivery.webhook_id,
                delivery.delivery_id,
                failed,
                why,
            )
            return
        wait_s = self._wait_s(failed, attempt.retry_after_s)
        if came is Outcome.AWAY:
            self._outbox.pause(delivery.number, wait_s)
        else:
            self._outbox.postpone(delivery.number, wait_s)
        if failed == 1:
            _log.warning(
                "webhook %s: event %s is told later: %s",
                delivery.webhook_id,
                delivery.delivery_id,
                why,
            )

    async def _end(self, grace_s: float) -> None:
        tasks = list(self._draining.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _give_back(self) -> None:
        with contextlib.suppress(TracelakeError):
            await asyncio.to_thread(self._lease.give_back)
