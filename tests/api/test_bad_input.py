"""What a server answers to input it cannot take, and that it goes on."""

import gzip
import http.client
import json
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
import zstandard

from tests.conftest import RunningServer, start_server
from tests.spans import make_request, make_span, public_id

PROTOBUF = "application/x-protobuf"
GOOD = make_request([make_span(1, 1)]).SerializeToString()


@pytest.fixture(scope="module", params=[1, 2], ids="workers={}".format)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """The server itself and ingest processes behind it must answer the same."""
    home = tmp_path_factory.mktemp("home")
    url = f"sqlite:///{Path(home) / 'tracelake.db'}"
    running = start_server(home, url, workers=request.param)
    yield running
    running.process.terminate()
    assert running.process.wait(20) in (0, -15)


def call(
    server: RunningServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    is_json = answer.getheader("content-type", "").startswith("application/json")
    return answer.status, json.loads(data) if data and is_json else None


def send(server: RunningServer, body: bytes, **headers: str) -> tuple[int, Any]:
    return call(server, "POST", "/v1/traces", body, **({"content_type": PROTOBUF} | headers))


def still_good(server: RunningServer) -> None:
    assert send(server, GOOD)[0] == 200
    assert call(server, "GET", f"/api/v1/traces/{public_id(1)}")[1]["span_count"] == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"\xff\xff\xff", {}, 400, "protobuf"),
        (b"", {}, 400, "empty"),
        (b"", {"content_type": "application/json"}, 400, "empty"),
        (b"{not json", {"content_type": "application/json"}, 400, "JSON"),
        (b'{"resourceSpans": 3}', {"content_type": "application/json"}, 400, "OTLP"),
        (b"not gzip", {"content_encoding": "gzip"}, 400, "compressed"),
        (gzip.compress(GOOD)[:-9], {"content_encoding": "gzip"}, 400, "too early"),
        (b"not zstd", {"content_encoding": "zstd"}, 400, "compressed"),
        (zstandard.compress(GOOD)[:-9], {"content_encoding": "zstd"}, 400, "too early"),
        (GOOD, {"content_type": "text/plain"}, 415, "text/plain"),
        (GOOD, {"content_encoding": "br"}, 415, "br"),
        (GOOD, {"x_mlflow_experiment_id": "77"}, 404, "No experiment with id 77"),
        (GOOD, {"x_mlflow_experiment_id": "abc"}, 400, "abc"),
    ],
)
def test_a_body_that_cannot_be_read(
    server: RunningServer, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    got, answer = send(server, body, **headers)
    assert got == status
    assert says in answer["message"]
    still_good(server)


def test_a_request_of_no_spans_is_taken(server: RunningServer) -> None:
    assert send(server, b"{}", content_type="application/json") == (200, {})


def test_a_value_nested_too_deeply_costs_its_span_only(server: RunningServer) -> None:
    spans = [make_span(30, n) for n in (1, 2, 3)]
    value = spans[1].attributes.add(key="deep").value
    for _ in range(48):
        value = value.array_value.values.add()
    status, answer = send(server, make_request(spans).SerializeToString())
    assert (status, answer) == (200, None), "told in protobuf"
    assert call(server, "GET", f"/api/v1/traces/{public_id(30)}")[1]["span_count"] == 2
    still_good(server)


def test_huge_bodies_and_bombs_leave_the_memory_bounded(server: RunningServer) -> None:
    process = psutil.Process(server.process.pid)
    still_good(server)
    before = process.memory_info().rss
    assert send(server, bytes(200 * 1024 * 1024))[0] == 413
    bomb = bytes(500 * 1024 * 1024)
    assert send(server, gzip.compress(bomb, 1), content_encoding="gzip")[0] == 413
    assert send(server, zstandard.compress(bomb), content_encoding="zstd")[0] == 413
    assert process.memory_info().rss - before < 300 * 1024 * 1024
    still_good(server)


def test_what_json_in_a_payload_may_hold_is_read_back(server: RunningServer) -> None:
    inputs = '{"big": 340282366920938463463374607431768211455, "half": "\\ud800"}'
    span = make_span(40, 1, mlflow__spanInputs=inputs)
    assert send(server, make_request([span]).SerializeToString())[0] == 200
    status, page = call(server, "GET", f"/api/v1/traces/{public_id(40)}/spans")
    assert status == 200
    assert page["spans"][0]["inputs"] == {"big": 2**128 - 1, "half": "\ud800"}


def test_a_number_past_every_double_stays_text(server: RunningServer) -> None:
    span = make_span(41, 1, mlflow__spanInputs='{"a": 1e999}')
    assert send(server, make_request([span]).SerializeToString())[0] == 200
    page = call(server, "GET", f"/api/v1/traces/{public_id(41)}/spans")[1]
    assert page["spans"][0]["inputs"] == '{"a": 1e999}'


def test_a_filter_says_where_it_is_wrong(server: RunningServer) -> None:
    body = json.dumps({"filter": "status = 'OK' AND nam = 'x'"}).encode()
    status, answer = call(
        server, "POST", "/api/v1/traces/search", body, content_type="application/json"
    )
    assert (status, answer["column"]) == (400, 19)
    status, answer = call(
        server, "POST", "/api/v1/traces/search", b"not json", content_type="application/json"
    )
    assert status == 400
    assert answer["message"] == "the body is not JSON: Expecting value at character 0"


def test_huge_integers_and_halves_of_characters(server: RunningServer) -> None:
    def span(value: str) -> bytes:
        ids = f'"traceId":"{50:032x}","spanId":"{7:016x}"'
        one = f'{{{ids},"name":"n","attributes":[{{"key":"k","value":{value}}}]}}'
        return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{one}]}}]}}]}}'.encode()

    as_json = {"content_type": "application/json"}
    assert send(server, span('{"intValue": 99999999999999999999999}'), **as_json)[0] == 400
    halves = r'{"stringValue": "cut \ud83d", "\udc00": 1}, "\ud800": []'
    assert send(server, span(halves), **as_json) == (200, {})
    told = call(server, "GET", f"/api/v1/traces/{public_id(50)}/spans")[1]["spans"][0]
    assert told["attributes"] == {"k": "cut \ufffd"}
    still_good(server)


