"""The requests of MLflow's client in TypeScript, in the forms it gives them, made by hand.

The client itself is not run here. Unlike the one in Python it sends a trace as a record and then a
file, whose attributes are values rather than JSON texts, and whose spans have no usable trace id.
"""

import base64
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.conftest import RunningServer
from tests.mlflow.conftest import Guarded

TRACE = "tr-" + "ab" * 16
BEGUN_NS = 1_790_000_000_123_456_789
ENDED_NS = BEGUN_NS + 1_500_000_000
ROOT, MODEL, TOOL = "00000000000000a1", "00000000000000a2", "00000000000000a3"
JSON = {"content-type": "application/json", "sec-fetch-mode": "cors"}
USAGE = {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}


@dataclass
class Client:
    url: str
    token: str = ""

    def ask(self, method: str, path: str, told: object = None) -> tuple[int, Any]:
        """The status, and the answer: read as JSON unless it says that it is empty."""
        headers = JSON | ({"authorization": f"Bearer {self.token}"} if self.token else {})
        status, answer = send(method, self.url + path, told, headers)
        return status, json.loads(answer) if answer else None

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, told: object) -> Any:
        status, answer = self.ask("POST", path, told)
        assert status == 200, answer
        return answer

    def create_experiment(self) -> str:
        told = {"name": "from TypeScript"}
        return self.post("/api/2.0/mlflow/experiments/create", told)["experiment_id"]

    def create_trace(self, experiment_id: str, **fields: object) -> dict[str, Any]:
        info = trace_info(experiment_id) | fields
        told = {"trace": {"trace_info": info}}
        return self.post("/api/3.0/mlflow/traces", told)["trace"]["trace_info"]

    def log_trace(self, experiment_id: str, spans: list[dict[str, Any]], **fields: object) -> str:
        """The path of its file."""
        info = self.create_trace(experiment_id, **fields)
        place = info["tags"]["mlflow.artifactLocation"]
        assert place.startswith("mlflow-artifacts:/")
        path = "/api/2.0/mlflow-artifacts/artifacts" + place.removeprefix("mlflow-artifacts:")
        assert self.ask("PUT", f"{path}/traces.json", {"spans": spans}) == (200, None)
        return f"{path}/traces.json"


def send(
    method: str, url: str, told: object = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    body = None if told is None else json.dumps(told).encode()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request(method, url.partition(parts.netloc)[2], body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def trace_info(experiment_id: str) -> dict[str, Any]:
    return {
        "trace_id": TRACE,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment_id},
        },
        "request_time": "2026-09-21T14:13:20.123Z",
        "execution_duration": "1.5s",
        "state": "OK",
        "trace_metadata": {"mlflow.trace_schema.version": "3"},
        "tags": {},
        "assessments": [],
    }


def span(span_id: str, name: str, attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "trace_id": base64.b64encode(b"\x00\xf6" + bytes.fromhex("ab" * 14)).decode(),
        "span_id": to_base64(span_id),
        "parent_span_id": "",
        "name": name,
        "start_time_unix_nano": BEGUN_NS,
        "end_time_unix_nano": ENDED_NS,
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {"mlflow.traceRequestId": TRACE, "mlflow.spanType": "UNKNOWN"} | attributes,
        "events": [],
        "links": [],
    }
    return told | fields


def to_base64(span_id: str) -> str:
    return base64.b64encode(bytes.fromhex(span_id)).decode()


def read_values(told: dict[str, Any]) -> dict[str, Any]:
    """Attributes as the client reads them: texts are JSON where they can be."""
    return {key: json.loads(text) for key, text in told["attributes"].items()}


