"""The loader of recorded conversations: nothing lost, every message in one place of its own."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from otlp_receiver import Arrived, Receiver

import load_airline
from tracelake.sdk.client import Client

SYSTEM = {"role": "system", "content": "Policy."}


def call(number: int, arguments: str) -> dict[str, Any]:
    function = {"name": "get_user", "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}


def tool(number: int, content: str) -> dict[str, Any]:
    return {
        "role": "tool",
        "name": "get_user",
        "tool_call_id": f"call_{number}",
        "content": content,
    }


CONVERSATION = {
    "task_id": 3,
    "trial": 1,
    "reward": 1.0,
    "user_cost": None,
    "messages": [
        SYSTEM,
        {"role": "user", "content": "Hello é"},
        {"role": "assistant", "content": None, "tool_calls": [call(1, '{"id": "a"}')]},
        tool(1, "Error: user not found"),
        {"role": "assistant", "content": "Who are you?"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "wait", "tool_calls": [call(1, '{"id": "b"}')]},
        tool(1, '{"name": "B"}'),
    ],
}


def own_messages(spans: list[Arrived]) -> Counter[str]:
    """Every message once, from its own place."""
    found: Counter[str] = Counter()
    for span in spans:
        match span.attributes["mlflow.spanType"]:
            case "AGENT":
                found[f"user {span.inputs['messages'][0]['content']}"] += 1
            case "CHAT_MODEL":
                message = span.outputs["choices"][0]["message"]
                found[f"assistant {message['content']} {message.get('tool_calls')}"] += 1
            case _:
                found[f"tool {span.outputs}"] += 1
    systems = {
        (span.attributes.get("session.id"), span.inputs["messages"][0]["content"])
        for span in spans
        if span.attributes["mlflow.spanType"] == "CHAT_MODEL"
    }
    return found + Counter(f"system {content}" for _, content in systems)


def wanted_messages(conversation: dict[str, Any]) -> Counter[str]:
    return Counter(
        f"assistant {m['content']} {m.get('tool_calls')}"
        if m["role"] == "assistant"
        else f"{m['role']} {m['content']}"
        for m in conversation["messages"]
    )


def test_a_conversation_is_a_session_of_traces(
    receiver: Receiver, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "runs.json.gz"
    path.write_bytes(gzip.compress(json.dumps([CONVERSATION]).encode()))
    # The receiver knows no trace, so the reward is refused; what was sent is looked at below.
    with pytest.raises(RuntimeError, match="refused"):
        load_airline.load(path, "airline")
    spans = receiver.spans
    assert own_messages(spans) == wanted_messages(CONVERSATION)
    roots = [span for span in spans if span.parent_id is None]
    assert {span.attributes["session.id"] for span in roots} == {"airline-3-1"}
    assert [span.outputs for span in roots] == ["Who are you?", "wait"]
    tools = [span for span in spans if span.name == "get_user"]
    assert [span.inputs for span in tools] == [{"id": "a"}, {"id": "b"}]
    assert [span.status for span in tools] == [2, 1]
    told = [told for _, path, _, told in receiver.requests if path.endswith("/assessments")]
    assert told[0]["expectation"] == {"value": 1.0}


def test_the_recorded_runs_are_all_there(receiver: Receiver, client: Client) -> None:
    path = load_airline.find_file()
    if path is None:
        pytest.skip("the recorded runs are not here: set TRACELAKE_SHARED")
    conversations = load_airline.read(path)
    receiver.accept_any_write = True
    counts = load_airline.load(path, "airline")
    roles = Counter(m["role"] for each in conversations for m in each["messages"])
    assert counts.sessions == len(conversations)
    assert counts.traces == roles["user"]
    assert counts.tool_calls == roles["tool"]
    assert counts.spans == len(receiver.spans) == sum(roles.values()) - roles["system"]
    by_session: dict[str, list[Arrived]] = {}
    sessions = {s.trace_id: s.attributes["session.id"] for s in receiver.spans if not s.parent_id}
    for span in receiver.spans:
        by_session.setdefault(sessions[span.trace_id], []).append(span)
    for each in conversations:
        spans = by_session[load_airline.session_of(each)]
        assert own_messages(spans) == wanted_messages(each)
