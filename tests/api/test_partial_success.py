"""Spans that cannot be stored: the others are, and the answer says which were refused and why."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.conftest import RunningServer, start_server
from tests.spans import make_request, make_span, public_id

PROTOBUF = "application/x-protobuf"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("home")
    running = start_server(home, f"sqlite:///{Path(home) / 'tracelake.db'}")
    yield running
    running.process.terminate()
    assert running.process.wait(20) in (0, -15)


def send(server: RunningServer, body: bytes, media_type: str = PROTOBUF) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/traces", body, {"content-type": media_type})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert answer.status == 200, data
    assert answer.headers["content-type"] == media_type
    return data


def partial(server: RunningServer, request: ExportTraceServiceRequest) -> ExportTracePartialSuccess:
    answer = send(server, request.SerializeToString())
    return ExportTraceServiceResponse.FromString(answer).partial_success


def broken(trace: int, field: str, value: bytes | int) -> Span:
    span = make_span(trace, 2, 1, name=f"broken {field}")
    setattr(span, field, value)
    return span


def stored_names(server: RunningServer, trace: int) -> list[str]:
    """Names from the columns; the payload, which is read by position, must agree with them."""
    with urlopen(f"{server.url}/api/v1/traces/{public_id(trace)}/spans") as answer:
        spans = json.load(answer)["spans"]
    assert [span["attributes"].get("label", span["name"]) for span in spans] == [
        span["name"] for span in spans
    ]
    return [span["name"] for span in spans]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trace_id", bytes(16)),
        ("trace_id", b""),
        ("span_id", b"12"),
        ("parent_span_id", b"123456789"),
        ("end_time_unix_nano", 2**64 - 1),
    ],
)
def test_one_span_does_not_refuse_the_others(
    server: RunningServer, field: str, value: bytes | int
) -> None:
    trace = 100 + len(field)
    spans = [make_span(trace, 1, name="root", label="root"), broken(trace, field, value)]
    last = make_span(trace, 3, 1, name="last", label="last")
    told = partial(server, make_request([*spans, last]))
    assert told.rejected_spans == 1
    assert "1 of 3 spans refused" in told.error_message
    assert f"span 'broken {field}'" in told.error_message
    assert stored_names(server, trace) == ["root", "last"]


def test_all_refused_is_final_and_not_an_error(server: RunningServer) -> None:
    spans = [broken(n + 1, "span_id", b"") for n in range(10)]
    told = partial(server, make_request(spans))
    assert told.rejected_spans == 10
    assert told.error_message.count("span_id must be 8 bytes") == 3
    assert told.error_message.endswith("and 7 more")


def test_json_is_answered_in_json(server: RunningServer) -> None:
    bad = {"traceId": "00" * 16, "spanId": f"{1:016x}", "name": "bad"}
    good = {"traceId": f"{300:032x}", "spanId": f"{1:016x}", "name": "good"}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [bad, good]}]}]}
    told = json.loads(send(server, json.dumps(body).encode(), "application/json"))
    assert told["partialSuccess"]["rejectedSpans"] == "1"
    assert "span 'bad'" in told["partialSuccess"]["errorMessage"]
    assert stored_names(server, 300) == ["good"]
    whole = MessageToDict(make_request([]))
    assert send(server, json.dumps(whole).encode(), "application/json") == b"{}"


def test_full_success_has_no_partial_success(server: RunningServer) -> None:
    assert send(server, make_request([make_span(301, 1)]).SerializeToString()) == b""


def test_refused_spans_are_counted_by_reason(server: RunningServer) -> None:
    partial(server, make_request([broken(400, "start_time_unix_nano", 2**64 - 1)]))
    with urlopen(server.url + "/metrics") as answer:
        text = answer.read().decode()
    found = re.search(r'tracelake_ingest_refused_spans_total\{reason="time"\} (\S+)', text)
    assert found is not None
    assert float(found[1]) >= 1
