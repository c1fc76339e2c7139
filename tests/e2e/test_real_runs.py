"""The 150 recorded conversations: file, API and Delta tables tell the same, message by message."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import duckdb
import pytest
from deltalake import DeltaTable

import load_airline
from tests.conftest import RunningServer, start_server

Message = tuple[str, ...]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def runs() -> list[dict[str, Any]]:
    path = load_airline.find_file()
    if path is None:
        pytest.skip("the recorded runs are not here: set TRACELAKE_SHARED")
    return load_airline.read(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path, runs: list[dict[str, Any]]) -> Iterator[RunningServer]:
    """A server that has taken all conversations through the SDK, and synced them."""
    running = start_server(home, f"sqlite:///{home / 'tracelake.db'}")
    subprocess.run(
        [sys.executable, str(ROOT / "bench" / "load_airline.py")],
        env=os.environ | {"TRACELAKE_TRACKING_URI": running.url},
        check=True,
        timeout=200,
    )
    call(running, "/api/v1/lake/sync", {})
    yield running
    running.process.terminate()
    running.process.wait(30)


def test_the_api_tells_what_the_file_tells(
    server: RunningServer, runs: list[dict[str, Any]]
) -> None:
    traces = list(all_of(server, "/api/v1/traces/search", "traces"))
    sessions = list(all_of(server, "/api/v1/sessions/search", "sessions"))
    spans = [span for trace in traces for span in spans_of(server, trace["trace_id"])]
    session_of = {trace["trace_id"]: trace["session_id"] for trace in traces}
    wanted = counts_of(runs)
    assert len(sessions) == wanted["sessions"]
    assert len(traces) == sum(item["trace_count"] for item in sessions) == wanted["traces"]
    assert len(spans) == sum(trace["span_count"] for trace in traces) == wanted["spans"]
    assert sum(span["span_type"] == "TOOL" for span in spans) == wanted["tool_calls"]
    failed = [span for span in spans if span["status"] == "ERROR"]
    assert len(failed) == sum(trace["error_count"] for trace in traces) == wanted["errors"]
    assert messages_of_spans(spans, session_of) == messages_of_file(runs)
    rewards = {
        session_of[item["trace_id"]]: item["expectation"]["value"]
        for trace in traces
        for item in trace["assessments"]
        if item["name"] == "reward"
    }
    assert rewards == {load_airline.session_of(run): run["reward"] for run in runs}


@pytest.mark.usefixtures("server")
def test_the_delta_tables_tell_what_the_file_tells(home: Path, runs: list[dict[str, Any]]) -> None:
    wanted = counts_of(runs)
    spans = rows(
        home,
        "spans",
        "SELECT trace_id, span_type, status, session_id, inputs, outputs FROM t",
    )
    (told,) = rows(
        home,
        "traces",
        "SELECT count(*) AS traces, count(DISTINCT trace_id) AS ids, "
        "count(DISTINCT trace_metadata['mlflow.trace.session']) AS sessions FROM t",
    )
    assert told == {
        "traces": wanted["traces"],
        "ids": wanted["traces"],
        "sessions": wanted["sessions"],
    }
    assert len(spans) == wanted["spans"]
    assert sum(span["span_type"] == "TOOL" for span in spans) == wanted["tool_calls"]
    assert sum(span["status"] == "ERROR" for span in spans) == wanted["errors"]
    session_of = {span["trace_id"]: span["session_id"] for span in spans}
    for span in spans:
        for side in ("inputs", "outputs"):
            span[side] = None if span[side] is None else json.loads(span[side])
    assert messages_of_spans(spans, session_of) == messages_of_file(runs)


def counts_of(runs: list[dict[str, Any]]) -> dict[str, int]:
    """What the file alone says there must be."""
    messages = [message for run in runs for message in run["messages"]]
    roles = Counter(message["role"] for message in messages)
    return {
        "sessions": len(runs),
        "traces": roles["user"],
        "spans": roles["user"] + roles["assistant"] + roles["tool"],
        "tool_calls": sum(len(message.get("tool_calls") or ()) for message in messages),
        "errors": sum(
            message["role"] == "tool" and message["content"].startswith("Error")
            for message in messages
        ),
    }


def messages_of_file(runs: list[dict[str, Any]]) -> Counter[Message]:
    return Counter(
        (load_airline.session_of(run), *words_of(message))
        for run in runs
        for message in run["messages"]
    )


def messages_of_spans(
    spans: Iterable[dict[str, Any]], session_of: dict[str, str]
) -> Counter[Message]:
    """Every message from the one place that is its own; a system prompt once a session."""
    found: Counter[Message] = Counter()
    systems: set[Message] = set()
    for span in spans:
        session = session_of[span["trace_id"]]
        match span["span_type"]:
            case "AGENT":
                found[session, *words_of(span["inputs"]["messages"][0])] += 1
            case "CHAT_MODEL":
                found[session, *words_of(span["outputs"]["choices"][0]["message"])] += 1
                systems.add((session, *words_of(span["inputs"]["messages"][0])))
            case _:
                text = span["outputs"]
                found[session, "tool", text if isinstance(text, str) else json.dumps(text)] += 1
    return found + Counter(systems)


def words_of(message: dict[str, Any]) -> Message:
    calls = message.get("tool_calls")
    words = (message["role"], message["content"] or "")
    return (*words, json.dumps(calls, sort_keys=True)) if calls else words


def rows(home: Path, table: str, query: str) -> list[dict[str, Any]]:
    """Rows of a Delta table, read by DuckDB from the files that the table says are its own."""
    files = [uri.removeprefix("file://") for uri in DeltaTable(home / "lake" / table).file_uris()]
    with duckdb.connect() as connection:
        answer = connection.sql(
            f"WITH t AS (FROM read_parquet($files, hive_partitioning = true)) {query}",
            params={"files": files},
        )
        names = answer.columns
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def all_of(server: RunningServer, path: str, key: str) -> Iterator[dict[str, Any]]:
    token: str | None = None
    while True:
        page = call(server, path, {"max_results": 500, "page_token": token})
        yield from page[key]
        token = page["next_page_token"]
        if token is None:
            return


def spans_of(server: RunningServer, trace_id: str) -> list[dict[str, Any]]:
    page = call(server, f"/api/v1/traces/{trace_id}/spans?max_results=1000")
    assert page["next_page_token"] is None
    return page["spans"]


def call(server: RunningServer, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(server.url + path, data, {"content-type": "application/json"})
    with urlopen(request, timeout=120) as answer:
        return json.load(answer)
