"""The calls of clients before version 3, which fall back to them: a trace in two calls and a file."""

import base64
import json
import os

import pytest
import requests

BASE = os.environ["TRACKING_URI"] + "/api/2.0/mlflow"
FILES = os.environ["TRACKING_URI"] + "/api/2.0/mlflow-artifacts/artifacts"


def pairs(told):
    return {pair["key"]: pair["value"] for pair in told}


def spans(kind):
    if kind == "old":
        return [
            {
                "name": "root", "context": {"trace_id": "0x1", "span_id": "0x00000000000000aa"},
                "parent_id": None, "start_time": 1_790_000_000_000_000_000,
                "end_time": 1_790_000_001_000_000_000, "status_code": "OK", "status_message": "",
                "attributes": {"mlflow.spanInputs": json.dumps({"q": 1}), "mlflow.spanOutputs": '"a"'},
                "events": [{"name": "e", "timestamp": 1_790_000_000_500_000_000, "attributes": {"n": 1}}],
            }
        ]  # fmt: skip
    return [
        {
            "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==",
            "span_id": base64.b64encode(bytes(7) + b"\xaa").decode(), "parent_span_id": None,
            "name": "root", "start_time_unix_nano": 1_790_000_000_000_000_000,
            "end_time_unix_nano": 1_790_000_001_000_000_000,
            "status": {"code": "STATUS_CODE_OK", "message": ""}, "links": [],
            "attributes": {"mlflow.spanInputs": json.dumps({"q": 1}), "mlflow.spanOutputs": '"a"'},
            "events": [{"name": "e", "time_unix_nano": 1_790_000_000_500_000_000, "attributes": {"n": 1}}],
        }
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["old", "new"])
def test_a_trace_in_two_calls_and_a_file(experiment_id, kind):
    begun = requests.post(
        f"{BASE}/traces",
        json={
            "experiment_id": experiment_id,
            "timestamp_ms": 1_790_000_000_000,
            "request_metadata": [{"key": "mlflow.trace.session", "value": "s-1"}],
            "tags": [{"key": "mlflow.traceName", "value": "legacy"}],
        },
        timeout=10,
    ).json()["trace_info"]
    trace_id = begun["request_id"]
    assert begun["status"] == "IN_PROGRESS"
    place = pairs(begun["tags"])["mlflow.artifactLocation"].removeprefix("mlflow-artifacts:/")
    sent = requests.put(
        f"{FILES}/{place}/traces.json", json.dumps({"spans": spans(kind)}), timeout=10
    )
    assert sent.status_code == 200
    ended = requests.patch(
        f"{BASE}/traces/{trace_id}",
        json={
            "timestamp_ms": 1_790_000_001_000,
            "status": "OK",
            "tags": [{"key": "a", "value": "b"}],
        },
        timeout=10,
    ).json()["trace_info"]
    assert (ended["status"], ended["execution_time_ms"]) == ("OK", 1000)
    info = requests.get(f"{BASE}/traces/{trace_id}/info", timeout=10).json()["trace_info"]
    assert pairs(info["tags"])["a"] == "b"
    assert pairs(info["request_metadata"])["mlflow.trace.session"] == "s-1"
    found = requests.get(
        f"{BASE}/traces",
        params={"experiment_ids": experiment_id, "filter": "name = 'legacy'", "max_results": 5},
        timeout=10,
    ).json()["traces"]
    assert [each["request_id"] for each in found] == [trace_id]
    file = requests.get(f"{FILES}/{place}/traces.json", timeout=10).json()
    assert file["spans"][0]["attributes"]["mlflow.spanInputs"] == '{"q": 1}'

    import mlflow

    span = mlflow.get_trace(trace_id).data.spans[0]
    assert (span.inputs, span.outputs, span.span_id) == ({"q": 1}, "a", "00000000000000aa")
    assert [(event.name, dict(event.attributes)) for event in span.events] == [("e", {"n": 1})]


def test_a_file_that_is_none_is_refused(experiment_id):
    place = f"{FILES}/{experiment_id}/traces/tr-{'0' * 31}2/artifacts/traces.json"
    for content in (b"{", b"[]", b'{"spans": [{"span_id": "x"}]}', b'{"spans": [{}]}'):
        assert requests.put(place, content, timeout=10).status_code == 400
