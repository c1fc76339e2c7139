"""Ingest shared between the server's own process and processes beside it (decision 009)."""

from typing import Final

from tracelake.ingest.accept import Ingest, Offer
from tracelake.ingest.outcome import Outcome
from tracelake.ingest.processes import IngestProcesses

_SMALL_BYTES: Final = 256 * 1024
_OWN_BYTES: Final = 2 * 1024 * 1024
"""Small bodies stay here, where one commit serves many of them, while no more than this waits.
Where more waits for every process there is, there is work for another."""


class SharedIngest:
    """Implements `Ingest`: an offer goes to this process or to whichever has least to do."""

    def __init__(self, own: Ingest, others: IngestProcesses) -> None:
        self._own = own
        self._others = others
        self._own_bytes = 0

    async def start(self) -> None:
        await self._own.start()

    async def stop(self) -> None:
        await self._others.stop()
        await self._own.stop()

    async def accept(self, offer: Offer) -> Outcome:
        size_bytes = len(offer.body)
        if not self._is_for_us(size_bytes):
            return await self._others.accept(offer)
        self._own_bytes += size_bytes
        try:
            return await self._own.accept(offer)
        finally:
            self._own_bytes -= size_bytes

    def _is_for_us(self, size_bytes: int) -> bool:
        if size_bytes <= _SMALL_BYTES and self._own_bytes <= _OWN_BYTES:
            return True
        others_bytes = self._others.least_bytes
        if self._own_bytes > _OWN_BYTES and (others_bytes is None or others_bytes > _OWN_BYTES):
            self._others.add()
        return others_bytes is None or self._own_bytes <= others_bytes
