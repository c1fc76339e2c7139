"""What follows an attempt, and after how long."""

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from tracelake.model.webhooks import Attempt

GIVE_UP_S: Final = 24 * 3600.0
_FIRST_S: Final = 1.0
_LONGEST_S: Final = 600.0
_LONGEST_ASKED_S: Final = 3600.0
_AWAY: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Answers of who is in front of a receiver, of one that has too much to do, and those that ask to
be sent the same again."""


class Outcome(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"
    """At this event: others may succeed."""
    AWAY = "away"
    """Nothing can be delivered there now."""
    REFUSED = "refused"
    """The receiver will never take this event."""


def outcome(attempt: Attempt) -> Outcome:
    if attempt.is_success:
        return Outcome.DELIVERED
    if attempt.status is None or attempt.status in _AWAY:
        return Outcome.AWAY
    return Outcome.FAILED if attempt.status >= 500 else Outcome.REFUSED


def delay_s(
    failed: int, retry_after_s: float, chance: Callable[[], float] = random.random
) -> float:
    """How long to wait after so many failed attempts.

    Twice as long each time; between half and all of it, so that many do not come back at once; and
    never less than the receiver asks for, within reason.
    """
    whole_s = min(_FIRST_S * 2 ** min(failed - 1, 30), _LONGEST_S)
    return max(whole_s * (0.5 + chance() / 2), min(retry_after_s, _LONGEST_ASKED_S))
