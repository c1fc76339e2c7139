"""From a body as it came to spans that are durable: the one way in for every protocol."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from tracelake.ingest.commit import Decode, GroupCommitter, Request
from tracelake.ingest.decode import Decoder, NotQuick, Offer
from tracelake.ingest.outcome import Outcome
from tracelake.store.api import SpanWriter


class Ingest(Protocol):
    """What takes offers: this process itself, or processes behind it."""

    async def accept(self, offer: Offer) -> Outcome:
        """Returns when the spans are durable. Idempotent on (trace id, span id).

        Raises InvalidInput for a body that cannot be read, NotFound for an unknown experiment,
        Unavailable when it is to be sent again; then nothing is known to be stored.
        """
        ...

    async def start(self) -> None:
        """Be ready to accept. In the event loop that accepts."""
        ...

    async def stop(self) -> None:
        """Finish what was accepted, and end."""
        ...


class LocalIngest:
    """Accepts in this process."""

    def __init__(self, spans: SpanWriter, decoder: Decoder) -> None:
        self._committer = GroupCommitter[asyncio.Future[Outcome]](spans, self._served)
        self._decoder = decoder
        self._loop: asyncio.AbstractEventLoop | None = None
        # Those that would let the others wait are decoded beside them, one at a time: what they
        # take in memory does not add up.
        self._slow = asyncio.Lock()

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._committer.start()

    async def stop(self) -> None:
        await asyncio.to_thread(self._committer.stop)

    async def accept(self, offer: Offer) -> Outcome:
        size_bytes = offer.size_bytes
        if offer.is_quick:
            with suppress(NotQuick):
                return await self._commit(partial(self._decoder.decode_quickly, offer), size_bytes)
        async with self._slow:
            decoded = await asyncio.to_thread(self._decoder.decode, offer)
        return await self._commit(lambda: decoded, size_bytes)

    async def _commit(self, decode: Decode, size_bytes: int) -> Outcome:
        assert self._loop is not None, "start() comes first"
        asker: asyncio.Future[Outcome] = self._loop.create_future()
        self._committer.put(Request(asker, decode, size_bytes))
        return await asker

    def _served(self, group: Sequence[Request[asyncio.Future[Outcome]]]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_settle, group)


def _settle(group: Sequence[Request[asyncio.Future[Outcome]]]) -> None:
    for request in group:
        if request.asker.done():
            continue  # the client left; its spans are stored all the same
        try:
            request.asker.set_result(request.outcome())
        except Exception as error:
            request.asker.set_exception(error)
