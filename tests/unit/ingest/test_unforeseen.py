"""An error that nobody foresaw is answered in the shape of all others, and is in the log."""

import json
import logging
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from tests.spans import make_request, make_span
from tests.unit.ingest.guards import anybody

from tracelake.ingest.accept import LocalIngest
from tracelake.ingest.admission import Admission
from tracelake.ingest.decode import Decoder
from tracelake.ingest.intake import Intake
from tracelake.ingest.metrics import IngestMetrics
from tracelake.ingest.prices import PriceTable
from tracelake.ingest.routes import OtlpTraces
from tracelake.web.errors import answer_error


class Broken:
    """Experiments that fail in a way of their own."""

    def get(self, experiment_id: str) -> None:
        raise ZeroDivisionError(experiment_id)


async def test_the_answer_has_the_usual_shape(caplog: pytest.LogCaptureFixture) -> None:
    metrics = IngestMetrics(CollectorRegistry())
    never = cast("Any", None)
    ingest = LocalIngest(never, Decoder(cast("Any", Broken()), PriceTable(), 10**6))
    await ingest.start()
    intake = Intake(Admission(10**6, 10**6, metrics), ingest, metrics, anybody, "0")
    endpoint = OtlpTraces(intake, answer_error)
    body = make_request([make_span(1, 1)]).SerializeToString()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/x-protobuf")]
    scope = {"type": "http", "method": "POST", "path": "/v1/traces", "headers": headers}
    with caplog.at_level(logging.ERROR):
        await endpoint(scope, receive, send)
    await ingest.stop()
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["error_code"] == "INTERNAL_ERROR"
    assert "ZeroDivisionError" in caplog.text
