"""Python values as OpenTelemetry's, with their types."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from tracelake.model.jsonvalue import as_list, as_object


def any_value(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case _:
            pass
    if (items := as_list(value)) is not None:
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in items]))
    if (members := as_object(value)) is not None:
        return AnyValue(kvlist_value=KeyValueList(values=key_values(members)))
    return AnyValue(string_value=value)


def key_values(members: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in members.items()]
