"""A gRPC client that gives up takes nothing back: what it sent holds its room."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from tests.spans import make_request, make_span
from tests.unit.ingest.guards import anybody

from tracelake.ingest.admission import Admission
from tracelake.ingest.decode import Offer
from tracelake.ingest.grpc import OtlpGrpc
from tracelake.ingest.intake import Intake
from tracelake.ingest.metrics import IngestMetrics
from tracelake.ingest.outcome import Outcome, Refused


class Slow:
    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def accept(self, offer: Offer) -> Outcome:
        self.begun.set()
        await self.go.wait()
        return Outcome(1, Refused(), 0.0)


class Call:
    def invocation_metadata(self) -> tuple[()]:
        return ()


async def test_room_is_held_until_it_is_stored() -> None:
    registry = CollectorRegistry()
    metrics = IngestMetrics(registry)
    ingest = Slow()
    intake = Intake(Admission(10**6, 10**6, metrics), cast("Any", ingest), metrics, anybody, "0")
    service = OtlpGrpc(intake, "127.0.0.1", 0)
    body = make_request([make_span(1, 1)]).SerializeToString()

    async def messages() -> AsyncIterator[bytes]:
        yield body

    def pending() -> float | None:
        return registry.get_sample_value("tracelake_ingest_pending_bytes")

    export: Any = service._export  # pyright: ignore[reportPrivateUsage]
    call = asyncio.create_task(export(messages(), Call()))
    await ingest.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert pending() == len(body)
    ingest.go.set()
    async with asyncio.timeout(5):
        while pending():
            await asyncio.sleep(0)
