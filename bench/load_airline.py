"""Writes recorded agent conversations through the SDK, as the live agent would have traced them.

A conversation is a session, a user turn a trace, an assistant message an LLM span, a tool call a
TOOL span. Every message has one place of its own: a user message the root's inputs, an assistant
message the LLM span's outputs, a tool message the TOOL span's outputs, the system prompt the first
of each LLM span's input messages. `session_of` names a conversation's session.

    python bench/load_airline.py [experiment] [path of airline_trajectories.json.gz]
"""

import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tracelake

FILE = "data/airline_trajectories.json.gz"

Message = dict[str, Any]


@dataclass
class Counts:
    """What was written. `errors` are TOOL spans with status ERROR."""

    sessions: int = 0
    traces: int = 0
    spans: int = 0
    tool_calls: int = 0
    errors: int = 0
    messages: int = 0


def find_file() -> Path | None:
    """The recorded conversations: under TRACELAKE_SHARED, or `shared` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    shared = Path(os.environ.get("TRACELAKE_SHARED") or beside)
    return shared / FILE if (shared / FILE).is_file() else None


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def session_of(conversation: dict[str, Any]) -> str:
    return f"airline-{conversation['task_id']}-{conversation['trial']}"


def turns_of(messages: list[Message]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of messages: each begins with a user message and ends before the next."""
    starts = [index for index, message in enumerate(messages) if message["role"] == "user"]
    yield from zip(starts, [*starts[1:], len(messages)], strict=True)


def load(path: Path, experiment: str) -> Counts:
    """Write every conversation to the experiment and wait until the server has all of it.

    Raises RuntimeError when something was not delivered.
    """
    tracelake.set_experiment(experiment)
    lost_before = tracelake.lost_records()
    counts = Counts()
    for conversation in read(path):
        _write_conversation(conversation, counts)
        # One conversation at a time, so that a fast reader never fills the bounded queue.
        if not tracelake.flush(60) or tracelake.lost_records() != lost_before:
            raise RuntimeError(f"not everything was delivered: {tracelake.lost_records()}")
    return counts


def _write_conversation(conversation: dict[str, Any], counts: Counts) -> None:
    messages: list[Message] = conversation["messages"]
    counts.sessions += 1
    counts.messages += len(messages)
    trace_id = ""
    for number, (start, end) in enumerate(turns_of(messages)):
        trace_id = _write_turn(conversation, number, start, end, counts)
    if trace_id:
        tracelake.log_expectation(
            trace_id=trace_id,
            name="reward",
            value=conversation["reward"],
            source=tracelake.AssessmentSource(tracelake.SourceType.CODE, "recorded"),
        )


def _write_turn(
    conversation: dict[str, Any], number: int, start: int, end: int, counts: Counts
) -> str:
    """One user message and what the agent did until the next; gives the trace's id."""
    messages: list[Message] = conversation["messages"]
    counts.traces += 1
    counts.spans += 1
    with tracelake.start_span("airline_agent", "AGENT") as root:
        root.set_inputs({"messages": [messages[start]]})
        tracelake.update_current_trace(
            session_id=session_of(conversation),
            tags={"task_id": conversation["task_id"], "trial": conversation["trial"]},
            metadata={"turn": number},
        )
        for index in range(start + 1, end):
            counts.spans += 1
            if messages[index]["role"] == "assistant":
                _write_answer(messages, index)
            else:
                counts.errors += _write_tool_call(messages, index)
                counts.tool_calls += 1
        texts = [
            m["content"] for m in messages[start:end] if m["role"] == "assistant" and m["content"]
        ]
        if texts:
            root.set_outputs(texts[-1])
        return root.trace_id


def _write_answer(messages: list[Message], index: int) -> None:
    attributes = {"mlflow.llm.model": "gpt-4o", "mlflow.llm.provider": "openai"}
    with tracelake.start_span("chat_completion", "CHAT_MODEL", attributes) as span:
        span.set_inputs({"model": "gpt-4o", "messages": messages[:index]})
        span.set_outputs({"choices": [{"index": 0, "message": messages[index]}]})


def _write_tool_call(messages: list[Message], index: int) -> bool:
    """A TOOL span for a tool message; True when the tool answered with an error."""
    result = messages[index]
    attributes = {"gen_ai.tool.name": result["name"], "gen_ai.tool.call.id": result["tool_call_id"]}
    with tracelake.start_span(result["name"], "TOOL", attributes) as span:
        span.set_inputs(_arguments(messages, index))
        span.set_outputs(result["content"])
        failed = result["content"].startswith("Error")
        if failed:
            span.set_status("ERROR", result["content"])
        return failed


def _arguments(messages: list[Message], index: int) -> Any:
    """Of the latest call before `index` with this id: the recordings use some ids twice."""
    wanted = messages[index]["tool_call_id"]
    for earlier in reversed(messages[:index]):
        for call in earlier.get("tool_calls") or ():
            if call["id"] == wanted:
                text = call["function"]["arguments"]
                try:
                    return json.loads(text)
                except ValueError:
                    return text
    return None


def main() -> int:
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else find_file()
    if path is None:
        print(f"skipped: no {FILE} under TRACELAKE_SHARED or beside the checkout")
        return 0
    began = time.perf_counter()
    counts = load(path, sys.argv[1] if len(sys.argv) > 1 else "airline")
    print(json.dumps(asdict(counts)), f"in {time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
