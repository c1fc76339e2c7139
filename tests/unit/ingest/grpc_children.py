"""A gRPC server that is busy while its process starts others, in the event loop of the server.

Run by `test_grpc_children.py` in a process that has not imported gRPC: its settings are read then.
"""

import asyncio
import sys
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry
from tests.conftest import free_port
from tests.unit.ingest.guards import anybody

from tracelake.ingest.admission import Admission
from tracelake.ingest.grpc import SERVICE, OtlpGrpc
from tracelake.ingest.intake import Intake
from tracelake.ingest.metrics import IngestMetrics


async def main(children: int) -> int:
    metrics = IngestMetrics(CollectorRegistry())
    ingest: Any = None  # an empty request never gets there
    intake = Intake(Admission(10**6, 10**6, metrics), ingest, metrics, anybody, "0")
    port = free_port()
    service = OtlpGrpc(intake, "127.0.0.1", port)
    await service.start()
    from grpc.aio import insecure_channel

    async with insecure_channel(f"127.0.0.1:{port}") as channel:
        enough = asyncio.Event()
        traffic = asyncio.create_task(send(channel, enough))
        ended = [await child() for _ in range(children)]
        enough.set()
        await traffic
    await service.stop(0)
    return sum(code != 0 for code in ended)


async def send(channel: Any, enough: asyncio.Event) -> None:
    method = channel.unary_unary(f"/{SERVICE}/Export")
    while not enough.is_set():
        assert await method(b"") == b""


async def child() -> int:
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()


if __name__ == "__main__":
    sys.exit(uvloop.run(main(int(sys.argv[1]))))