def nested_spans() -> list[dict[str, Any]]:
    usage = {"mlflow.chat.tokenUsage": USAGE}
    error = {
        "exception.type": "RangeError",
        "exception.message": "zu weit",
        "exception.stacktrace": "RangeError: zu weit\n    at tool",
    }
    return [
        span(
            ROOT,
            "answer",
            {
                "mlflow.spanType": "CHAIN",
                "mlflow.spanInputs": {"question": "Käse 🧀?"},
                "mlflow.spanOutputs": "ja, 奶酪",
                "mlflow.spanLogLevel": 20,
                "n": 5,
                "share": 0.25,
                "is_new": True,
                "tried": [1, "a", None],
            },
            links=[
                {
                    "trace_id": "tr-" + "0c" * 16,
                    "span_id": "0d" * 8,
                    "attributes": {"rel": "after"},
                },
                {"trace_id": "tr-" + "0e" * 16, "span_id": "0f" * 8, "attributes": None},
            ],
        ),
        span(
            MODEL,
            "model",
            {"mlflow.spanType": "CHAT_MODEL", "mlflow.llm.model": "m-1"} | usage,
            parent_span_id=to_base64(ROOT),
        ),
        span(
            TOOL,
            "tool",
            {"mlflow.spanType": "TOOL"},
            parent_span_id=to_base64(ROOT),
            status={"code": "STATUS_CODE_ERROR", "message": "zu weit"},
            events=[{"name": "exception", "time_unix_nano": BEGUN_NS + 7, "attributes": error}],
        ),
    ]


def test_a_trace_is_sent_and_read_back(server: RunningServer) -> None:
    client = Client(server.url)
    experiment_id = client.create_experiment()
    sent = nested_spans()
    path = client.log_trace(
        experiment_id,
        sent,
        request_preview="Käse?",
        client_request_id="c-1",
        tags={"kind": "naïve 🧪"},
        trace_metadata={
            "mlflow.trace_schema.version": "3",
            "mlflow.trace.session": "s-1",
            "mlflow.trace.tokenUsage": json.dumps(USAGE),
        },
    )
    info = client.get(f"/api/3.0/mlflow/traces/{TRACE}")["trace"]["trace_info"]
    assert info["trace_id"] == TRACE
    assert (info["state"], info["execution_duration"]) == ("OK", "1.500s")
    assert info["request_time"] == "2026-09-21T14:13:20.123Z"
    assert (info["request_preview"], info["client_request_id"]) == ("Käse?", "c-1")
    assert (info["tags"]["kind"], info["tags"]["mlflow.traceName"]) == ("naïve 🧪", "answer")
    assert info["trace_metadata"]["mlflow.trace.session"] == "s-1"
    assert json.loads(info["trace_metadata"]["mlflow.trace.tokenUsage"]) == USAGE

    read = client.get(path)["spans"]
    assert [each["name"] for each in read] == ["answer", "model", "tool"]
    for told, came in zip(sent, read, strict=True):
        assert told["attributes"].items() <= read_values(came).items()
        for key in ("span_id", "start_time_unix_nano", "end_time_unix_nano", "status", "links"):
            assert came[key] == told[key]
        assert came["events"] == told["events"]
        assert (came["parent_span_id"] or "") == told["parent_span_id"]
        assert base64.b64decode(came["trace_id"]).hex() == TRACE.removeprefix("tr-")

    ours = client.get(f"/api/v1/traces/{TRACE}")
    assert (ours["span_count"], ours["error_count"]) == (3, 1)
    assert USAGE.items() <= ours["token_usage"].items()


def test_a_text_stays_a_text(server: RunningServer) -> None:
    """Values of the client in Python are JSON texts: these would be numbers, and none at all."""
    client = Client(server.url)
    told = {"mlflow.spanInputs": "NaN", "mlflow.spanOutputs": "42", "flag": "true", "id": "007"}
    path = client.log_trace(client.create_experiment(), [span(ROOT, "root", told)])
    [read] = client.get(path)["spans"]
    assert told.items() <= read_values(read).items()
    info = client.get(f"/api/3.0/mlflow/traces/{TRACE}")["trace"]["trace_info"]
    assert (info["request_preview"], info["response_preview"]) == ("NaN", "42")


