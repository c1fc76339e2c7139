"""Previews: the line of text that stands for a trace's request or response in a list (SPEC 1.8)."""

import json
from typing import Final

from tracelake.model.entities import JsonValue
from tracelake.model.jsonvalue import as_list, as_object, objects_in

PREVIEW_CHARS: Final = 1000
_TEXT_PARTS: Final = ("text", "input_text", "output_text")


def request_preview(inputs: JsonValue) -> str | None:
    """The last user message in chat-like inputs, else the inputs as JSON text; cut at 1000."""
    return _preview(inputs, "user")


def response_preview(outputs: JsonValue) -> str | None:
    """The last assistant message in chat-like outputs, else the outputs as JSON text."""
    return _preview(outputs, "assistant")


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and `...`, `limit` characters in all."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _preview(value: JsonValue, role: str) -> str | None:
    if value is None:
        return None
    messages = _messages(value)
    text = _last_text(messages, role) if messages else None
    if text is None:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cut(text, PREVIEW_CHARS)


def _messages(value: JsonValue) -> list[dict[str, JsonValue]]:
    """The chat messages in a value of any of the usual shapes, oldest first."""
    if isinstance(value, list):
        return objects_in(value)
    told = as_object(value)
    if told is None:
        return []
    if as_list(told.get("choices")) is not None:
        answers = (as_object(choice.get("message")) for choice in objects_in(told["choices"]))
        return [answer for answer in answers if answer is not None]
    for key in ("messages", "input", "output", "request", "message"):
        inner = told.get(key)
        nested = as_object(inner)
        if isinstance(inner, list) or (nested and (key == "request" or "role" in nested)):
            return _messages(inner)
    return [told] if "role" in told and "content" in told else []


def _last_text(messages: list[dict[str, JsonValue]], role: str) -> str | None:
    texts = [(message.get("role"), _text(message.get("content"))) for message in messages]
    said = [(who, text) for who, text in texts if text]
    of_role = [text for who, text in said if who == role]
    if of_role:
        return of_role[-1]
    return said[-1][1] if said else None


def _text(content: JsonValue) -> str | None:
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in objects_in(content) if part.get("type") in _TEXT_PARTS]
    return "\n".join(text for text in parts if isinstance(text, str)) or None
