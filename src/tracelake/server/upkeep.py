"""The store's background work: what retention lets go of is deleted, and its disk given back."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from tracelake.model.errors import TracelakeError
from tracelake.store.api import Leases
from tracelake.store.leases import HeldLease
from tracelake.store.operations import Retention, RetentionPolicy, TraceDeletion

LEASE: Final = "upkeep"
_EVERY_S: Final = 300.0
_FIRST_AFTER_S: Final = 30.0
_LEASE_S: Final = 60.0
_RENEW_S: Final = 15.0

_log = logging.getLogger(__name__)


class Upkeep:
    """A pass every few minutes, in one of the processes that share a store.

    `synced_seq` tells up to which change the lake has a copy; later ones are not deleted by
    retention. None where nothing is copied. `sweep` removes files that nobody can reach any more.
    `start` and `stop` in the event loop.
    """

    def __init__(
        self,
        retention: Retention,
        deletion: TraceDeletion,
        leases: Leases,
        policy: RetentionPolicy,
        synced_seq: Callable[[], int] | None,
        registry: CollectorRegistry,
        sweep: Callable[[], int],
        *,
        every_s: float = _EVERY_S,
    ) -> None:
        self._retention = retention
        self._deletion = deletion
        self._lease = HeldLease(leases, LEASE, _LEASE_S, _RENEW_S)
        self._policy = policy
        self._synced_seq = synced_seq
        self._sweep = sweep
        self._every_s = every_s
        self._stopping = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._deleted = Counter(
            "tracelake_retention_deleted_traces",
            "Traces that retention has deleted.",
            ["reason"],
            registry=registry,
        )
        self._given_bytes = Counter(
            "tracelake_store_given_back_bytes",
            "Bytes of the store's file given back to the disk.",
            registry=registry,
        )

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="upkeep")

    async def stop(self) -> None:
        """Stop after the transaction under way; the next pass takes up what is left."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self) -> None:
        wait_s = min(self._every_s, _FIRST_AFTER_S)
        while not await self._stops_within(wait_s):
            try:
                await asyncio.to_thread(self._pass)
            except (TracelakeError, OSError) as error:
                _log.error("upkeep of the store failed, and is tried again: %s", error)
            except Exception:
                # The job outlives whatever one pass runs into.
                _log.exception("upkeep of the store failed, and is tried again")
            wait_s = self._every_s

    async def _stops_within(self, seconds: float) -> bool:
        ends = time.monotonic() + seconds
        while not self._stopping.is_set() and (left_s := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, 0.5))
        return self._stopping.is_set()

    def _pass(self) -> None:
        if not self._lease.keep():
            return
        try:
            retired = self._retention.enforce(
                self._policy, synced_seq=self._synced_seq, keep_going=self._may_go_on
            )
            self._deleted.labels(reason="age").inc(retired.by_age)
            self._deleted.labels(reason="count").inc(retired.by_count)
            self._sweep()
            given_bytes = self._deletion.give_back(self._may_go_on)
            self._given_bytes.inc(given_bytes)
        finally:
            self._lease.give_back()
        if retired.by_age or retired.by_count:
            _log.info(
                "retention deleted %d traces by age and %d by count; %.1f MB given back",
                retired.by_age,
                retired.by_count,
                given_bytes / 1e6,
            )

    def _may_go_on(self) -> bool:
        return not self._stopping.is_set() and self._lease.keep()
