"""Deploys the support agent as a user would, and lets the customers talk to it over HTTP."""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelake.agents.client import Deployer, DeployFailed, Deployment
from tracelake.agents.demo.customers import Customer, Opinion, Turn
from tracelake.agents.package import build_package
from tracelake.agents.responses import Item, gather_response, text_of_item
from tracelake.model.errors import NotFound

AGENT_NAME = "main.support.outfitter"
FILES = Path(__file__).parent / "support_agent"
_TRACE_WAIT_S = 15.0
_NO_REQUIREMENTS = Path("/dev/null")

Say = Callable[[str], None]


def deploy_support_agent(
    deployer: Deployer, environment: Mapping[str, str], say: Say
) -> Deployment:
    """Package, register and serve the agent. Raises what `Deployer` raises.

    Where its requirements cannot be downloaded it is tried once more with the packages of the
    server, which are enough in a checkout.
    """
    try:
        return _deploy(deployer, environment, None)
    except DeployFailed as failure:
        if "could not be installed" not in failure.message:
            raise
        say("  its requirements cannot be downloaded; trying the packages of the server instead")
        try:
            return _deploy(deployer, environment, _NO_REQUIREMENTS)
        except DeployFailed:
            raise failure from None


def _deploy(
    deployer: Deployer, environment: Mapping[str, str], requirements: Path | None
) -> Deployment:
    beside = [path for path in sorted(FILES.glob("*.py")) if path.name != "agent.py"]
    package = build_package(
        FILES / "agent.py", name=AGENT_NAME, requirements=requirements, code_paths=beside
    )
    return deployer.serve(AGENT_NAME, deployer.register(package), environment=environment)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `trace_id` is None only where no agent was reached."""

    status: int
    text: str
    trace_id: str | None


class Conversation:
    """One customer talking to one endpoint; remembers what was said, as a chat window does."""

    def __init__(self, deployer: Deployer, endpoint: str, customer: Customer) -> None:
        self._deployer = deployer
        self._endpoint = endpoint
        self._customer = customer
        self._items: list[Item] = []
        self.conversation_id = f"conv-{customer.user_id}-{uuid.uuid4().hex[:8]}"

    def take_turn(self, turn: Turn) -> Answer:
        """Say it, wait for the answer, and give the customer's opinion of it."""
        self._items.append({"type": "message", "role": "user", "content": turn.says})
        answer = self._ask(turn.stream)
        if answer.status == 200:
            said = {"type": "message", "role": "assistant", "content": answer.text}
            self._items.append(said)
        if turn.opinion is not None and answer.trace_id is not None:
            self._give(turn.opinion, answer.trace_id)
        return answer

    def _ask(self, stream: bool) -> Answer:
        request: dict[str, Any] = {
            "input": self._items,
            "stream": stream,
            "context": {
                "conversation_id": self.conversation_id,
                "user_id": self._customer.user_id,
            },
        }
        reply = self._deployer.post(f"/serving-endpoints/{self._endpoint}/invocations", request)
        trace_id = reply.headers.get("x-tracelake-trace-id")
        if reply.status != 200:
            return Answer(reply.status, str(json.loads(reply.body).get("message")), trace_id)
        if not stream:
            return Answer(200, _last_text(json.loads(reply.body)["output"]), trace_id)
        events = _read_events(reply.body.decode())
        failed = next((event["error"] for event in events if "error" in event), None)
        if failed is not None:
            return Answer(500, str(failed["message"]), trace_id)
        return Answer(200, _last_text(gather_response(events)["output"]), trace_id)

    def _give(self, opinion: Opinion, trace_id: str) -> None:
        body = {
            "name": "thumbs_up",
            "feedback": {"value": opinion.good},
            "source": {"source_type": "HUMAN", "source_id": self._customer.user_id},
            "rationale": opinion.comment,
        }
        deadline = time.monotonic() + _TRACE_WAIT_S
        while True:
            try:
                self._deployer.call("POST", f"/api/v1/traces/{trace_id}/assessments", body)
                return
            except NotFound:
                # The answer is faster than its trace, by a fraction of a second.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def _read_events(text: str) -> list[dict[str, Any]]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _last_text(output: list[Item]) -> str:
    return next((text_of_item(item) for item in reversed(output) if "content" in item), "")
