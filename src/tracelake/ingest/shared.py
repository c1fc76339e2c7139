"""Ingest shared between the server's own process and processes beside it (decision 009)."""

from typing import Final

from tracelake.ingest.accept import Ingest
from tracelake.ingest.decode import NotQuick, Offer
from tracelake.ingest.outcome import Outcome
from tracelake.ingest.processes import MUCH_BYTES, IngestProcesses

_MANY_REQUESTS: Final = 8


class SharedIngest:
    """Implements `Ingest`: by this process, until there is so much to do that another is started;
    from then on by the others, which deal with one offer after the other, but for what is slow and
    for what comes when they have nothing to do."""

    def __init__(self, own: Ingest, others: IngestProcesses) -> None:
        self._own = own
        self._others = others
        self._own_bytes = 0
        self._own_requests = 0

    async def start(self) -> None:
        await self._own.start()

    async def stop(self) -> None:
        await self._others.stop()
        await self._own.stop()

    async def accept(self, offer: Offer) -> Outcome:
        least_bytes = self._others.least_bytes
        if least_bytes is None:
            is_much = self._own_bytes > MUCH_BYTES or self._own_requests > _MANY_REQUESTS
        else:
            is_much = least_bytes > MUCH_BYTES
        if is_much:
            self._others.add()
        # Where nothing waits, to pass it on takes longer than to deal with it.
        is_calm = self._others.is_idle and not self._own_requests
        if least_bytes is not None and offer.is_quick and not is_calm:
            try:
                return await self._others.accept(offer)
            except NotQuick:
                offer.is_slow = True
        size_bytes = offer.size_bytes
        self._own_bytes += size_bytes
        self._own_requests += 1
        try:
            return await self._own.accept(offer)
        finally:
            self._own_bytes -= size_bytes
            self._own_requests -= 1
