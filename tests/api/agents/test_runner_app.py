"""The routes of one runner in this process, with the spans that its calls leave."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracelake.agents.authoring import LoadedAgent
from tracelake.agents.responses import create_text_delta, last_user_text
from tracelake.agents.runner import TOKEN_HEADER, RunnerApp
from tracelake.sdk.client import PROCESS, Client
from tracelake.sdk.settings import load_settings
from tracelake.sdk.span import get_current_active_span, start_span

TOKEN = "secret"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Finished spans of this test."""
    kept = InMemorySpanExporter()
    settings = load_settings({"raise_errors": "true", "trace_tags": '{"who": "me"}'}, {})
    client = Client(settings, deliver=lambda batch: None)
    client.provider.add_span_processor(SimpleSpanProcessor(kept))
    before = PROCESS.use(client)
    yield kept
    PROCESS.use(before)
    client.close()


def http(agent: object) -> httpx.AsyncClient:
    app = RunnerApp(LoadedAgent(agent), "airline", TOKEN).build()
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    return httpx.AsyncClient(
        transport=transport, base_url="http://runner", headers={TOKEN_HEADER: TOKEN}
    )


async def ask(agent: object, body: Any, **headers: str) -> httpx.Response:
    async with http(agent) as client:
        content = json.dumps(body).encode()
        return await client.post("/invocations", content=content, headers=headers)


def events(answer: httpx.Response) -> list[Any]:
    lines = [line[6:] for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def root(spans: InMemorySpanExporter) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.parent is None]
    return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def greet(request: Any) -> str:
    return "hello " + last_user_text(request)


async def greet_later(request: Any) -> str:
    await asyncio.sleep(0)
    return greet(request)


def greet_in_pieces(request: Any) -> Iterator[str]:
    with start_span("inner"):
        for word in greet(request).split():
            yield word + " "


async def greet_in_pieces_later(request: Any) -> AsyncIterator[str]:
    with start_span("inner"):
        for word in greet(request).split():
            await asyncio.sleep(0)
            yield word + " "


@pytest.mark.parametrize("agent", [greet, greet_later, greet_in_pieces, greet_in_pieces_later])
@pytest.mark.parametrize("stream", [False, True])
async def test_every_kind_of_function_answers_both_ways(
    agent: Callable[..., Any], stream: bool, spans: InMemorySpanExporter
) -> None:
    body = {"input": "you", "stream": stream}
    answer = await ask(agent, body)
    assert answer.status_code == 200
    if stream:
        text = "".join(
            each.get("delta") or each.get("item", {}).get("content", [{}])[0].get("text", "")
            for each in events(answer)
        )
    else:
        text = answer.json()["output"][0]["content"][0]["text"]
    assert text.strip() == "hello you"
    span = root(spans)
    assert answer.headers["x-tracelake-trace-id"] == f"tr-{span.context.trace_id:032x}"  # pyright: ignore[reportOptionalMemberAccess]
    assert (span.name, attributes(span)["mlflow.spanType"]) == ("airline", "AGENT")
    assert "hello you" in attributes(span)["mlflow.spanOutputs"]
    for other in spans.get_finished_spans():
        if other.name == "inner":
            assert other.parent is not None
            assert span.context is not None
            assert other.parent.span_id == span.context.span_id


async def test_the_trace_carries_who_asked_and_the_request_id(spans: InMemorySpanExporter) -> None:
    body = {
        "input": "you",
        "context": {"conversation_id": "c-1", "user_id": "u-1"},
        "databricks_options": {"return_trace": True},
    }
    answer = await ask(greet, body, **{"x-request-id": "r-1"})
    found = attributes(root(spans))
    assert found["session.id"] == "c-1"
    assert found["user.id"] == "u-1"
    assert found["tracelake.trace.client_request_id"] == "r-1"
    assert found["mlflow.traceTag.tracelake.request_id"] == "r-1"
    assert found["mlflow.traceTag.who"] == "me"
    assert "databricks_options" not in found["mlflow.spanInputs"]
    assert answer.headers["x-request-id"] == "r-1"
    output = answer.json()["databricks_output"]
    assert output["trace"]["info"]["trace_id"] == answer.headers["x-tracelake-trace-id"]
    assert output["databricks_request_id"] == "r-1"