def test_a_text_cut_in_an_emoji_loses_no_trace(server: RunningServer) -> None:
    client = Client(server.url)
    half = "so \ud83e"
    path = client.log_trace(
        client.create_experiment(),
        [
            span(
                ROOT,
                half,
                {"mlflow.spanInputs": half, "mlflow.spanOutputs": {half: [half]}},
                status={"code": "STATUS_CODE_ERROR", "message": half},
                events=[{"name": half, "time_unix_nano": BEGUN_NS, "attributes": {half: half}}],
                links=[
                    {"trace_id": TRACE, "span_id": "0d" * 8, "attributes": {half: half}},
                ],
            )
        ],
        request_preview=half,
        client_request_id=half,
        tags={"t": half, half: "t"},
        trace_metadata={"m": half, "mlflow.trace.session": half},
    )
    whole = "so \ufffd"
    [read] = client.get(path)["spans"]
    assert (read["name"], read["status"]["message"]) == (whole, whole)
    assert read_values(read)["mlflow.spanInputs"] == whole
    assert read_values(read)["mlflow.spanOutputs"] == {whole: [whole]}
    assert read["events"][0]["attributes"] == {whole: whole}
    assert read["links"][0]["attributes"] == {whole: whole}
    info = client.get(f"/api/3.0/mlflow/traces/{TRACE}")["trace"]["trace_info"]
    assert (info["request_preview"], info["client_request_id"]) == (whole, whole)
    assert (info["tags"]["t"], info["tags"][whole]) == (whole, "t")
    assert info["trace_metadata"]["m"] == whole


def test_traces_are_searched(server: RunningServer) -> None:
    client = Client(server.url)
    experiment_id = client.create_experiment()
    location = trace_info(experiment_id)["trace_location"]
    asked = {"locations": [location], "max_results": 1, "order_by": ["timestamp_ms DESC"]}
    # The client takes the list for granted.
    assert client.post("/api/3.0/mlflow/traces/search", asked) == {"traces": []}
    client.log_trace(experiment_id, nested_spans(), tags={"kind": "a"})
    client.create_trace(
        experiment_id, trace_id="tr-" + "cd" * 16, request_time="2026-09-21T14:13:21.000Z"
    )
    page = client.post("/api/3.0/mlflow/traces/search", asked)
    assert [each["trace_id"] for each in page["traces"]] == ["tr-" + "cd" * 16]
    asked["page_token"] = page["next_page_token"]
    page = client.post("/api/3.0/mlflow/traces/search", asked)
    assert [each["trace_id"] for each in page["traces"]] == [TRACE]
    assert not page.get("next_page_token")
    found = client.post(
        "/api/3.0/mlflow/traces/search", {"locations": [location], "filter": "tags.kind = 'a'"}
    )
    assert [each["trace_id"] for each in found["traces"]] == [TRACE]


def test_a_token_is_asked_for(guarded: Guarded) -> None:
    client = Client(guarded.server.url, guarded.token()[0])
    experiment_id = client.create_experiment()
    path = client.log_trace(experiment_id, nested_spans())
    assert len(client.get(path)["spans"]) == 3
    for token in ("", "made-up"):
        stranger = Client(guarded.server.url, token)
        told = {"trace": {"trace_info": trace_info(experiment_id)}}
        assert stranger.ask("POST", "/api/3.0/mlflow/traces", told)[0] == 401
        assert stranger.ask("PUT", path, {"spans": []})[0] == 401
        assert stranger.ask("GET", path)[0] == 401


def test_as_a_workspace_files_go_to_signed_addresses(guarded: Guarded) -> None:
    client = Client(guarded.server.url, guarded.token()[0])
    client.create_trace(client.create_experiment())
    way = f"/api/2.0/mlflow/traces/{TRACE}/credentials-for-data"
    upload = client.get(f"{way}-upload")["credential_info"]
    # The kinds whose files are sent by one PUT, without a token.
    assert upload["type"] in ("AWS_PRESIGNED_URL", "GCP_SIGNED_URL")
    headers = JSON | {each["name"]: each["value"] for each in upload.get("headers") or ()}
    assert send("PUT", upload["signed_uri"], {"spans": nested_spans()}, headers)[0] == 200
    download = client.get(f"{way}-download")["credential_info"]
    status, content = send("GET", download["signed_uri"])
    assert status == 200
    assert [each["name"] for each in json.loads(content)["spans"]] == ["answer", "model", "tool"]
    for token in ("", "made-up"):
        assert Client(guarded.server.url, token).ask("GET", f"{way}-upload")[0] == 401


