"""What is decoded while others wait, and what is not."""

import base64
import gzip
import json
import zlib
from typing import Any, cast

import pytest
import zstandard
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.spans import make_request, make_span

from tracelake.ingest.body import JSON, PROTOBUF
from tracelake.ingest.decode import Decoder, Destination, NotQuick, Offer
from tracelake.ingest.prices import PriceTable
from tracelake.model.entities import Experiment
from tracelake.model.errors import InvalidInput, PayloadTooLarge


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
    offer = Offer(body(10), PROTOBUF, "", Destination("7"))
    (part,), refused = decoder().decode_quickly(offer)
    assert (len(part.spans), part.experiment_id, refused.count) == (10, 7, 0)
    assert offer.body == b""


@pytest.mark.parametrize(
    "offer",
    [
        Offer(zlib.compress(body(100, "x" * 30_000)), PROTOBUF, "deflate", Destination("7")),
        Offer(gzip.compress(body(2001)), PROTOBUF, "gzip", Destination("7")),
        Offer(
            zlib.compress(b'{"resourceSpans": []' + b" " * 300_000 + b"}"),
            JSON,
            "deflate",
            Destination("7"),
        ),
    ],
    ids=["unfolds", "many spans", "json"],
)
def test_what_is_more_than_it_looks_is_decoded_aside(offer: Offer) -> None:
    assert offer.is_quick
    with pytest.raises(NotQuick):
        decoder().decode_quickly(offer)
    parts, _ = decoder().decode(offer)
    assert sum(len(part.spans) for part in parts) in (0, 100, 2001)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_body_tells_its_size(encoding: str) -> None:
    plain = body(100, "x" * 30_000)
    compress = gzip.compress if encoding == "gzip" else zstandard.compress
    offer = Offer(compress(plain), PROTOBUF, encoding, Destination("7"))
    assert offer.size_bytes == len(plain)
    assert not offer.is_quick


def test_what_nobody_takes_is_refused_at_once() -> None:
    offer = Offer(gzip.compress(body(100, "x" * 30_000)), PROTOBUF, "gzip", Destination("7"))
    with pytest.raises(PayloadTooLarge):
        decoder(max_body_bytes=100_000).decode_quickly(offer)


DEEP_LEVELS = 48


def deep_span() -> Span:
    span = make_span(1, 4)
    value = span.attributes.add(key="deep").value
    for _ in range(DEEP_LEVELS):
        value = value.array_value.values.add()
    return span


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_a_span_that_cannot_be_read_costs_no_other(media_type: str) -> None:
    good = [make_span(1, n) for n in (1, 2, 3)]
    if media_type == PROTOBUF:
        request = make_request([good[0], deep_span(), *good[1:]])
        sent = request.SerializeToString()
    else:
        told = json.loads(MessageToJson(make_request(good)))
        (scope,) = told["resourceSpans"][0]["scopeSpans"]
        for span in scope["spans"]:
            span["traceId"], span["spanId"] = (
                base64.b64decode(span[key]).hex() for key in ("traceId", "spanId")
            )
        broken = [
            scope["spans"][0] | {"attributes": [{"key": "k", "value": {"stringValue": 5}}]},
            scope["spans"][0] | {"startTimeUnixNano": "-1"},
            scope["spans"][0] | {"traceId": "not hex"},
            "not a span",
        ]
        scope["spans"][1:1] = broken
        sent = json.dumps(told).encode()
    offer = Offer(sent, media_type, "", Destination("7"))
    with pytest.raises(NotQuick):
        decoder().decode_quickly(offer)
    (part,), refused = decoder().decode(offer)
    assert [span.span_id for span in part.spans] == [span.span_id for span in good]
    assert refused.reasons == {"unreadable": 1 if media_type == PROTOBUF else 4}
    assert refused.told


@pytest.mark.parametrize("cut", [1, 3, 40])
def test_a_body_that_ends_too_early_is_refused_whole(cut: int) -> None:
    sent = make_request([make_span(1, n) for n in (1, 2)]).SerializeToString()[:-cut]
    with pytest.raises(InvalidInput, match="not an OTLP"):
        decoder().decode(Offer(sent, PROTOBUF, "", Destination("7")))


def test_where_no_span_can_be_read_the_body_is_refused() -> None:
    sent = make_request([deep_span()]).SerializeToString()
    with pytest.raises(InvalidInput, match="not an OTLP"):
        decoder().decode(Offer(sent, PROTOBUF, "", Destination("7")))


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_no_bytes_are_refused(media_type: str) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        decoder().decode(Offer(b"", media_type, "", Destination("7")))
