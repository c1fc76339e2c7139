"""Which runner answers for which endpoint: starts, replaces, restarts and stops them.

Knows processes, not the store. All of it runs in the server's event loop.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tracelake.agents.process import Launch, RunnerProcess, start
from tracelake.model.errors import TracelakeError

logger = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
STEADY_S = 60.0
"""A process that lived this long is started again without the wait of earlier crashes."""
DRAIN_S = 120.0
"""How long a replaced version may go on with the requests it has."""

CANCEL_AGAIN_S = 20.0
"""Longer than an orderly stop of a process takes."""

Prepare = Callable[[], Awaitable[Launch]]
"""Makes ready what a process needs (package, environment). Raises TracelakeError."""


class State(StrEnum):
    READY = "READY"
    NOT_READY = "NOT_READY"
    FAILED = "FAILED"


@dataclass(slots=True)
class Slot:
    """What the supervisor knows of one endpoint."""

    version: int
    served_model: str
    runner: RunnerProcess | None = None
    state: State = State.NOT_READY
    message: str = "starting"
    keeper: "asyncio.Task[None] | None" = None
    restarts: int = 0


@dataclass(slots=True)
class Supervisor:
    """Holds one slot per endpoint. `first_wait_s` is the wait before a crashed process restarts."""

    first_wait_s: float = FIRST_WAIT_S
    drain_s: float = DRAIN_S
    _slots: dict[str, Slot] = field(default_factory=dict[str, Slot])
    _chores: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    def find(self, endpoint: str) -> Slot | None:
        """The endpoint's slot; None where there is no such endpoint."""
        return self._slots.get(endpoint)

    def bring_up(self, endpoint: str, version: int, served_model: str, prepare: Prepare) -> None:
        """Begin to serve what the store says should run, and try until it does."""
        slot = Slot(version, served_model)
        self._slots[endpoint] = slot
        slot.keeper = asyncio.create_task(self._keep(endpoint, slot, prepare, None))

    async def switch(
        self, endpoint: str, version: int, served_model: str, prepare: Prepare
    ) -> None:
        """Serve a version: start it, and only when it is ready let go of the one before.

        Raises TracelakeError with the reason when it does not start; what served before goes on.
        """
        slot = self._slots.setdefault(endpoint, Slot(version, served_model))
        try:
            runner = await start(await prepare())
        except Exception as error:
            if slot.keeper is None:
                slot.version, slot.served_model = version, served_model
                slot.state, slot.message = State.FAILED, str(error)
            raise
        if self._slots.get(endpoint) is not slot:
            # Deleted, or the server is stopping, while this version was starting.
            await runner.stop()
            raise TracelakeError(f"endpoint {endpoint!r} is gone")
        before, keeper = slot.runner, slot.keeper
        slot.version, slot.served_model, slot.runner = version, served_model, runner
        slot.state, slot.message = State.READY, ""
        slot.keeper = asyncio.create_task(self._keep(endpoint, slot, prepare, runner))
        if keeper is not None:
            self._do(_end_task(keeper))
        if before is not None:
            self._do(self._retire(before))

    async def remove(self, endpoint: str) -> None:
        """Stop serving the endpoint and forget it; nothing happens where there is none."""
        slot = self._slots.pop(endpoint, None)
        if slot is not None:
            await self._end(slot)

    async def stop(self) -> None:
        """Stop every process, all at the same time, and wait until they are gone.

        Endpoints stay known, as not ready: a request that comes now is told to come back.
        """
        await asyncio.gather(*(self._end(slot) for slot in self._slots.values()))
        for chore in list(self._chores):
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)

    async def _keep(
        self, endpoint: str, slot: Slot, prepare: Prepare, runner: RunnerProcess | None
    ) -> None:
        """Keep one version running: start it again, later and later, whenever it has ended."""
        wait_s = self.first_wait_s
        said = ""
        while True:
            if runner is None:
                try:
                    runner = await start(await prepare())
                except Exception as error:
                    slot.state, slot.message = State.FAILED, str(error)
                    unforeseen = None if isinstance(error, TracelakeError) else error
                    if str(error) != said:
                        said = str(error)
                        logger.warning(
                            "endpoint %s does not start: %s", endpoint, error, exc_info=unforeseen
                        )
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, LONGEST_WAIT_S)
                    continue
                slot.runner, slot.state, slot.message = runner, State.READY, ""
            ready_at = time.monotonic()
            code = await runner.wait()
            slot.runner, slot.state = None, State.NOT_READY
            slot.message = f"the agent's process ended with code {code} and is started again"
            slot.restarts += 1
            logger.warning("endpoint %s: %s", endpoint, slot.message)
            # Its children, and the record of its id.
            await runner.stop()
            runner = None
            if time.monotonic() - ready_at > STEADY_S:
                wait_s = self.first_wait_s
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _end(self, slot: Slot) -> None:
        if slot.keeper is not None:
            await _end_task(slot.keeper)
        runner, slot.runner = slot.runner, None
        slot.state, slot.message = State.NOT_READY, "the server is stopping"
        if runner is not None:
            await runner.stop()

    async def _retire(self, runner: RunnerProcess) -> None:
        try:
            await runner.drain(self.drain_s)
        finally:
            await runner.stop()

    def _do(self, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


async def _end_task(task: "asyncio.Task[None]") -> None:
    """Cancel until it has ended: library code in between may take a cancellation for its own."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
