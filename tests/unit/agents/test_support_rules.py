"""The demo's rule-based model over its real server, with the real OpenAI client."""

import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import openai
import pytest

from tracelake.agents.demo.run import FILES


@pytest.fixture
def model_server() -> Iterator[ModuleType]:
    """The deployed folder on the import path, as its runner puts it there."""
    sys.path.insert(0, str(FILES))
    yield importlib.import_module("model_server")
    sys.path.remove(str(FILES))


@pytest.fixture
def client(model_server: ModuleType) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=model_server.start(), api_key="none", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, *messages: Any) -> Any:
    return client.chat.completions.create(model="any", messages=list(messages))


def test_it_calls_a_tool_then_answers_from_its_result(client: openai.OpenAI) -> None:
    question = {"role": "user", "content": "Where is R-12345?"}
    first = ask(client, question)
    call = first.choices[0].message.tool_calls[0]
    assert first.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "track_shipment",
        {"number": "R-12345"},
    )
    shipment = {"carrier": "Post", "tracking": "T1", "place": "depot", "expected_on": "2026-01-02"}
    second = ask(
        client,
        question,
        first.choices[0].message.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps(shipment)},
    )
    assert "depot" in second.choices[0].message.content
    assert second.model == "tracelake-demo-rules"
    usage = second.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0


def test_a_refusal_of_a_tool_is_told(client: openai.OpenAI) -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "refund_item", "arguments": ""}}]
    answer = ask(
        client,
        {"role": "user", "content": "refund R-12345"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c", "content": '{"error": "too old"}'},
    )
    assert "too old" in answer.choices[0].message.content


def test_it_streams_with_usage(client: openai.OpenAI) -> None:
    stream: Any = client.chat.completions.create(
        model="any",
        messages=[{"role": "user", "content": "thanks"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    with stream:
        chunks: list[Any] = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You are welcome. Enjoy the outdoors!"
    assert chunks[-1].usage.total_tokens > 0


def test_it_refuses_what_is_no_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        ask(client, {"content": "no role"})