async def test_the_id_in_the_body_is_stronger_and_one_is_made_without(
    spans: InMemorySpanExporter,
) -> None:
    given = await ask(greet, {"input": "x", "client_request_id": "mine"}, **{"x-request-id": "r"})
    made = await ask(greet, {"input": "x"})
    assert given.headers["x-request-id"] == "mine"
    assert made.headers["x-request-id"].startswith("req-")


def fail(request: Any) -> str:
    raise ValueError("no such flight")


def fail_midway(request: Any) -> Iterator[Any]:
    yield create_text_delta("half ", "m")
    raise ValueError("no such flight")


async def test_an_error_is_500_and_the_trace_is_in_error(spans: InMemorySpanExporter) -> None:
    for stream in (False, True):
        answer = await ask(fail, {"input": "x", "stream": stream})
        assert answer.status_code == 500
        assert answer.json() == {
            "error_code": "AGENT_ERROR",
            "message": "ValueError: no such flight",
        }
        assert root(spans).status.status_code.name == "ERROR"
        assert answer.headers["x-tracelake-trace-id"]
        spans.clear()


async def test_an_error_midway_is_an_event(spans: InMemorySpanExporter) -> None:
    answer = await ask(fail_midway, {"input": "x", "stream": True})
    assert answer.status_code == 200
    first, last = events(answer)
    assert first["delta"] == "half "
    assert last["error"]["message"] == "ValueError: no such flight"
    span = root(spans)
    assert span.status.status_code.name == "ERROR"
    assert "half" in attributes(span)["mlflow.spanOutputs"]


async def test_any_text_comes_back_and_any_id_fits_a_header(spans: InMemorySpanExporter) -> None:
    odd = "ä \ud800 \x00 \n 日本"
    answer = await ask(greet, {"input": odd, "client_request_id": odd + "x" * 1000})
    assert answer.status_code == 200
    assert answer.json()["output"][0]["content"][0]["text"] == "hello " + odd
    assert answer.headers["x-request-id"].startswith("%C3%A4 ? %00 %0A %E6")
    assert len(answer.headers["x-request-id"]) < 1000


@pytest.mark.parametrize("bad", [None, {"text": 1}, {"output": [object()]}, {"output": [1e999]}])
async def test_answers_that_are_none_are_told(bad: Any, spans: InMemorySpanExporter) -> None:
    def agent(request: Any) -> Any:
        return bad

    answer = await ask(agent, {"input": "x"})
    assert answer.status_code == 500
    assert answer.json()["error_code"] == "AGENT_ERROR"


async def test_bad_requests_leave_no_trace(spans: InMemorySpanExporter) -> None:
    async with http(greet) as client:
        for content in (b"", b"{", b"[" * 100_000, b"[]", b"{}", b'{"input": 3}', b"\xff"):
            answer = await client.post("/invocations", content=content)
            assert answer.status_code == 400, content
            assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert spans.get_finished_spans() == ()


async def test_nobody_else_of_the_machine_is_answered(spans: InMemorySpanExporter) -> None:
    async with http(greet) as client:
        answer = await client.post("/invocations", json={"input": "x"}, headers={TOKEN_HEADER: "y"})
        assert answer.status_code == 403
        assert (await client.get("/health")).status_code == 200


async def test_calls_at_once_do_not_mix(spans: InMemorySpanExporter) -> None:
    def agent(request: Any) -> str:
        span = get_current_active_span()
        assert span is not None
        return f"{last_user_text(request)} {span.trace_id}"

    async with http(agent) as client:
        answers = await asyncio.gather(
            *(client.post("/invocations", json={"input": f"n{number}"}) for number in range(50))
        )
    for number, answer in enumerate(answers):
        text = answer.json()["output"][0]["content"][0]["text"]
        assert text == f"n{number} {answer.headers['x-tracelake-trace-id']}"
    assert len(spans.get_finished_spans()) == 50
