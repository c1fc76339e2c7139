"""Text for the columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelake.model.text import storable


@given(st.text(st.characters(codec=None)))
def test_what_comes_out_can_be_stored(text: str) -> None:
    clean = storable(text)
    assert clean.encode().decode() == clean
    assert "\0" not in clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("abc", "abc"),
        ("größe 日本", "größe 日本"),
        ("a\0b", "a\ufffdb"),
        ("é\0", "é\ufffd"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_each_wrong_piece_is_replaced(text: str, clean: str) -> None:
    assert storable(text) == clean
