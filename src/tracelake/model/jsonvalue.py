"""Look into a JSON value of unknown shape, typed."""

from typing import Any, cast

from tracelake.model.entities import JsonValue


def as_object(value: JsonValue) -> dict[str, JsonValue] | None:
    """The value if it is an object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: JsonValue) -> list[JsonValue] | None:
    """The value if it is a list, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def objects_in(value: JsonValue) -> list[dict[str, JsonValue]]:
    """The objects in a list; nothing of a value that is not a list."""
    found = (as_object(item) for item in as_list(value) or ())
    return [item for item in found if item is not None]
