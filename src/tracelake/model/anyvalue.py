"""OpenTelemetry AnyValue to Python and JSON, keeping every type.

What JSON cannot carry is tagged, so that nothing is flattened to a string: bytes are
{"$bytes": base64}, doubles that are not finite {"$double": "NaN" | "Infinity" | "-Infinity"}.
"""

import base64
import json
import math
from collections.abc import Iterable
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tracelake.model.entities import JsonValue

COUNT_LIMIT: Final = 2**40
"""A token count from here on is nonsense, and sums of nonsense would not fit a column."""


def to_json_value(value: AnyValue) -> JsonValue:
    """One AnyValue as a JSON value. An unset value is None."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            number = value.double_value
            if math.isfinite(number):
                return number
            return {"$double": "NaN" if math.isnan(number) else _infinity(number)}
        case "array_value":
            return [to_json_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return to_json_object(value.kvlist_value.values)
        case "bytes_value":
            return {"$bytes": base64.b64encode(value.bytes_value).decode()}
        case _:
            return None


def to_json_object(pairs: Iterable[KeyValue]) -> dict[str, JsonValue]:
    """A list of key-values as a dict; of two equal keys the later one stays."""
    return {pair.key: to_json_value(pair.value) for pair in pairs}


def to_payload(value: AnyValue) -> JsonValue:
    """Inputs or outputs: a typed value as it is, a string that is JSON text parsed."""
    if value.WhichOneof("value") == "string_value":
        return parse_json_text(value.string_value)
    return to_json_value(value)


def parse_json_text(text: str) -> JsonValue:
    """The value of JSON text; the text itself where it is not JSON, or JSON could not say it again:
    NaN, or a number that no double holds."""
    stripped = text.lstrip()
    if not stripped or stripped[0] not in '{["-0123456789tfn':
        return text
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return text


def to_text(value: AnyValue) -> str | None:
    """A value read as a word: a string without the quotes some clients wrap it in, or a number."""
    # Nearly all are plain strings, and to ask which kind a value is costs as much as its content.
    plain = value.string_value
    if plain and plain[0] != '"':
        return plain
    match value.WhichOneof("value"):
        case "string_value":
            text = value.string_value
            if len(text) >= 2 and text[0] == '"' == text[-1]:
                parsed = parse_json_text(text)
                return parsed if isinstance(parsed, str) else text
            return text
        case "int_value":
            return str(value.int_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "double_value":
            return repr(value.double_value)
        case None:
            return None
        case _:
            return json.dumps(to_json_value(value), ensure_ascii=False)


def to_count(value: AnyValue) -> int | None:
    """A token count: an int, a whole double, or either as text. None for anything else."""
    if 0 < value.int_value < COUNT_LIMIT:
        return value.int_value
    match value.WhichOneof("value"):
        case "int_value":
            number: float = value.int_value
        case "double_value":
            number = value.double_value
        case "string_value":
            try:
                number = float(value.string_value.strip('"'))
            except ValueError:
                return None
        case _:
            return None
    return int(number) if 0 <= number < COUNT_LIMIT else None


def _infinity(number: float) -> str:
    return "Infinity" if number > 0 else "-Infinity"


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is past every double")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# To be asked for the same again, json.loads makes a decoder each time, which takes half of its time
# for a short text.
_decode: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).decode
