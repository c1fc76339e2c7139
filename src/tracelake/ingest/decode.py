"""A body as it came to the parts that the store takes: decompress, parse, normalise."""

from dataclasses import dataclass
from typing import Final

from tracelake.ingest.body import JSON, PROTOBUF, parse
from tracelake.ingest.encoding import decompress
from tracelake.ingest.normalise import parts_of
from tracelake.ingest.outcome import Refused
from tracelake.ingest.prices import PriceTable
from tracelake.store.api import Experiments, TracePart

_QUICK_BYTES: Final = {PROTOBUF: 4 * 1024 * 1024, JSON: 256 * 1024}
"""Plain bodies up to this size are decoded in some 40 ms."""
_UNFOLDED: Final = 8
"""How many times its own size a compressed body is taken to be."""


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

    @property
    def is_quick(self) -> bool:
        """Whether it is decoded in no time, as far as its size tells. JSON is parsed in Python."""
        times = _UNFOLDED if self.encoding else 1
        return len(self.body) * times <= _QUICK_BYTES[self.media_type]


class Decoder:
    """Blocks. It keeps only which experiments exist, and is not for several threads at once."""

    def __init__(self, experiments: Experiments, prices: PriceTable, max_body_bytes: int) -> None:
        self._experiments = experiments
        self._prices = prices
        self._max_body_bytes = max_body_bytes
        self._known_experiments: dict[str, int] = {}

    def decode(self, offer: Offer) -> tuple[list[TracePart], Refused]:
        """The parts, and the spans that cannot be stored. The offer loses its body.

        Raises InvalidInput, UnsupportedMedia, PayloadTooLarge, NotFound for an unknown experiment,
        Unavailable when the store cannot be asked.
        """
        experiment_id = self._experiment(offer.experiment)
        plain = decompress(offer.take_body(), offer.encoding, self._max_body_bytes)
        request = parse(plain, offer.media_type)
        encoded = plain if offer.media_type == PROTOBUF else request.SerializeToString()
        return parts_of(request, encoded, experiment_id, self._prices)

    def _experiment(self, text: str) -> int:
        known = self._known_experiments.get(text)
        if known is None:
            found = self._experiments.get(text)
            known = self._known_experiments[text] = int(found.experiment_id)
        return known
