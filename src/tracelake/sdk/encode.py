"""Any Python value to JSON text or an attribute value: fast for plain data, careful for the rest.

JSON cannot carry bytes, NaN and infinities; they travel tagged, as the server's API does:
{"$bytes": base64} and {"$double": "NaN"}.
"""

import base64
import json
import math
import re
from collections import deque
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

REPR_CHARS = 10_000
MAX_DEPTH = 100
ARRAY_ITEMS = 10_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = 1 << 63


def clean_text(text: str) -> str:
    """Text that UTF-8 can carry: surrogate pairs joined, lone surrogates replaced."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def json_text(value: object, max_chars: int = 8 << 20) -> str:
    """JSON text of any value. Never raises; longer text than `max_chars` is cut and says so."""
    try:
        try:
            text = _encode(value)
        except (ValueError, TypeError, RecursionError):
            text = _encode(_tree(value, 0, set(), tagged=True))
    except Exception as error:
        text = _encode(f"<{_type_name(value)} that could not be read: {type(error).__name__}>")
    if not text.isascii():
        text = clean_text(text)
    if len(text) > max_chars:
        cut = {"$truncated": {"chars": len(text), "head": text[: max_chars // 2]}}
        return _encode(cut)
    return text


def attribute_value(value: object) -> Any:
    """A value OpenTelemetry can carry, types kept. Never raises; other objects become text."""
    match value:
        case str():
            return clean_text(value)
        case None | bool() | float() | bytes():
            return value
        case int():
            return int(value) if -_INT64 <= value < _INT64 else str(value)
        case _:
            try:
                return _tree(value, 0, set(), tagged=False)
            except Exception as error:
                return f"<{_type_name(value)} that could not be read: {type(error).__name__}>"


def untag(value: Any) -> Any:
    """The reverse of the tags: bytes and special floats as Python values again."""
    if isinstance(value, list):
        return [untag(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    shape = cast("dict[str, Any]", value)
    if len(shape) == 1:
        match shape:
            case {"$bytes": str(text)}:
                return base64.b64decode(text)
            case {"$double": str(text)} if text.strip("-") in ("NaN", "Infinity"):
                return float(text)
            case _:
                return {key: untag(each) for key, each in shape.items()}
    return {key: untag(each) for key, each in shape.items()}


def short_repr(value: object) -> str:
    """`repr`, cut to a bounded length; never raises."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{_type_name(value)} whose repr raised {type(error).__name__}>"
    return text if len(text) <= REPR_CHARS else text[:REPR_CHARS] + "..."


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _plain(value: object) -> Any:
    """One step from an object JSON does not know towards one it does."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(bytes(cast("bytes", value))).decode()}
    if isinstance(value, (Set, deque)):
        return list(cast("Set[Any]", value))
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (UUID, PurePath, Decimal, timedelta)):
        return str(value)
    try:
        return _fields(value)
    except Exception:
        # A model whose own conversion fails still has a repr.
        return short_repr(value)


def _fields(value: object) -> Any:
    """Records to dicts, arrays to lists, everything else to its repr."""
    kind = type(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    dump: Callable[..., Any] | None = getattr(kind, "model_dump", None)
    if dump is not None:
        try:
            return dump(value, warnings=False)
        except TypeError:
            return dump(value)
    if kind.__module__.partition(".")[0] == "numpy":
        size = cast("int", getattr(value, "size", ARRAY_ITEMS + 1))
        if size <= ARRAY_ITEMS:
            return cast("Any", value).tolist()
    return short_repr(value)


def _tree(value: Any, depth: int, path: set[int], *, tagged: bool) -> Any:
    """A copy of plain values only: circles and depth cut, keys as text, special floats tagged."""
    if value is None or isinstance(value, (bool, str)):
        return clean_text(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return _whole_number(value, tagged)
    if isinstance(value, float):
        return value if not tagged or math.isfinite(value) else {"$double": _double_name(value)}
    if isinstance(value, bytes) and not tagged:
        return value
    own_id = id(cast("object", value))
    if own_id in path:
        return "<circular reference>"
    if depth >= MAX_DEPTH:
        return f"<{_type_name(value)} nested deeper than {MAX_DEPTH}>"
    path.add(own_id)
    try:
        if isinstance(value, dict):
            pairs = list(cast("dict[Any, Any]", value).items())
            return {
                clean_text(key if isinstance(key, str) else short_repr(key)): _tree(
                    each, depth + 1, path, tagged=tagged
                )
                for key, each in pairs
            }
        if isinstance(value, (list, tuple)):
            items = list(cast("list[Any]", value))
            return [_tree(each, depth + 1, path, tagged=tagged) for each in items]
        return _tree(_plain(value), depth + 1, path, tagged=tagged)
    finally:
        path.discard(own_id)


def _whole_number(value: int, tagged: bool) -> int | str:
    if -_INT64 <= value < _INT64:
        return int(value)
    if not tagged or value.bit_length() > 10_000:
        # Python refuses to print very long integers in decimal; hexadecimal always works.
        return hex(value)
    return int(value)


def _double_name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


# Circles end in a RecursionError, which `json_text` answers with the careful way; looking for them
# on the fast way costs a fifth of it.
_encode = json.JSONEncoder(
    default=_plain,
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,
    separators=(",", ":"),
).encode
