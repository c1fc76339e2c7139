"""The shapes an agent takes and gives (OpenAI Responses), their checks, and small builders.

Items and events are plain dicts, because an agent may pass on kinds that we do not know.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict, cast

from tracelake.model.errors import InvalidInput

Item = dict[str, Any]
"""A message or another input or output item: `{"type": "message", "role": …, "content": …}`."""
Event = dict[str, Any]
"""One event of a stream: `{"type": "response.output_text.delta", …}`."""


class Context(TypedDict, total=False):
    conversation_id: str
    user_id: str


class ResponsesRequest(TypedDict):
    input: list[Item]
    context: NotRequired[Context]
    custom_inputs: NotRequired[dict[str, Any]]
    client_request_id: NotRequired[str]
    databricks_options: NotRequired[dict[str, Any]]
    stream: NotRequired[bool]
    temperature: NotRequired[float]
    max_output_tokens: NotRequired[int]
    metadata: NotRequired[dict[str, str]]
    user: NotRequired[str]


class ResponsesResponse(TypedDict):
    output: list[Item]
    id: NotRequired[str]
    object: NotRequired[str]
    status: NotRequired[str]
    model: NotRequired[str]
    usage: NotRequired[dict[str, Any]]
    custom_outputs: NotRequired[dict[str, Any]]


_ROLES = ("user", "assistant", "system", "developer")
_EXAMPLE = '{"input": [{"role": "user", "content": "Hello!"}]}'


def read_request(body: object) -> ResponsesRequest:
    """The request with `input` as a list of items. Raises InvalidInput saying what is wrong where.

    A string as `input` stands for one user message.
    """
    if not isinstance(body, dict):
        raise InvalidInput(f"the body must be a JSON object such as {_EXAMPLE}")
    request = dict(cast("dict[str, Any]", body))
    given = request.get("input")
    if given is None:
        hint = " (`messages` belongs to the chat format)" if "messages" in request else ""
        raise InvalidInput(f"the request needs `input`{hint}, such as {_EXAMPLE}")
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise InvalidInput("`input` must be a list with at least one message")
    items = cast("list[Any]", given)
    for position, item in enumerate(items):
        _check_item(item, f"input[{position}]")
    request["input"] = items
    for key, kind, word in (
        ("context", dict, "an object"),
        ("custom_inputs", dict, "an object"),
        ("databricks_options", dict, "an object"),
        ("stream", bool, "true or false"),
        ("client_request_id", str, "a string"),
    ):
        if request.get(key) is not None and not isinstance(request[key], kind):
            raise InvalidInput(f"`{key}` must be {word}")
    context: dict[str, Any] = request.get("context") or {}
    for key in ("conversation_id", "user_id"):
        if not isinstance(context.get(key), str | None):
            raise InvalidInput(f"`context.{key}` must be a string")
    return cast("ResponsesRequest", request)


def _check_item(item: object, where: str) -> None:
    if not isinstance(item, dict):
        raise InvalidInput(f"`{where}` must be an object with `role` and `content`")
    fields = cast("dict[str, Any]", item)
    if fields.get("type", "message") != "message":
        return
    if fields.get("role") not in _ROLES:
        raise InvalidInput(f"`{where}.role` must be one of {', '.join(_ROLES)}")
    if not isinstance(fields.get("content"), str | list):
        raise InvalidInput(f"`{where}.content` must be a string or a list of parts")


def read_response(answer: object) -> ResponsesResponse:
    """An agent's answer in full shape. Raises InvalidInput where it has no list `output`.

    A string stands for one message of the assistant.
    """
    if isinstance(answer, str):
        answer = {"output": [create_text_output_item(answer)]}
    answer = plain(answer)
    if not isinstance(answer, Mapping):
        raise InvalidInput(
            f"predict must return a dict with `output` or a string, not {type(answer).__name__}"
        )
    fields = cast("Mapping[str, Any]", answer)
    if not isinstance(fields.get("output"), list):
        raise InvalidInput("predict must return `output`, a list of items")
    full = {"id": f"resp_{uuid.uuid4().hex}", "object": "response", "status": "completed"}
    return cast("ResponsesResponse", {**full, **fields})


def read_event(event: object) -> Event:
    """An event of an agent's stream. A string stands for a text delta."""
    if isinstance(event, str):
        return create_text_delta(event, "msg_stream")
    event = plain(event)
    fields = cast("Event", event if isinstance(event, dict) else {})
    if not isinstance(fields.get("type"), str):
        raise InvalidInput("predict_stream must yield dicts with `type`, or strings")
    if fields["type"] == "response.output_item.done" and not isinstance(fields.get("item"), dict):
        raise InvalidInput("a response.output_item.done event must carry its `item`")
    return fields


def plain(value: object) -> object:
    """What a Pydantic object holds, as plain values; anything else as it is."""
    dump: Callable[..., object] | None = getattr(value, "model_dump", None)
    return value if dump is None else dump(exclude_none=True)


def gather_response(events: Iterable[Event]) -> ResponsesResponse:
    """What a stream said in all: its finished items, and the text of deltas that none finished."""
    items: list[Item] = []
    texts: dict[str, list[str]] = {}
    more: dict[str, Any] = {}
    for event in events:
        match event["type"]:
            case "response.output_item.done":
                items.append(event["item"])
                texts.pop(str(event["item"].get("id")), None)
            case "response.output_text.delta":
                item_id = str(event.get("item_id"))
                texts.setdefault(item_id, []).append(str(event.get("delta", "")))
            case "response.completed":
                more.update(event.get("response") or {})
            case _:
                pass
        if "custom_outputs" in event:
            more["custom_outputs"] = event["custom_outputs"]
    items += [create_text_output_item("".join(parts), item) for item, parts in texts.items()]
    return read_response({**more, "output": items or more.get("output") or []})


def create_text_output_item(text: str, id: str | None = None) -> Item:
    """A finished message of the assistant."""
    return {
        "id": id or f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def create_text_delta(delta: str, item_id: str) -> Event:
    """A piece of a message. All pieces share `item_id` with the finished item that follows."""
    return {
        "type": "response.output_text.delta",
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
        "delta": delta,
    }


def create_output_item_done(item: Item, output_index: int = 0) -> Event:
    """The event that an item is finished."""
    return {"type": "response.output_item.done", "output_index": output_index, "item": item}


def create_function_call_item(
    call_id: str, name: str, arguments: str, id: str | None = None
) -> Item:
    """A call of a tool. `arguments` is JSON text."""
    return {
        "id": id or f"fc_{uuid.uuid4().hex}",
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def create_function_call_output_item(call_id: str, output: str) -> Item:
    """What the tool called with `call_id` gave."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def text_of_item(item: Mapping[str, Any]) -> str:
    """The text of a message, its parts joined; empty for other items."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts: list[str] = []
    for part in cast("list[Any]", content):
        if isinstance(part, dict):
            text = cast("dict[str, Any]", part).get("text")
            if isinstance(text, str):
                texts.append(text)
    return "".join(texts)


def last_user_text(request: Mapping[str, Any]) -> str:
    """The text of the last message of the user; empty where there is none."""
    items = cast("Sequence[Item]", request["input"])
    return next((text_of_item(item) for item in reversed(items) if item.get("role") == "user"), "")
