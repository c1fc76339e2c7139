"""A body as it came to the parts that the store takes: decompress, parse, normalise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelake.ingest.body import JSON, PROTOBUF, parse
from tracelake.ingest.encoding import decompress, plain_bytes
from tracelake.ingest.normalise import parts_of
from tracelake.ingest.outcome import Refused
from tracelake.ingest.prices import PriceTable
from tracelake.ingest.salvage import without_unreadable
from tracelake.model.errors import InvalidInput, PayloadTooLarge, TracelakeError
from tracelake.model.jsontexts import QUOTED_ID, type_attributes
from tracelake.model.links import LINKED_RUNS, linked_runs
from tracelake.store.api import Experiments, TraceFacts, TracePart

_QUICK_BYTES: Final = {PROTOBUF: 2 * 1024 * 1024, JSON: 256 * 1024}
_QUICK_SPANS: Final = 2000
"""A plain body up to these sizes is decoded in some 40 ms. JSON is parsed in Python."""


class NotQuick(TracelakeError):
    """A body turned out to be larger than it looked. Nothing has been done with it."""

    code: ClassVar[str] = "NOT_QUICK"


class Destination(NamedTuple):
    """Where spans go."""

    experiment: str
    run_id: str = ""
    """A run that is to find their traces, if any."""


@dataclass(slots=True)
class Offer:
    """A body as it came, and what was said of it."""

    body: bytes
    media_type: str
    encoding: str
    destination: Destination
    is_slow: bool = False
    """Known to be, whatever its size."""
    size_bytes: int = field(init=False)
    """Of the plain body, as far as the one that came tells."""

    def __post_init__(self) -> None:
        self.size_bytes = plain_bytes(self.body, self.encoding)

    @property
    def is_quick(self) -> bool:
        """Whether it may be decoded in no time, as far as its size tells."""
        return not self.is_slow and self.size_bytes <= _QUICK_BYTES[self.media_type]


class Decoder:
    """Blocks. For any number of threads; all it keeps is which experiments exist."""

    def __init__(self, experiments: Experiments, prices: PriceTable, max_body_bytes: int) -> None:
        self._experiments = experiments
        self._prices = prices
        self._max_body_bytes = max_body_bytes
        self._known_experiments: dict[str, int] = {}

    def decode_quickly(self, offer: Offer) -> tuple[list[TracePart], Refused]:
        """As `decode`, where others wait for it. Raises NotQuick for what is slow."""
        most_bytes = min(_QUICK_BYTES[offer.media_type], self._max_body_bytes)
        try:
            return self._decode(offer, most_bytes, _QUICK_SPANS)
        except PayloadTooLarge as error:
            if most_bytes < self._max_body_bytes:
                raise NotQuick(error.message) from error
            raise

    def decode(self, offer: Offer) -> tuple[list[TracePart], Refused]:
        """The parts, and the spans that cannot be stored. The offer loses its body.

        Raises InvalidInput, UnsupportedMedia, PayloadTooLarge, NotFound for an unknown experiment,
        Unavailable when the store cannot be asked.
        """
        return self._decode(offer, self._max_body_bytes, None)

    def _decode(
        self, offer: Offer, most_bytes: int, most_spans: int | None
    ) -> tuple[list[TracePart], Refused]:
        experiment_id = self._experiment(offer.destination.experiment)
        plain = decompress(offer.body, offer.encoding, most_bytes)
        refused: Refused | None = None
        try:
            request = parse(plain, offer.media_type)
        except InvalidInput as error:
            if most_spans is not None:
                raise NotQuick("to find the spans that cannot be read takes time") from error
            plain, refused = without_unreadable(plain, offer.media_type, error)
            request = parse(plain, offer.media_type)
        if most_spans is not None and _count_spans(request) > most_spans:
            raise NotQuick("many small spans")
        offer.body = b""  # waiting for a commit must not hold it
        is_as_it_came = offer.media_type == PROTOBUF
        if QUOTED_ID in plain and type_attributes(_spans(request)):
            is_as_it_came = False
        encoded = plain if is_as_it_came else request.SerializeToString()
        parts, refused = parts_of(request, encoded, experiment_id, self._prices, refused)
        if offer.destination.run_id:
            _link(parts, offer.destination.run_id)
        return parts, refused

    def _experiment(self, text: str) -> int:
        known = self._known_experiments.get(text)
        if known is None:
            found = self._experiments.get(text)
            known = self._known_experiments[text] = int(found.experiment_id)
        return known


def _link(parts: Sequence[TracePart], run_id: str) -> None:
    for part in parts:
        part.facts = part.facts or TraceFacts()
        part.facts.metadata[LINKED_RUNS] = linked_runs((run_id,))


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from scope_spans.spans


def _count_spans(request: ExportTraceServiceRequest) -> int:
    return sum(
        len(scope_spans.spans)
        for resource_spans in request.resource_spans[:]
        for scope_spans in resource_spans.scope_spans[:]
    )
