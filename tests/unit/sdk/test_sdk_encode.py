"""JSON text of any value."""

import dataclasses
import datetime as dt
import enum
import json
import math
import random
import uuid
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, cast

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelake.sdk.encode import attribute_value, clean_text, json_text, untag

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abcdef"), inner),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    match left:
        case float() if math.isnan(left):
            return isinstance(right, float) and math.isnan(right)
        case list():
            items = cast("list[Any]", left)
            return len(items) == len(right) and all(map(same, items, right))
        case dict():
            shape = cast("dict[str, Any]", left)
            return shape.keys() == right.keys() and all(same(shape[k], right[k]) for k in shape)
        case _:
            return type(left) is type(right) and left == right


@given(PLAIN)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    assert same(value, untag(json.loads(json_text(value))))


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    tags: frozenset[str]


class Model(pydantic.BaseModel):
    name: str
    x: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Point(1, frozenset({"a"})), {"x": 1, "tags": ["a"]}),
        (Model(name="m", x=math.inf), {"name": "m", "x": {"$double": "Infinity"}}),
        (Color.RED, "red"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00+00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.20"), "1.20"),
        (PurePosixPath("a/b"), "a/b"),
        ((1, 2), [1, 2]),
        ({(1, 2): "pair"}, {"(1, 2)": "pair"}),
        (np.array([1.5, 2.5]), [1.5, 2.5]),
        (np.float64(0.5), 0.5),
        (np.int32(7), 7),
        (bytearray(b"\x01"), {"$bytes": "AQ=="}),
        (ValueError("v"), "ValueError('v')"),
    ],
)
def test_objects_become_what_they_hold(value: Any, expected: Any) -> None:
    assert json.loads(json_text(value)) == expected


def test_depth_circles_and_sizes_are_bounded() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    assert len(json_text(deep)) < 2000
    circle: dict[str, Any] = {}
    circle["self"] = circle
    assert json.loads(json_text(circle)) == {"self": "<circular reference>"}
    assert json.loads(json_text("y" * 5000, 1000))["$truncated"]["chars"] == 5002
    assert len(json_text(object())) < 11_000
    assert json_text([1 << 40_000]).startswith('["0x1')


def test_surrogates_are_joined_or_replaced() -> None:
    assert clean_text("a\ud83d\ude00b\ud800") == "a\U0001f600b\ufffd"
    assert json.loads(json_text({"\udfff": "\ud83d\ude00"})) == {"\ufffd": "\U0001f600"}


def test_attribute_values_keep_their_types() -> None:
    value = {"a": [1, 2.5, True, None, b"x", "t"], "n": float("inf")}
    assert attribute_value(value) == value
    assert attribute_value(1 << 65) == str(1 << 65)
    assert attribute_value(Point(1, frozenset())) == {"x": 1, "tags": []}


def test_a_model_that_cannot_be_dumped_has_a_repr() -> None:
    class Broken:
        def model_dump(self) -> Any:
            raise random.choice([ValueError, AttributeError])("no")

        def __repr__(self) -> str:
            return "<broken>"

    assert json_text(Broken()) == '"<broken>"'
