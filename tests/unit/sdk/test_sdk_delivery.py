"""Delivery to a server that is well, away, slow or full; the user's code never waits for it."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from otlp_receiver import Receiver

import tracelake
from tracelake.model.errors import InvalidFilter, InvalidInput, Unavailable
from tracelake.sdk.client import PROCESS, Client
from tracelake.sdk.guard import Guard, Losses
from tracelake.sdk.http import untraced

COLUMNS = (
    *("trace_id", "trace", "client_request_id", "state", "request_time", "execution_duration"),
    *("request", "response", "trace_metadata", "tags", "spans", "assessments"),
)

DEAD = "http://127.0.0.1:9"


@tracelake.trace
def call(text: str) -> str:
    return text


def timed(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def calls(count: int) -> Callable[[], None]:
    def run() -> None:
        for number in range(count):
            call(str(number))

    return run


def test_experiments_are_found_made_and_kept_apart(receiver: Receiver, client: Client) -> None:
    receiver.experiments["old"] = "41"
    tracelake.set_experiment("old")
    with tracelake.start_span("first"):
        handle = tracelake.set_experiment("brand new")
        call("still in the first trace")
    call("second")
    tracelake.set_experiment(experiment_id="7")
    call("third")
    assert tracelake.flush(10)
    made = receiver.experiments["brand new"]
    where = {s.attributes.get("mlflow.spanInputs", s.name): s.experiment for s in receiver.spans}
    assert where == {
        "first": "41",
        '{"text":"still in the first trace"}': "41",
        '{"text":"second"}': made,
        '{"text":"third"}': "7",
    }
    assert handle.experiment_id == made
    with pytest.raises(InvalidInput):
        tracelake.set_experiment()
    with pytest.raises(InvalidInput):
        tracelake.set_tracking_uri("localhost:5050")


def test_token_tags_and_resource_travel(
    receiver: Receiver, make_client: Callable[..., Client]
) -> None:
    make_client(
        tracking_uri=receiver.uri + "/",
        tracking_token="secret",
        experiment_id="5",
        service_name="airline",
        trace_tags='{"agent": "main.support.airline", "version": 3}',
    )
    with tracelake.start_span("root"):
        call("x")
    assert tracelake.flush(10)
    root = receiver.named("root")
    assert root.attributes["mlflow.traceTag.agent"] == "main.support.airline"
    assert root.attributes["mlflow.traceTag.version"] == "3"
    assert "mlflow.traceTag.agent" not in receiver.named("call").attributes
    assert root.resource["service.name"] == "airline"
    assert root.experiment == "5"
    assert receiver.requests[0][2]["Authorization"] == "Bearer secret"


def test_large_bodies_are_compressed_and_split_when_refused(
    receiver: Receiver, client: Client
) -> None:
    receiver.max_body_bytes = 12_000
    for number in range(8):
        call(f"{number}" + os.urandom(700).hex())
    call("z" * 1_000_000)
    call(os.urandom(20_000).hex())
    tracelake.flush(20)
    assert len(receiver.spans) == 9
    assert tracelake.lost_records() == {"refused": 1}
    assert any(headers.get("Content-Encoding") == "gzip" for _, _, headers, _ in receiver.requests)


def test_a_server_that_is_down_costs_nothing(
    make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    make_client(tracking_uri=DEAD, queue_spans="50", retry_ms="300", request_timeout_ms="200")
    with caplog.at_level(logging.WARNING, "tracelake.sdk"):
        assert timed(calls(500)) < 1.0
        assert not tracelake.flush(10)
        calls(100)()
        tracelake.flush(10)
    lost = tracelake.lost_records()
    assert lost["unreachable"] >= 50
    assert lost["queue full"] >= 400
    assert sum(lost.values()) == 600
    assert len([r for r in caplog.records if "did not deliver" in r.message]) == 1


def test_a_server_that_hangs_costs_nothing(
    receiver: Receiver, make_client: Callable[..., Client]
) -> None:
    receiver.hang_s = 30
    make_client(tracking_uri=receiver.uri, request_timeout_ms="300", retry_ms="500")
    assert timed(calls(300)) < 1.0
    assert timed(lambda: tracelake.flush(0.2)) < 1.0
    trace_id = tracelake.get_last_active_trace_id()
    assert trace_id is not None
    assert timed(lambda: tracelake.log_feedback(trace_id=trace_id, name="n", value=1)) < 1.0
    assert not tracelake.flush(10)
    assert tracelake.lost_records()["unreachable"] >= 300
    assert timed(lambda: tracelake.set_trace_tag(trace_id, "a", "b")) < 0.2


def test_503_is_tried_again_when_the_server_says(receiver: Receiver, client: Client) -> None:
    receiver.answers = [(503, {"Retry-After": "1"}), (429, {})]
    began = time.perf_counter()
    calls(3)()
    assert time.perf_counter() - began < 0.5
    assert tracelake.flush(20)
    assert time.perf_counter() - began >= 1.0
    assert len(receiver.spans) == 3
    assert tracelake.lost_records() == {}


def test_400_is_not_tried_again(receiver: Receiver, client: Client) -> None:
    receiver.answers = [(400, {})]
    call("refused")
    tracelake.flush(10)
    call("taken")
    assert tracelake.flush(10)
    assert tracelake.lost_records() == {"refused": 1}
    assert [span.outputs for span in receiver.spans] == ["taken"]


def test_a_span_protobuf_cannot_carry_does_not_take_others_along(
    receiver: Receiver, client: Client
) -> None:
    call("good")
    bad: Any = client.tracer.start_span("bad \ud800")
    bad.end()
    call("also good")
    tracelake.flush(10)
    assert [span.outputs for span in receiver.spans] == ["good", "also good"]
    assert tracelake.lost_records() == {"unencodable": 1}


def test_losses_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    losses = Losses(lambda: now[0])
    with caplog.at_level(logging.WARNING, "tracelake.sdk"):
        for second in range(121):
            now[0] = float(second)
            losses.add("queue full", 10)
    assert [record.getMessage() for record in caplog.records] == [
        "Tracelake did not deliver 10 records (10 queue full)",
        "Tracelake did not deliver 600 records (600 queue full)",
        "Tracelake did not deliver 600 records (600 queue full)",
    ]
    assert losses.counts() == {"queue full": 1210}


def test_an_error_of_ours_never_reaches_the_user(
    receiver: Receiver, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(tracking_uri=receiver.uri, raise_errors="false")

    class Broken:
        def start_span(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("ours")

    client.tracer = Broken()
    with caplog.at_level(logging.WARNING, "tracelake.sdk"):
        assert [call(str(number)) for number in range(5)] == list("01234")
        with tracelake.start_span("block") as span:
            span.set_inputs(1)
            span.set_outputs(2)
    assert client.guard.failures == 6
    assert len(caplog.records) == 1


def test_a_guard_lets_interrupts_through() -> None:
    guard = Guard()
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt
    guard.strict = True
    with pytest.raises(ZeroDivisionError), guard:
        raise ZeroDivisionError


def test_feedback_follows_its_trace(receiver: Receiver, client: Client) -> None:
    with tracelake.start_span("open") as span:
        path = f"/api/v1/traces/{span.trace_id}/assessments"
        answer = {
            "assessment_id": "a-1",
            "trace_id": span.trace_id,
            "name": "n",
            "feedback": {"value": True},
            "source": {"source_type": "HUMAN", "source_id": "me"},
        }
        receiver.rest["POST", path] = (200, answer)
        early = tracelake.log_feedback(trace_id=span.trace_id, name="early", value=True)
        assert early.assessment_id == ""
    late = tracelake.log_feedback(
        trace_id=span.trace_id,
        name="n",
        value=True,
        source=tracelake.AssessmentSource(tracelake.SourceType.HUMAN, "me"),
        rationale="because",
        metadata={"a": 1},
        span_id=span.span_id,
        error=ValueError("e"),
    )
    assert late.assessment_id == "a-1"
    paths = [path for _, path, _, _ in receiver.requests]
    assert paths == ["/v1/traces", path, path]
    body = receiver.requests[-1][3]
    assert body["feedback"]["value"] is True
    assert body["feedback"]["error"]["error_code"] == "ValueError"
    assert body["source"] == {"source_type": "HUMAN", "source_id": "me"}
    assert (body["rationale"], body["metadata"], body["span_id"]) == (
        "because",
        {"a": "1"},
        span.span_id,
    )
    tracelake.log_expectation(trace_id=span.trace_id, name="odd", value=[float("nan"), b"x"])
    odd = receiver.requests[-1][3]["expectation"]
    assert odd == {"value": [{"$double": "NaN"}, {"$bytes": "eA=="}]}
    with pytest.raises(InvalidInput):
        tracelake.log_feedback(trace_id=span.trace_id, name="empty")
    with pytest.raises(InvalidInput):
        tracelake.log_expectation(trace_id="not an id", name="n", value=1)


def test_a_refused_write_is_counted_not_raised(receiver: Receiver, client: Client) -> None:
    tracelake.set_trace_tag("tr-" + "a" * 32, "k", "v")
    tracelake.delete_trace_tag("tr-" + "a" * 32, "k/with slash")
    assert tracelake.lost_records() == {"refused": 2}
    assert receiver.requests[-1][1].endswith("/tags/k%2Fwith%20slash")


def info(trace_id: str, **more: Any) -> dict[str, Any]:
    return {
        "trace_id": trace_id,
        "experiment_id": "0",
        "state": "OK",
        "request_time": "2026-11-24T07:44:52.123456Z",
        "execution_duration_ms": 12.5,
        "tags": {"a": "b"},
        "trace_metadata": {},
        "span_count": 1,
        **more,
    }


SPAN = {
    "span_id": "1" * 16,
    "parent_span_id": None,
    "name": "root",
    "span_type": "AGENT",
    "start_time_unix_nano": 1,
    "end_time_unix_nano": 2,
    "status": "OK",
    "inputs": {"raw": {"$bytes": "AA=="}},
    "outputs": "out",
    "attributes": {},
    "events": [{"name": "e", "time_unix_nano": 5, "attributes": {"x": 1}}],
}


def test_traces_are_read_back(
    receiver: Receiver, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    used, unused = "tr-" + "a" * 32, "tr-" + "b" * 32
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    given = {"feedback": {"value": 1}, "name": "n", "trace_id": used, "assessment_id": "a-1"}
    infos = [info(used, token_usage=usage, assessments=[given]), info(unused)]
    receiver.rest["GET", f"/api/v1/traces/{used}"] = (200, infos[0])
    for each in (used, unused):
        page = {"spans": [SPAN | {"trace_id": each}], "next_page_token": None}
        receiver.rest["GET", f"/api/v1/traces/{each}/spans"] = (200, page)
    receiver.rest["POST", "/api/v1/traces/search"] = (200, {"traces": infos})
    trace = tracelake.get_trace(used)
    assert trace is not None
    token_usage = trace.info.token_usage
    if token_usage:
        print(  # noqa: T201
            token_usage.get("input_tokens"),
            token_usage.get("output_tokens"),
            token_usage.get("total_tokens"),
        )
    assert capsys.readouterr().out == "3 4 7\n"
    assert trace.info.request_time == 1795506292123
    assert trace.info.assessments[0].value == 1
    assert trace.data.spans[0].inputs == {"raw": b"\x00"}
    assert trace.data.spans[0].events[0].attributes == {"x": 1}
    assert trace.search_spans(span_type="AGENT") == trace.data.spans
    assert tracelake.get_trace(unused) is None
    found = tracelake.search_traces(filter_string="status = 'OK'", order_by=["timestamp DESC"])
    assert [each.info.trace_id for each in found] == [used, unused]
    assert found[1].info.token_usage is None
    search = next(told for _, path, _, told in receiver.requests if path.endswith("search"))
    assert search == {
        "experiment_ids": ["0"],
        "max_results": 100,
        "filter": "status = 'OK'",
        "order_by": ["timestamp DESC"],
    }
    frame = tracelake.search_traces(return_type="pandas")
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 2


def test_reading_says_what_is_wrong(receiver: Receiver, client: Client) -> None:
    error = {"error_code": "INVALID_PARAMETER_VALUE", "message": "odd word (column 3)", "column": 3}
    receiver.rest["POST", "/api/v1/traces/search"] = (400, error)
    with pytest.raises(InvalidFilter, match=r"^odd word \(column 3\)$") as caught:
        tracelake.search_traces(filter_string="x y")
    assert caught.value.column == 3
    tracelake.set_tracking_uri(DEAD)
    with pytest.raises(Unavailable):
        tracelake.get_trace("tr-" + "a" * 32)


def test_a_bad_environment_does_not_stop_the_program(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRACELAKE_QUEUE_SPANS", "many")
    before = PROCESS.use(None)
    try:
        with caplog.at_level(logging.WARNING, "tracelake.sdk"):
            assert PROCESS.get().settings.queue_spans == 8192
    finally:
        PROCESS.use(before)
    assert "TRACELAKE_QUEUE_SPANS='many'" in caplog.text


def test_spans_are_sent_when_the_process_ends(receiver: Receiver) -> None:
    code = "import tracelake\nwith tracelake.start_span('last words'): pass"
    environment = os.environ | {"TRACELAKE_TRACKING_URI": receiver.uri}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert receiver.named("last words").status == 1


def test_a_process_that_ends_waits_only_so_long(receiver: Receiver) -> None:
    receiver.hang_s = 30
    code = "import tracelake\nwith tracelake.start_span('last words'): pass"
    environment = os.environ | {
        "TRACELAKE_TRACKING_URI": receiver.uri,
        "TRACELAKE_EXIT_FLUSH_MS": "300",
    }
    began = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert time.perf_counter() - began < 10
    assert "did not deliver 1 records (1 process ending)" in ended.stderr


def test_a_forked_child_records_for_itself(receiver: Receiver) -> None:
    code = """
import os, random, tracelake
random.seed(1)
with tracelake.start_span("parent"): pass
tracelake.flush()
child = os.fork()
random.seed(1)
with tracelake.start_span("child" if child == 0 else "parent again"): pass
assert tracelake.flush()
if child == 0: os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    environment = os.environ | {"TRACELAKE_TRACKING_URI": receiver.uri}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert sorted(span.name for span in receiver.spans) == ["child", "parent", "parent again"]
    assert len({span.trace_id for span in receiver.spans}) == 3


def test_requests_of_ours_are_not_traced() -> None:
    with untraced():
        assert suppressed()
    assert not suppressed()


def suppressed() -> bool:
    from opentelemetry import context as otel_context

    key: str = vars(otel_context)["_SUPPRESS_INSTRUMENTATION_KEY"]
    return bool(otel_context.get_value(key))
