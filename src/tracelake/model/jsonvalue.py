"""Look into a JSON value of unknown shape, typed."""

import math
from typing import Any, Final, cast

from tracelake.model.entities import JsonValue
from tracelake.model.errors import InvalidInput

_DEPTH: Final = 50


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


def checked(value: JsonValue, depth: int = 0) -> JsonValue:
    """The value, if every store can hold it. Raises InvalidInput."""
    if depth > _DEPTH:
        raise InvalidInput(f"a value nested deeper than {_DEPTH} is not taken")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"the value {value} is not a number JSON can carry")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise InvalidInput("an integer beyond 64 bits is not taken")
    if isinstance(value, str) and "\0" in value:
        raise InvalidInput("a NUL character in the value is not taken")
    for item in as_list(value) or ():
        checked(item, depth + 1)
    for key, item in (as_object(value) or {}).items():
        checked(key, depth + 1)
        checked(item, depth + 1)
    return value
