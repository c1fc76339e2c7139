"""From a body as it came to spans that are durable: decompress, decode, normalise, commit.

The one way in for every protocol. It runs in the server's process or in an ingest process.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Protocol

from tracelake.ingest.body import PROTOBUF, parse
from tracelake.ingest.commit import GroupCommitter
from tracelake.ingest.encoding import decompress
from tracelake.ingest.normalise import parts_of
from tracelake.ingest.outcome import Outcome, Refused
from tracelake.ingest.prices import PriceTable
from tracelake.model.errors import PayloadTooLarge
from tracelake.store.api import Experiments, SpanWriter, TracePart

EXPERIMENT_HEADER: Final = "x-mlflow-experiment-id"
DEFAULT_EXPERIMENT: Final = "0"
_INLINE_BYTES: Final = 256 * 1024
"""Bodies up to this size are decoded on the event loop, which costs less than a thread's switch."""


@dataclass(slots=True)
class Offer:
    """A body as it came, and what was said of it."""

    body: bytes
    media_type: str
    encoding: str
    experiment: str

    def take_body(self) -> bytes:
        """The body, which the offer then forgets: waiting for a commit must not hold it."""
        body, self.body = self.body, b""
        return body


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
    """Accepts in this process. It keeps only which experiments exist."""

    def __init__(
        self, spans: SpanWriter, experiments: Experiments, prices: PriceTable, max_body_bytes: int
    ) -> None:
        self._committer = GroupCommitter(spans)
        self._experiments = experiments
        self._prices = prices
        self._max_body_bytes = max_body_bytes
        self._known_experiments: dict[str, int] = {}
        # Large bodies are decoded one at a time: their memory does not add up.
        self._large = asyncio.Lock()

    async def start(self) -> None:
        self._committer.start()

    async def stop(self) -> None:
        await asyncio.to_thread(self._committer.stop)

    async def accept(self, offer: Offer) -> Outcome:
        experiment_id = await self._experiment(offer.experiment)
        plain = self._small_body(offer)
        if plain is not None:
            offer.take_body()
            parts, refused = self._parts(plain, offer, experiment_id)
            del plain
        else:
            async with self._large:
                parts, refused = await asyncio.to_thread(self._large_parts, offer, experiment_id)
        began_s = time.monotonic()
        if parts:
            await self._committer.commit(parts, sum(part.size_bytes for part in parts))
        stored = sum(len(part.spans) for part in parts)
        return Outcome(stored, refused, time.monotonic() - began_s)

    def _small_body(self, offer: Offer) -> bytes | None:
        """The plain body, unless it is, or unfolds to, one that would hold up the event loop."""
        if len(offer.body) > _INLINE_BYTES:
            return None
        try:
            return decompress(offer.body, offer.encoding, min(_INLINE_BYTES, self._max_body_bytes))
        except PayloadTooLarge:
            return None

    def _large_parts(self, offer: Offer, experiment_id: int) -> tuple[list[TracePart], Refused]:
        plain = decompress(offer.take_body(), offer.encoding, self._max_body_bytes)
        return self._parts(plain, offer, experiment_id)

    def _parts(
        self, plain: bytes, offer: Offer, experiment_id: int
    ) -> tuple[list[TracePart], Refused]:
        request = parse(plain, offer.media_type)
        own_bytes = plain if offer.media_type == PROTOBUF else None
        return parts_of(request, own_bytes, experiment_id, self._prices)

    async def _experiment(self, text: str) -> int:
        known = self._known_experiments.get(text)
        if known is None:
            found = await asyncio.to_thread(self._experiments.get, text)
            known = self._known_experiments[text] = int(found.experiment_id)
        return known
