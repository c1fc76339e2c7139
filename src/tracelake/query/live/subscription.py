"""What one client wants to hear of, and what waits to be sent to it."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from tracelake.model.filters.evaluate import Evidence, matches
from tracelake.model.filters.parse import parse_filter
from tracelake.model.filters.tree import Node

MAX_PENDING: Final = 2000
"""Traces that may wait for one slow client. Beyond that it is told to load its list again."""


@dataclass(frozen=True, slots=True)
class Interest:
    """Alike for all clients that want the same, so that it is asked once for all of them."""

    filter: str = ""
    experiment_ids: tuple[str, ...] | None = None
    trace_id: str | None = None

    def parse(self) -> Node:
        """Raises InvalidFilter."""
        return parse_filter(self.filter)

    def wants(self, tree: Node, told: Evidence) -> bool:
        info = told.info
        if self.trace_id is not None and info.trace_id != self.trace_id:
            return False
        if self.experiment_ids is not None and info.experiment_id not in self.experiment_ids:
            return False
        return matches(tree, told)


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that was waiting. With `is_behind`, changes before `seq` were left out."""

    seq: int
    traces: list[bytes]
    is_behind: bool


@dataclass(slots=True, eq=False)
class Subscription:
    """One client. All of it runs in the event loop.

    `seq` says up to which change everything has been sent or waits in `_pending`.
    """

    interest: Interest
    seq: int
    is_over: bool = False
    _pending: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    _is_behind: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, trace_id: str, seq: int, told: bytes) -> None:
        """A trace to send, in place of an earlier version of it that still waits."""
        waiting = self._pending.get(trace_id)
        if waiting is not None and waiting[0] >= seq:
            return
        self._pending[trace_id] = (seq, told)
        if len(self._pending) > MAX_PENDING:
            self.skip()
        self._wake.set()

    def skip(self) -> None:
        """Leave out what waits, and tell the client that something is missing."""
        self._pending.clear()
        self._is_behind = True
        self._wake.set()

    def end(self) -> None:
        self.is_over = True
        self._wake.set()

    async def take(self, timeout_s: float) -> Batch | None:
        """What waits, as soon as something does; None when time is up or it is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return None
        if self.is_over:
            return None
        self._wake.clear()
        batch = Batch(self.seq, [told for _, told in self._pending.values()], self._is_behind)
        self._pending.clear()
        self._is_behind = False
        return batch
