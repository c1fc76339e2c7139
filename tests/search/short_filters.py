"""Filters of `filters.py` in the short form, as far as it can say them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tests.search.filters import AllOf, AnyOf, Is, NotOf, Tree

_FIELDS: Final = {
    "timestamp_ms": "time",
    "execution_time_ms": "latency",
    "duration_ms": "latency",
    "request_id": "id",
    "client_request_id": "request",
    "run_id": "run",
}
_NO_FIELD: Final = ("end_time_ms", "prompt")
_KEYED: Final = {
    "tag": "tag",
    "metadata": "meta",
    "feedback": "feedback",
    "expectation": "expect",
    "span.attributes": "attr",
}
_STATES: Final = {"OK": "ok", "ERROR": "failed", "IN_PROGRESS": "running", "UNSET": "unset"}
_ORDERED: Final = ("=", ">", ">=", "<", "<=")
_PLAIN: Final = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def short_of(tree: Tree) -> str | None:
    """The short form of a tree; None for one that it cannot say."""
    match tree:
        case Is() if _is_about_spans(tree):
            inside = _clause(tree)
            return None if inside is None else f"span({inside})"
        case Is():
            return _clause(tree)
        case NotOf(item):
            inside = short_of(item)
            return None if inside is None else f"-({inside})"
        case AnyOf(items):
            if _is_about_spans(tree):
                inside = _of_span(tree)
                return None if inside is None else f"span({inside})"
            return _joined([short_of(item) for item in items], " or ")
        case AllOf():
            conjuncts = list(_conjuncts(tree))
            about = [item for item in conjuncts if _is_about_spans(item)]
            told = [short_of(item) for item in conjuncts if not _is_about_spans(item)]
            if about:
                inside = _joined([_of_span(item) for item in about], " ")
                told.append(None if inside is None else f"span({inside})")
            return _joined(told, " ")


def _of_span(tree: Tree) -> str | None:
    match tree:
        case AllOf(items):
            return _joined([_of_span(item) for item in items], " and ")
        case AnyOf(items):
            return _joined([_of_span(item) for item in items], " or ")
        case Is():
            return _clause(tree)
        case _:
            return None


def _joined(pieces: Sequence[str | None], between: str) -> str | None:
    told = [piece for piece in pieces if piece is not None]
    return f"({between.join(told)})" if len(told) == len(pieces) else None


def _conjuncts(tree: Tree) -> list[Tree]:
    if isinstance(tree, AllOf):
        return [each for item in tree.items for each in _conjuncts(item)]
    return [tree]


def _is_about_spans(tree: Tree) -> bool:
    match tree:
        case Is():
            return tree.entity.startswith("span")
        case AllOf(items) | AnyOf(items):
            return all(map(_is_about_spans, items))
        case _:
            return False


def _clause(told: Is) -> str | None:
    if told.key == "text" or (told.entity, told.key) == ("span", "content"):
        return _content(told)
    if told.entity == "issue" or (told.entity == "trace" and told.key in _NO_FIELD):
        return None
    field = _field(told)
    if field is None or told.value == "":
        return None
    match told.op:
        case "IS NOT NULL":
            return f"has:{field}"
        case "IS NULL":
            return f"-has:{field}"
        case "!=" | "NOT IN":
            values = _values(told)
            if told.entity in ("feedback", "expectation") or values is None:
                return None
            return f"(has:{field} -{field}:{values})"
        case "ILIKE":
            pattern = told.value.replace("%", "*")
            is_plain = "*" in pattern and all(char in _PLAIN or char == "*" for char in pattern)
            is_plain = is_plain and "_" not in pattern and ".." not in pattern
            return f"{field}:{pattern}" if is_plain and told.key != "status" else None
        case "=" | "IN":
            values = _values(told)
            return None if values is None else f"{field}:{values}"
        case op if op in _ORDERED:
            number = _number(told)
            return None if number is None else f"{field}:{op}{number}"
        case _:
            return None


def _field(told: Is) -> str | None:
    prefix = _KEYED.get(told.entity)
    if prefix is None:
        return _FIELDS.get(told.key, told.key) if told.entity == "trace" else _span_field(told.key)
    if '"' in told.key:
        return None
    is_plain = all(char in _PLAIN for char in told.key)
    return f"{prefix}.{told.key}" if is_plain else f'{prefix}."{told.key}"'


def _span_field(key: str) -> str:
    return _FIELDS.get(key, key)


def _values(told: Is) -> str | None:
    value: Any = told.value
    values: list[Any] = [value]
    if told.op in ("IN", "NOT IN"):
        values = list(value)
    if told.key == "status" and told.entity in ("trace", "span"):
        return ",".join(_STATES[value] for value in values)
    if isinstance(values[0], str):
        if told.entity in ("feedback", "expectation"):
            # A bare number or truth is one, as in the grammar; a text that looks so is not said.
            return None if _looks_typed(values[0]) else _quoted(values[0])
        return ",".join(map(_quoted, values))
    return _number(told)


def _looks_typed(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(told: Is) -> str | None:
    number: Any = told.value
    if not isinstance(number, int | float) or abs(number) > 10**14:
        return None
    if told.key == "timestamp_ms":
        if number < 0 or number != int(number):
            return None
        moment = datetime.fromtimestamp(number // 1000, UTC).replace(
            microsecond=int(number % 1000) * 1000
        )
        return moment.isoformat()
    if told.key in ("execution_time_ms", "duration_ms"):
        if told.key == "execution_time_ms" and number != int(number):
            return None
        return f"{number:.9f}ms"
    is_whole = told.key.endswith("tokens")
    if is_whole and number != int(number):
        return None
    return str(int(number)) if is_whole else f"{number:.12f}"


def _content(told: Is) -> str | None:
    wanted = told.value.removeprefix("%").removesuffix("%")
    if told.op != "ILIKE" or "%" in wanted.replace("\\%", "") or "_" in wanted.replace("\\_", ""):
        return None
    return _quoted(wanted.replace("\\%", "%").replace("\\_", "_"))


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
