"""OTLP over gRPC: the real exporter, its compression, and codes that tell a sender what to do."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import grpc
import psutil
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from tests.conftest import free_port, start_server
from tests.spans import make_request, make_span, public_id
from tracelake.ingest.grpc import SERVICE
from tracelake.store.open import Store, open_store

GOOD = make_request([make_span(1, 1)]).SerializeToString()
MAX_BODY_BYTES = 8 * 1024 * 1024


class Served:
    """A server with a gRPC port, and the store behind it."""

    def __init__(self, home: Path) -> None:
        url = f"sqlite:///{home / 'tracelake.db'}"
        port = free_port()
        self.running = start_server(
            home, url, otlp_grpc_port=port, max_body_bytes=MAX_BODY_BYTES, max_pending_bytes=2**24
        )
        self.address = f"127.0.0.1:{port}"
        self.store: Store = open_store(url)

    def stop(self) -> None:
        self.store.close()
        self.running.process.terminate()
        assert self.running.process.wait(20) in (0, -15)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("home"))
    yield made
    made.stop()


def export(served: Served, body: bytes, **call: Any) -> ExportTraceServiceResponse:
    """One call with the bytes of a message, past every generated class."""
    with grpc.insecure_channel(
        served.address, options=[("grpc.max_send_message_length", -1)]
    ) as channel:
        method = cast("Any", channel).unary_unary(f"/{SERVICE}/Export")
        return ExportTraceServiceResponse.FromString(method(body, timeout=60, **call))


@pytest.mark.parametrize(
    "compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate], ids=str
)
def test_the_real_exporter(served: Served, compression: grpc.Compression | None) -> None:
    found = served.store.experiments
    name = f"grpc-{compression}"
    experiment = found.create(name, {})
    exporter = OTLPSpanExporter(
        endpoint=served.address,
        insecure=True,
        compression=compression,
        headers={"x-mlflow-experiment-id": experiment.experiment_id},
    )
    results = Watched(exporter)
    provider = TracerProvider(resource=Resource({"service.name": "airline"}))
    provider.add_span_processor(SimpleSpanProcessor(results))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("agent") as root:
        root.set_attribute("input.value", "Grüße, 世界 " * 2000)
        with tracer.start_as_current_span("tool"):
            pass
    provider.shutdown()
    assert results.seen == [SpanExportResult.SUCCESS] * 2
    trace_id = f"tr-{root.get_span_context().trace_id:032x}"
    info = served.store.traces.get_trace(trace_id)
    assert (info.name, info.span_count) == ("agent", 2)
    assert info.experiment_id == experiment.experiment_id
    spans = served.store.traces.get_spans(trace_id).spans
    assert spans[0].inputs == "Grüße, 世界 " * 2000
    assert spans[0].resource["service.name"] == "airline"


class Watched(SpanExporter):
    """Remembers what the exporter made of the answers."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self.seen: list[SpanExportResult] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.seen.append(self._inner.export(spans))
        return self.seen[-1]

    def shutdown(self) -> None:
        self._inner.shutdown()


def test_partial_success(served: Served) -> None:
    bad = make_span(20, 2, 1)
    bad.span_id = b"short"
    answer = export(served, make_request([make_span(20, 1), bad]).SerializeToString())
    assert answer.partial_success.rejected_spans == 1
    assert "span_id" in answer.partial_success.error_message
    assert served.store.traces.get_trace(public_id(20)).span_count == 1
    assert export(served, GOOD) == ExportTraceServiceResponse()
    assert export(served, b"") == ExportTraceServiceResponse()


@pytest.mark.parametrize(
    ("body", "headers", "code", "says"),
    [
        (b"\xff\xff\xff", {}, grpc.StatusCode.INVALID_ARGUMENT, "protobuf"),
        (GOOD, {"x-mlflow-experiment-id": "77"}, grpc.StatusCode.NOT_FOUND, "77"),
        (bytes(MAX_BODY_BYTES + 1), {}, grpc.StatusCode.RESOURCE_EXHAUSTED, "larger"),
    ],
)
def test_final_refusals(
    served: Served, body: bytes, headers: dict[str, str], code: grpc.StatusCode, says: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        export(served, body, metadata=tuple(headers.items()))
    error: Any = caught.value
    assert error.code() is code
    assert says in error.details()
    # Without RetryInfo, so that nobody sends it again.
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata())
    assert export(served, GOOD) == ExportTraceServiceResponse()


def test_a_bomb_leaves_the_memory_bounded(served: Served) -> None:
    process = psutil.Process(served.running.process.pid)
    before = process.memory_info().rss
    with pytest.raises(grpc.RpcError) as caught:
        export(served, bytes(300 * 1024 * 1024), compression=grpc.Compression.Gzip)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert process.memory_info().rss - before < 100 * 1024 * 1024
    assert export(served, GOOD) == ExportTraceServiceResponse()


def test_many_compressed_messages_leave_the_memory_bounded(served: Served) -> None:
    """They are unpacked when it is their turn, not when they come."""
    process = psutil.Process(served.running.process.pid)
    assert export(served, GOOD) == ExportTraceServiceResponse()
    before = process.memory_info().rss
    span = make_span(50, 1, said="x" * 7_000_000)
    body = make_request([span]).SerializeToString()
    peak = 0
    with ThreadPoolExecutor(40) as pool:
        calls = [
            pool.submit(export, served, body, compression=grpc.Compression.Gzip) for _ in range(40)
        ]
        while not all(call.done() for call in calls):
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.01)
    errors: list[Any] = [call.exception() for call in calls if call.exception() is not None]
    assert {error.code() for error in errors} <= {grpc.StatusCode.UNAVAILABLE}
    assert len(errors) < 40
    assert peak - before < 150 * 1024 * 1024
    assert served.store.traces.get_trace(public_id(50)).span_count == 1


def test_small_messages_where_bodies_must_be_small(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    port = free_port()
    running = start_server(tmp_path, url, otlp_grpc_port=port, max_body_bytes=100_000)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = cast("Any", channel).unary_unary(f"/{SERVICE}/Export")
            assert method(GOOD, timeout=60) == b""
    finally:
        running.process.terminate()
        assert running.process.wait(20) in (0, -15)


def test_a_full_server_says_when_to_come_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracelake.db'}"
    port = free_port()
    running = start_server(tmp_path, url, otlp_grpc_port=port, max_pending_bytes=2**18)
    try:
        with running.connect() as held:
            # A body of which only the beginning comes holds the room.
            held.sendall(
                b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Length: 200000\r\n\r\nbeginning"
            )
            error = refused(f"127.0.0.1:{port}")
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        details = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
        retry = RetryInfo()
        assert details.details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 1
    finally:
        running.process.terminate()
        assert running.process.wait(20) in (0, -15)


def refused(address: str) -> Any:
    """Call until one is refused: the other request needs a moment to arrive."""
    with grpc.insecure_channel(address) as channel:
        method = cast("Any", channel).unary_unary(f"/{SERVICE}/Export")
        for _ in range(100):
            try:
                method(GOOD, timeout=10)
            except grpc.RpcError as error:
                return error
    raise AssertionError("nothing was refused")
