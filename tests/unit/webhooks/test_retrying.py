"""What follows an attempt, and after how long."""

import random

import pytest

from tracelake.model.webhooks import Attempt
from tracelake.webhooks.retrying import Outcome, delay_s, outcome


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (302, Outcome.REFUSED),
        (400, Outcome.REFUSED),
        (408, Outcome.AWAY),
        (410, Outcome.REFUSED),
        (425, Outcome.AWAY),
        (429, Outcome.AWAY),
        (500, Outcome.FAILED),
        (501, Outcome.FAILED),
        (503, Outcome.AWAY),
        (None, Outcome.AWAY),
    ],
)
def test_what_follows_an_answer(status: int | None, expected: Outcome) -> None:
    assert outcome(Attempt(status)) is expected


def test_each_wait_is_twice_as_long_up_to_ten_minutes() -> None:
    longest = [delay_s(failed, 0, lambda: 1.0) for failed in range(1, 12)]
    assert longest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600]
    assert delay_s(10**9, 0, lambda: 1.0) == 600
    assert [delay_s(failed, 0, lambda: 0.0) for failed in (1, 2, 11)] == [0.5, 1, 300]


def test_waits_differ() -> None:
    chance = random.Random(1)
    waits = {delay_s(5, 0, chance.random) for _ in range(100)}
    assert len(waits) == 100
    assert all(8 <= each <= 16 for each in waits)


def test_a_receiver_is_left_alone_as_long_as_it_asks_within_reason() -> None:
    assert delay_s(1, 120) == 120
    assert delay_s(1, 10**9) == 3600
    assert delay_s(11, 1, lambda: 1.0) == 600
