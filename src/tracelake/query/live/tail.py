"""The one reader of changes in a process. It reads each change once, however many want it."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tracelake.model import wire
from tracelake.model.errors import TracelakeError
from tracelake.query.answer import encode
from tracelake.query.live.subscription import Interest, Subscription
from tracelake.store.operations import Live

_log = logging.getLogger(__name__)

_WAIT_S: Final = 1.0
_PAUSE_S: Final = 0.25
"""At most four batches a second."""
_PAGE: Final = 500
_MAX_BACKLOG: Final = 20_000
"""Changes that are read to catch up. A client, or a server, further behind jumps to now."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A changed trace that someone wants, and as which interests."""

    seq: int
    trace_id: str
    told: bytes
    interests: frozenset[Interest]


class LiveTail:
    """Runs while someone subscribes. `stop` it before the server waits for its connections."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._seq = 0
        self._subscriptions: set[Subscription] = set()
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._is_stopped = False

    async def subscribe(self, interest: Interest, after_seq: int | None = None) -> Subscription:
        """From now on, or from what came after `after_seq`. Raises InvalidFilter, Unavailable.

        The caller gives it back with `unsubscribe`.
        """
        interest.parse()
        async with self._starting:
            if self._task is None or self._task.done():
                self._seq = await asyncio.to_thread(self._live.wait, -1, 0)
                self._task = asyncio.create_task(self._run(), name="live-tail")
            subscription = Subscription(interest, self._seq)
            self._subscriptions.add(subscription)
        if self._is_stopped:
            subscription.end()
        elif after_seq is not None:
            try:
                await self._catch_up(subscription, after_seq)
            except BaseException:
                self.unsubscribe(subscription)
                raise
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    async def stop(self) -> None:
        """End every stream, and the reading."""
        self._is_stopped = True
        for subscription in self._subscriptions:
            subscription.end()
        self._subscriptions.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        is_away = must_jump = False
        while self._subscriptions:
            try:
                if must_jump:
                    self._jump(await asyncio.to_thread(self._live.wait, -1, 0))
                    must_jump = False
                latest = await asyncio.to_thread(self._live.wait, self._seq, _WAIT_S)
                if latest > self._seq:
                    await self._follow(latest)
                is_away = False
                await asyncio.sleep(_PAUSE_S)
            except TracelakeError as error:
                # Said once: a store can be away for hours.
                if not is_away:
                    _log.warning("live streams wait: %s", error.message)
                is_away = True
                await asyncio.sleep(_WAIT_S)
            except Exception:
                # The streams outlive whatever one change runs into.
                _log.exception("live streams skip the changes after %d", self._seq)
                must_jump = True
                await asyncio.sleep(_WAIT_S)

    async def _follow(self, latest: int) -> None:
        if latest - self._seq > _MAX_BACKLOG:
            self._jump(latest)
        while self._seq < latest:
            wanted = frozenset(each.interest for each in self._subscriptions)
            seq, found = await asyncio.to_thread(self._read, self._seq, latest, wanted)
            if not all(each.interest in wanted for each in self._subscriptions):
                continue  # someone new came while we read, and must not miss these
            for subscription in self._subscriptions:
                _hand_over(subscription, found)
                subscription.seq = seq
            self._seq = seq

    def _jump(self, latest: int) -> None:
        for subscription in self._subscriptions:
            subscription.skip()
            subscription.seq = latest
        self._seq = latest

    async def _catch_up(self, subscription: Subscription, after_seq: int) -> None:
        """Hand over what a client missed, of what the tail had read before it came.

        A number above ours is of another store, or of one that was restored since.
        """
        target = subscription.seq
        if not 0 <= target - after_seq <= _MAX_BACKLOG:
            subscription.skip()
            return
        seq, wanted = after_seq, frozenset([subscription.interest])
        while seq < target:
            seq, found = await asyncio.to_thread(self._read, seq, target, wanted)
            _hand_over(subscription, [each for each in found if each.seq <= target])

    def _read(
        self, after_seq: int, latest: int, interests: frozenset[Interest]
    ) -> tuple[int, list[_Wanted]]:
        """A page of changes: how far it goes, and those that anyone wants."""
        trees = {interest: interest.parse() for interest in interests}
        page = self._live.read(after_seq, max_traces=_PAGE)
        found: list[_Wanted] = []
        for changed in page:
            told = self._live.evidence(changed.info)
            fit = frozenset(
                interest for interest, tree in trees.items() if interest.wants(tree, told)
            )
            if fit:
                head = encode(wire.trace_to_json(changed.info))
                found.append(_Wanted(changed.seq, changed.info.trace_id, head, fit))
        seq = page[-1].seq if page else after_seq
        # A short page has all there is; of the numbers up to `latest`, no other trace is left.
        return (seq if len(page) == _PAGE else max(latest, seq)), found


def _hand_over(subscription: Subscription, found: list[_Wanted]) -> None:
    for each in found:
        if subscription.interest in each.interests:
            subscription.put(each.trace_id, each.seq, each.told)
