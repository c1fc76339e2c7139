"""What is decoded while others wait, and what is not."""

import gzip
from typing import Any, cast

import pytest
from tests.spans import make_request, make_span

from tracelake.ingest.body import JSON, PROTOBUF
from tracelake.ingest.decode import Decoder, NotQuick, Offer
from tracelake.ingest.prices import PriceTable
from tracelake.model.entities import Experiment
from tracelake.model.errors import PayloadTooLarge


class OneExperiment:
    def get(self, text: str) -> Experiment:
        return Experiment("7", "support", {}, 0, 0)


def decoder(max_body_bytes: int = 10**8) -> Decoder:
    return Decoder(cast("Any", OneExperiment()), PriceTable(), max_body_bytes)


def body(spans: int, said: str = "") -> bytes:
    return make_request(
        [make_span(1, n, said=said) for n in range(1, spans + 1)]
    ).SerializeToString()


def test_a_usual_body_is_decoded_and_let_go() -> None:
    offer = Offer(body(10), PROTOBUF, "", "7")
    (part,), refused = decoder().decode_quickly(offer)
    assert (len(part.spans), part.experiment_id, refused.count) == (10, 7, 0)
    assert offer.body == b""


@pytest.mark.parametrize(
    "offer",
    [
        Offer(gzip.compress(body(100, "x" * 30_000)), PROTOBUF, "gzip", "7"),
        Offer(body(2001), PROTOBUF, "", "7"),
        Offer(gzip.compress(b'{"resourceSpans": []' + b" " * 300_000 + b"}"), JSON, "gzip", "7"),
    ],
    ids=["unfolds", "many spans", "json"],
)
def test_what_is_more_than_it_looks_is_decoded_aside(offer: Offer) -> None:
    assert offer.is_quick
    with pytest.raises(NotQuick):
        decoder().decode_quickly(offer)
    parts, _ = decoder().decode(offer)
    assert sum(len(part.spans) for part in parts) in (0, 100, 2001)


def test_what_nobody_takes_is_refused_at_once() -> None:
    offer = Offer(gzip.compress(body(100, "x" * 30_000)), PROTOBUF, "gzip", "7")
    with pytest.raises(PayloadTooLarge):
        decoder(max_body_bytes=100_000).decode_quickly(offer)
