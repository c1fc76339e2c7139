"""OpenTelemetry's own exporter over HTTP, with each of its compressions, and zstd beside it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import zstandard
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.conftest import RunningServer, start_server
from tests.spans import make_request, make_span, public_id
from tracelake.store.open import open_store


@pytest.fixture(scope="module", params=[1, 2], ids="workers={}".format)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, str]]:
    home = tmp_path_factory.mktemp("home")
    url = f"sqlite:///{Path(home) / 'tracelake.db'}"
    running = start_server(home, url, workers=request.param)
    yield running, url
    running.process.terminate()
    assert running.process.wait(20) in (0, -15)


@pytest.mark.parametrize("compression", list(Compression), ids=lambda c: c.value)
def test_the_real_exporter(server: tuple[RunningServer, str], compression: Compression) -> None:
    running, url = server
    provider = TracerProvider()
    exporter = OTLPSpanExporter(running.url + "/v1/traces", compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("agent") as root:
        root.set_attribute("input.value", "Grüße, 世界 " * 20_000)
        for n in range(300):
            with tracer.start_as_current_span(f"step {n}"):
                pass
    provider.shutdown()
    store = open_store(url)
    try:
        trace_id = f"tr-{root.get_span_context().trace_id:032x}"
        assert store.traces.get_trace(trace_id).span_count == 301
    finally:
        store.close()


def test_zstd(server: tuple[RunningServer, str]) -> None:
    running, url = server
    body = zstandard.compress(
        make_request([make_span(1, 1), make_span(1, 2, 1)]).SerializeToString()
    )
    headers = {"content-type": "application/x-protobuf", "content-encoding": "zstd"}
    with urlopen(Request(running.url + "/v1/traces", body, headers)) as answer:
        assert answer.status == 200
    store = open_store(url)
    try:
        assert store.traces.get_trace(public_id(1)).span_count == 2
    finally:
        store.close()