def test_odd_values_are_stored_whole(server: RunningServer) -> None:
    big = make_span(20, 1, big="x" * 1_000_000)
    many = make_span(20, 2, 1)
    for n in range(10_000):
        many.attributes.add(key=f"key_{n}").value.int_value = n
    nan = make_span(20, 3, 1, nan=struct.unpack("d", struct.pack("d", float("nan")))[0])
    backwards = make_span(20, 4, 1)
    backwards.end_time_unix_nano = backwards.start_time_unix_nano - 1_000_000_000
    assert send(server, make_request([big, many, nan, backwards]).SerializeToString())[0] == 200
    spans = call(server, "GET", f"/api/v1/traces/{public_id(20)}/spans")[1]["spans"]
    told = {span["span_id"]: span for span in spans}
    assert told[f"{1:016x}"]["attributes"]["big"]["$large"]["size_bytes"] == 1_000_000
    whole = call(server, "GET", f"/api/v1/traces/{public_id(20)}/spans/{1:016x}?whole=true")[1]
    assert whole["attributes"]["big"] == "x" * 1_000_000
    assert len(told[f"{2:016x}"]["attributes"]) == 10_000
    assert told[f"{3:016x}"]["attributes"]["nan"] == {"$double": "NaN"}
    ended, started = (
        told[f"{4:016x}"][key] for key in ("end_time_unix_nano", "start_time_unix_nano")
    )
    assert ended == started - 1_000_000_000
    still_good(server)


def test_a_slow_body_does_not_keep_others_out(server: RunningServer) -> None:
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
    with ExitStack() as slow:
        for _ in range(3):
            connection = slow.enter_context(server.connect())
            connection.sendall(head + b"content-length: 60000000\r\n\r\nx")
        wait_until(lambda: metric(server, "tracelake_ingest_pending_bytes") > 50e6)
        body = make_request([make_span(60, 1, said="x" * 10**6)]).SerializeToString()
        assert send(server, body)[0] == 200
        body = make_request([make_span(60, 2, said="x" * (7 * 10**6))]).SerializeToString()
        assert send(server, body)[0] == 503
        wait_until(lambda: metric(server, "tracelake_ingest_pending_bytes") < 1000)
        still_good(server)


def metric(server: RunningServer, name: str) -> float:
    with urlopen(server.url + "/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends, "it did not come to hold within 30 s"
        time.sleep(0.1)
