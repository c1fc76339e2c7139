"""The shapes of requests, answers and streams, and how an agent file is read."""

from pathlib import Path
from typing import Any

import pytest

from tracelake.agents.authoring import load_agent
from tracelake.agents.names import (
    check_agent_name,
    check_environment,
    default_endpoint_name,
    served_model_name,
)
from tracelake.agents.requirements import fit
from tracelake.agents.responses import (
    create_output_item_done,
    create_text_delta,
    create_text_output_item,
    gather_response,
    last_user_text,
    read_event,
    read_request,
    read_response,
    text_of_item,
)
from tracelake.model.errors import InvalidInput


def test_a_string_is_one_user_message() -> None:
    request = read_request({"input": "hi", "stream": True})
    assert request["input"] == [{"type": "message", "role": "user", "content": "hi"}]
    assert last_user_text(request) == "hi"


def test_items_we_do_not_know_pass() -> None:
    items: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image"}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "something_new", "x": 1},
    ]
    request = read_request({"input": items})
    assert request["input"] == items
    assert last_user_text(request) == "a"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "must be a JSON object"),
        ({}, "needs `input`"),
        ({"messages": []}, "`messages` belongs to the chat format"),
        ({"input": []}, "at least one message"),
        ({"input": {"role": "user"}}, "must be a list"),
        ({"input": ["hi"]}, r"`input\[0\]` must be an object"),
        ({"input": [{"role": "bot", "content": ""}]}, r"`input\[0\].role` must be one of user"),
        ({"input": [{"role": "user"}]}, r"`input\[0\].content` must be"),
        ({"input": "x", "stream": "yes"}, "`stream` must be true or false"),
        ({"input": "x", "context": "c"}, "`context` must be an object"),
        ({"input": "x", "context": {"user_id": 7}}, r"`context.user_id` must be a string"),
    ],
)
def test_bad_requests_are_told_what_is_wrong(body: object, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_request(body)


def test_a_response_gets_its_full_shape() -> None:
    made = read_response("hello")
    assert made["output"][0]["content"][0]["text"] == "hello"
    assert (made.get("object"), made.get("status")) == ("response", "completed")
    assert made.get("id", "").startswith("resp_")
    for bad in (None, 3, {"text": "x"}, {"output": "x"}):
        with pytest.raises(InvalidInput, match="predict must return"):
            read_response(bad)


def test_a_stream_is_gathered_from_finished_items_and_loose_deltas() -> None:
    done = create_text_output_item("one two", "m1")
    events = [
        create_text_delta("one ", "m1"),
        create_text_delta("two", "m1"),
        create_output_item_done(done),
        create_text_delta("left ", "m2"),
        create_text_delta("open", "m2"),
        {"type": "response.completed", "response": {"usage": {"total_tokens": 3}}},
    ]
    made = gather_response(events)
    assert [text_of_item(item) for item in made["output"]] == ["one two", "left open"]
    assert made.get("usage") == {"total_tokens": 3}


def test_events_are_checked() -> None:
    assert read_event("piece")["delta"] == "piece"
    for bad in (7, {}, {"type": 3}, {"type": "response.output_item.done"}):
        with pytest.raises(InvalidInput):
            read_event(bad)


@pytest.mark.parametrize(
    "source",
    [
        "from tracelake.agents import set_agent\nset_agent(lambda request: 'x')",
        "from tracelake.agents import agent\n@agent\ndef f(request): return 'x'",
        "def agent(request): return 'x'",
        "class Any:\n    def predict(self, request): return 'x'\nagent = Any()",
        "from tracelake.agents import ResponsesAgent, set_agent\n"
        "class A(ResponsesAgent):\n    def predict(self, request): return 'x'\nset_agent(A)",
    ],
)
def test_ways_to_name_the_agent(source: str, tmp_path: Path) -> None:
    entry = tmp_path / "agent.py"
    entry.write_text(source)
    loaded = load_agent(entry)
    assert loaded.predict is not None
    assert loaded.predict({}) == "x"


def test_files_without_agent_are_told_what_to_write(tmp_path: Path) -> None:
    entry = tmp_path / "agent.py"
    entry.write_text("x = 1")
    with pytest.raises(InvalidInput, match=r"end it with tracelake\.agents\.set_agent"):
        load_agent(entry)
    entry.write_text("agent = 3")
    with pytest.raises(InvalidInput, match="neither predict nor"):
        load_agent(entry)


@pytest.mark.parametrize("name", ["a.b", "a.b.c.d", "a..c", "a.b.c ", "a/b.c.d", "-a.b.c", ""])
def test_agent_names_have_three_levels(name: str) -> None:
    with pytest.raises(InvalidInput, match="three parts"):
        check_agent_name(name)


def test_names_made_from_an_agent_name_fit() -> None:
    assert default_endpoint_name("main.support.airline") == "agents_main-support-airline"
    assert served_model_name("main.support.airline", 12) == "main-support-airline_12"
    long = "a" * 80 + ".b.c"
    assert len(default_endpoint_name(long)) == len(served_model_name(long, 12345)) == 63


def test_environment_variables_are_checked() -> None:
    assert check_environment({"MY_KEY": "x"}) == {"MY_KEY": "x"}
    for bad in ("my_key", "A B", "1A", "TRACELAKE_TRACKING_URI"):
        with pytest.raises(InvalidInput, match="environment variable"):
            check_environment({bad: "x"})


def test_requirements_are_fitted_to_the_server() -> None:
    wanted = fit("# comment\n\ntracelake[openai]>=0.1\nzlib-ng\n")
    assert any(line.startswith("openai") for line in wanted.requirements)
    assert not any(line.startswith("tracelake") for line in wanted.requirements)
    assert any(line.startswith("opentelemetry-sdk==") for line in wanted.constraints)
    assert fit("tracelake\n") == fit("") == fit("# nothing\n")
    assert fit("").constraints == ()
