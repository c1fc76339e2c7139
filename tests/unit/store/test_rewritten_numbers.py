"""Numbers in JSON that its readers write in other digits: both spellings are words of the trace."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.spans import make_request, make_span

from tracelake.model.filters.evaluate import as_text
from tracelake.store.index.text import TraceWords
from tracelake.store.index.words import words_of


def words_of_value(text: str) -> set[bytes]:
    words = TraceWords()
    body = make_request([make_span(1, 1, input__value=text)]).SerializeToString()
    words.add(TracesData.FromString(body))
    words.add_rewritten_numbers()
    return words.found


NUMBER = re.compile(r"-?(0|[1-9]\d{0,22})(\.\d{1,22})?([eE][+-]?\d{1,2})?", re.ASCII)
SMALL = re.compile(r"0\.0{0,8}[1-9]\d{0,18}", re.ASCII)


@given(
    st.from_regex(NUMBER, fullmatch=True)
    | st.from_regex(SMALL, fullmatch=True)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
)
def test_both_spellings_are_found(number: str) -> None:
    found = words_of_value(f'{{"told": "of a number", "amount": {number}, "next": 1}}')
    assert words_of(number) <= found
    read = json.loads(number)
    assert words_of(json.dumps(read)) <= found
    assert words_of(as_text(read) or "") <= found


def test_texts_without_such_numbers_are_not_read_again() -> None:
    assert words_of_value("step 3 of 12, id 0001e, see 000012") >= {b"step", b"000012", b"0001e"}
