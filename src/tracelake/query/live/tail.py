"""The one reader of changes in a process. It reads each change once, however many want it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tracelake.model import wire
from tracelake.model.errors import TracelakeError
from tracelake.model.filters.evaluate import needs_spans
from tracelake.query.live.subscription import Interest, Subscription
from tracelake.store.operations import Live
from tracelake.web.answer import encode

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
    """Runs while someone subscribes. `stop` it before the server waits for its connections.

    Interests that need the spans of a trace have a reader of their own: to judge a page of changes
    for them can take seconds, which nobody else is to wait for.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._plain = _Reader(live)
        self._deep = _Reader(live)
        self._latest = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._is_stopped = False

    async def subscribe(self, interest: Interest, after_seq: int | None = None) -> Subscription:
        """From now on, or from what came after `after_seq`. Raises InvalidFilter, Unavailable.

        The caller gives it back with `unsubscribe`.
        """
        reader = self._deep if needs_spans(interest.parse()) else self._plain
        async with self._starting:
            if self._task is None or self._task.done():
                self._latest = await asyncio.to_thread(self._live.wait, -1, 0)
                self._plain.seq = self._deep.seq = self._latest
                self._task = asyncio.create_task(self._run(), name="live-tail")
            subscription = Subscription(interest, reader.seq)
            reader.subscriptions.add(subscription)
        if self._is_stopped:
            subscription.end()
        elif after_seq is not None:
            try:
                await reader.catch_up(subscription, after_seq)
            except BaseException:
                self.unsubscribe(subscription)
                raise
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        for reader in (self._plain, self._deep):
            reader.subscriptions.discard(subscription)

    async def stop(self) -> None:
        """End every stream, and the reading."""
        self._is_stopped = True
        for reader in (self._plain, self._deep):
            for subscription in reader.subscriptions:
                subscription.end()
            reader.subscriptions.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        """Watch the number of the latest change; the readers follow it."""
        following = [
            asyncio.create_task(reader.run(self._later_than))
            for reader in (self._plain, self._deep)
        ]
        is_away = False
        try:
            while self._plain.subscriptions or self._deep.subscriptions:
                try:
                    latest = await asyncio.to_thread(self._live.wait, self._latest, _WAIT_S)
                    is_away = False
                except TracelakeError as error:
                    # Said once: a store can be away for hours.
                    if not is_away:
                        _log.warning("live streams wait: %s", error.message)
                    is_away = True
                    await asyncio.sleep(_WAIT_S)
                    continue
                async with self._changed:
                    self._latest = latest
                    self._changed.notify_all()
                await asyncio.sleep(_PAUSE_S)
        finally:
            for each in following:
                each.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _later_than(self, seq: int) -> int:
        """The number of the latest change, once it is above `seq`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._latest > seq)
            return self._latest


class _Reader:
    """Reads changes for some subscriptions, which all have the same place: `seq`."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.seq = 0
        self.subscriptions: set[Subscription] = set()

    async def run(self, later_than: Callable[[int], Awaitable[int]]) -> None:
        """Follow the changes until it is cancelled. `later_than` waits for one above a number."""
        must_jump = False
        while True:
            latest = await later_than(self.seq)
            try:
                if must_jump:
                    self._jump(latest)
                    must_jump = False
                await self._follow(latest)
            except TracelakeError as error:
                _log.warning("live streams wait: %s", error.message)
                await asyncio.sleep(_WAIT_S)
            except Exception:
                # The streams outlive whatever one change runs into.
                _log.exception("live streams skip the changes after %d", self.seq)
                must_jump = True
                await asyncio.sleep(_WAIT_S)

    async def _follow(self, latest: int) -> None:
        if not self.subscriptions:
            self.seq = latest
        if latest - self.seq > _MAX_BACKLOG:
            self._jump(latest)
        while self.seq < latest:
            wanted = frozenset(each.interest for each in self.subscriptions)
            seq, found = await asyncio.to_thread(self._read, self.seq, latest, wanted)
            if not all(each.interest in wanted for each in self.subscriptions):
                continue  # someone new came while we read, and must not miss these
            for subscription in self.subscriptions:
                _hand_over(subscription, found)
                subscription.seq = seq
            self.seq = seq

    def _jump(self, latest: int) -> None:
        for subscription in self.subscriptions:
            subscription.skip()
            subscription.seq = latest
        self.seq = latest

    async def catch_up(self, subscription: Subscription, after_seq: int) -> None:
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
