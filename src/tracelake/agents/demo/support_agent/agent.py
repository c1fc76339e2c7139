# /// script
# dependencies = ["tracelake[openai]"]
# ///
"""A support agent for an outdoor shop: a model, seven tools, and a loop. Nothing here is about
tracing except the spans that the tools ask for; the calls of the model are traced by themselves.

The model is the provider's where OPENAI_API_KEY is set, else the rule-based server beside it.
"""

import json
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import model_server
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk
from shop import Shop
from tools import Refused, Tools, describe

from tracelake.agents import (
    Event,
    ResponsesAgent,
    ResponsesRequest,
    create_function_call_item,
    create_function_call_output_item,
    create_output_item_done,
    create_text_delta,
    create_text_output_item,
    set_agent,
    text_of_item,
)

MAX_ROUNDS = 6
PROMPT = (
    "You are the support agent of Ridge & River, a shop for outdoor gear. Be brief and friendly. "
    "Look things up with the tools; never guess. The customer is {customer}."
)


class SupportAgent(ResponsesAgent):
    """Answers one message of a customer; the earlier ones come with the request."""

    def __init__(self) -> None:
        shop = Shop(Path("shop.db"))
        shop.fill(datetime.now(UTC).date())
        self._tools = Tools(shop)
        if os.environ.get("OPENAI_API_KEY"):
            self._client = OpenAI()
            self._model = os.environ.get("OPENAI_MODEL", "gpt-4o-mini")
        else:
            self._client = OpenAI(base_url=model_server.start(), api_key="none-needed")
            self._model = model_server.MODEL

    def predict_stream(self, request: ResponsesRequest) -> Iterator[Event]:
        customer = (request.get("context") or {}).get("user_id") or "not signed in"
        messages: list[Any] = [{"role": "system", "content": PROMPT.format(customer=customer)}]
        messages += [
            {"role": item["role"], "content": text_of_item(item)}
            for item in request["input"]
            if item.get("role") in ("user", "assistant")
        ]
        for _ in range(MAX_ROUNDS):
            turn = Turn()
            for chunk in self._complete(messages):
                yield from turn.take(chunk)
            if not turn.calls:
                item = create_text_output_item(turn.text, turn.item_id)
                yield create_output_item_done(item)
                return
            messages.append({"role": "assistant", "content": None, "tool_calls": turn.calls})
            for call in turn.calls:
                yield from self._use_tool(call, messages)
        raise RuntimeError(f"the model did not come to an answer in {MAX_ROUNDS} rounds")

    def _complete(self, messages: list[Any]) -> Iterator[ChatCompletionChunk]:
        tools: list[Any] = describe()
        with self._client.chat.completions.create(
            model=self._model,
            messages=messages,
            tools=tools,
            stream=True,
            stream_options={"include_usage": True},
        ) as chunks:
            yield from chunks

    def _use_tool(self, call: dict[str, Any], messages: list[Any]) -> Iterator[Event]:
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        yield create_output_item_done(create_function_call_item(call["id"], name, arguments))
        try:
            result = self._tools.by_name[name](**json.loads(arguments))
        except Refused as refusal:
            result = {"error": str(refusal)}
        output = json.dumps(result, ensure_ascii=False)
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": output})
        yield create_output_item_done(create_function_call_output_item(call["id"], output))


class Turn:
    """One message of the model, put together from its pieces."""

    def __init__(self) -> None:
        self.item_id = f"msg_{uuid.uuid4().hex}"
        self.text = ""
        self.calls: list[dict[str, Any]] = []

    def take(self, chunk: ChatCompletionChunk) -> Iterator[Event]:
        """Add a piece; text is passed on at once."""
        if not chunk.choices:
            return
        delta = chunk.choices[0].delta
        if delta.content:
            self.text += delta.content
            yield create_text_delta(delta.content, self.item_id)
        for piece in delta.tool_calls or []:
            if piece.index == len(self.calls):
                function = {"name": "", "arguments": ""}
                self.calls.append({"id": piece.id, "type": "function", "function": function})
            function = self.calls[piece.index]["function"]
            if piece.function is not None:
                function["name"] += piece.function.name or ""
                function["arguments"] += piece.function.arguments or ""


set_agent(SupportAgent())
