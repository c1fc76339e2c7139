"""JSON text of any value a span can carry, and the bounds a Delta log is given."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelake.lake.arrow import pa
from tracelake.lake.files import TableFiles
from tracelake.lake.rows import json_text

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_text_reads_back(value: Any) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    text.encode()


@pytest.mark.parametrize("value", ["\ud800", 2**80, {"\udfff": [2**70]}])
def test_what_the_fast_encoder_refuses_is_encoded_all_the_same(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    json_text(value).encode()


@pytest.mark.parametrize("micros", [0, 1, 999, 1000, 123456, 999_999])
def test_bounds_are_whole_milliseconds_around_the_values(tmp_path: Path, micros: int) -> None:
    schema = pa.schema([("trace_id", pa.string()), ("time", pa.timestamp("us", "UTC"))])
    moment = datetime(2026, 12, 31, 23, 59, 59, micros, UTC)
    files = TableFiles(str(tmp_path), schema, None, "time")
    rows = pa.table({"trace_id": ["a", "b"], "time": [moment, None]}, schema=schema)
    (action,) = files.write_rows(rows)
    stats = json.loads(action.stats)
    low = datetime.fromisoformat(stats["minValues"]["time"])
    high = datetime.fromisoformat(stats["maxValues"]["time"])
    assert low <= moment <= high
    assert high - low <= timedelta(milliseconds=1)
    assert low.microsecond % 1000 == high.microsecond % 1000 == 0
    assert (stats["numRecords"], stats["nullCount"]) == (2, {"time": 1})


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    schema = pa.schema([("trace_id", pa.string()), ("time", pa.timestamp("us", "UTC"))])
    files = TableFiles(str(tmp_path), schema, None, "time")
    assert files.write_rows(schema.empty_table()) == []
    assert list(tmp_path.iterdir()) == []
