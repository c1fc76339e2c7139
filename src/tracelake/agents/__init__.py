"""Agents: writing them, packaging, registering, deploying, running and routing to them.

Importing this gives what an agent's author needs; `deploy` loads its HTTP client when it is called.
"""

from tracelake.agents.authoring import ResponsesAgent, agent, set_agent
from tracelake.agents.client import Deployment, deploy
from tracelake.agents.responses import (
    Event,
    Item,
    ResponsesRequest,
    ResponsesResponse,
    create_function_call_item,
    create_function_call_output_item,
    create_output_item_done,
    create_text_delta,
    create_text_output_item,
    last_user_text,
    text_of_item,
)

__all__ = [
    "Deployment",
    "Event",
    "Item",
    "ResponsesAgent",
    "ResponsesRequest",
    "ResponsesResponse",
    "agent",
    "create_function_call_item",
    "create_function_call_output_item",
    "create_output_item_done",
    "create_text_delta",
    "create_text_output_item",
    "deploy",
    "last_user_text",
    "set_agent",
    "text_of_item",
]
