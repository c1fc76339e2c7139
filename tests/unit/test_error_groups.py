"""A group's pattern matches what is in the group, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelake.model.error_groups import group_of
from tracelake.model.filters.patterns import regular

ERRORS = st.text(alphabet="ab1F.-#: (é\n0", max_size=14)


@pytest.mark.parametrize(
    ("error", "title"),
    [
        ("TimeoutError: no answer in 5 s", "TimeoutError: no answer in # s"),
        ("KeyError: 'order_id'", "KeyError: 'order_id'"),
        ("Http503", "#"),
        ("id 0f8fad5b-d9cb-469f-a165-70867728950e", "id #-#-#-#-#"),
        ("costs $1.50 (a+b)", "costs $#.# (a+b)"),
        ("", ""),
    ],
)
def test_what_a_group_is_called(error: str, title: str) -> None:
    assert group_of(error).title == title


@settings(max_examples=600, deadline=None)
@given(one=ERRORS, other=ERRORS)
def test_a_pattern_matches_its_group_alone(one: str, other: str) -> None:
    group = group_of(one)
    assert regular(group.pattern)(one)
    assert regular(group.pattern)(other) == (group_of(other).pattern == group.pattern)