def test_values_that_no_message_can_hold_read_back(server: RunningServer) -> None:
    deep: Any = "bottom"
    for _ in range(60):
        deep = [{"k": deep}]
    client = Client(server.url)
    told = {"mlflow.spanInputs": {"deep": deep}, "huge": 2**70, "flag": "true"}
    path = client.log_trace(client.create_experiment(), [span(ROOT, "root", told)])
    [read] = client.get(path)["spans"]
    assert told.items() <= read_values(read).items()
    whole = client.get(f"/api/3.0/mlflow/traces/get?trace_id={TRACE}")["trace"]
    assert [each["name"] for each in whole["spans"]] == ["root"]
    assert client.get(f"/api/v1/traces/{TRACE}/spans")["spans"]


def test_large_files_that_come_together_are_all_kept(server: RunningServer) -> None:
    client = Client(server.url)
    experiment_id = client.create_experiment()
    path = client.log_trace(experiment_id, [])
    ids = [f"{number:016x}" for number in range(1, 9)]
    large = [span(span_id, f"span {span_id}", {"text": span_id * 2**18}) for span_id in ids]
    with ThreadPoolExecutor(len(ids)) as senders:
        sent = [senders.submit(client.ask, "PUT", path, {"spans": [each]}) for each in large]
    assert [each.result() for each in sent] == [(200, None)] * len(ids)
    read = {each["span_id"]: read_values(each)["text"] for each in client.get(path)["spans"]}
    assert read == {to_base64(span_id): span_id * 2**18 for span_id in ids}


def test_a_file_that_is_refused_does_not_hide_the_other_spans(server: RunningServer) -> None:
    client = Client(server.url)
    sent = nested_spans()
    sizes = {"mlflow.trace.sizeStats": json.dumps({"num_spans": len(sent)})}
    path = client.log_trace(client.create_experiment(), sent[:1], trace_metadata=sizes)
    whole = f"/api/3.0/mlflow/traces/get?trace_id={TRACE}&allow_partial=false"
    status, answer = client.ask("GET", whole)
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    spans = {"spans": [*sent, "z" * 129 * 2**20]}
    status, answer = client.ask("PUT", path, spans)
    assert (status, answer["error_code"]) == (400, "RESOURCE_EXHAUSTED")
    assert "128 MiB" in answer["message"]
    assert [each["name"] for each in client.get(whole)["trace"]["spans"]] == ["answer"]
    many = client.get(f"/api/3.0/mlflow/traces/batchGet?trace_ids={TRACE}")["traces"]
    assert [each["trace_info"]["trace_id"] for each in many] == [TRACE]


def test_a_file_in_parts_is_refused_and_hides_nothing(server: RunningServer) -> None:
    client = Client(server.url)
    sizes = {"mlflow.trace.sizeStats": json.dumps({"num_spans": 3})}
    usage = {"mlflow.trace.tokenUsage": json.dumps(USAGE)}
    experiment_id = client.create_experiment()
    info = client.create_trace(experiment_id, trace_metadata=sizes | usage)
    folder = info["tags"]["mlflow.artifactLocation"].removeprefix("mlflow-artifacts:")
    parts = "/api/2.0/mlflow-artifacts/mpu/create" + folder
    status, answer = client.ask("POST", parts, {"path": "/tmp/traces.json", "num_parts": 2})
    assert (status, answer["error_code"]) == (400, "RESOURCE_EXHAUSTED")
    whole = f"/api/3.0/mlflow/traces/get?trace_id={TRACE}&allow_partial=false"
    assert client.get(whole)["trace"]["trace_info"]["trace_id"] == TRACE
    assert client.get(f"/api/v1/traces/{TRACE}")["token_usage"]["total_tokens"] == 17
