"""How long the index of text leaves the machine to ingest."""

import threading

import pytest

from tracelake.store.index import follow


class Clock(threading.Event):
    """Time that passes only where somebody waits, and changes that come meanwhile."""

    def __init__(self, changes_per_s: float) -> None:
        super().__init__()
        self.now_s = 100.0
        self.changes_per_s = changes_per_s

    def monotonic(self) -> float:
        return self.now_s

    def last_seq(self) -> int:
        return round(self.now_s * self.changes_per_s)

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(2000)
    monkeypatch.setattr(follow, "time", clock)
    return clock


def test_a_rest_is_many_times_the_work_while_spans_pour_in(clock: Clock) -> None:
    rest = follow.Rest(clock.last_seq, clock)
    began_s = rest.begin()
    for work in range(1, 4):
        clock.now_s += 0.25
        rest.take()
        assert clock.now_s == pytest.approx(began_s + work * 0.25 * 17)


def test_no_rest_where_little_comes(clock: Clock) -> None:
    clock.changes_per_s = 100
    rest = follow.Rest(clock.last_seq, clock)
    began_s = rest.begin()
    clock.now_s += 0.25
    rest.take()
    assert clock.now_s == began_s + 0.25


def test_a_rest_ends_soon_after_the_flood(clock: Clock) -> None:
    ebb_s = 110.0
    rest = follow.Rest(lambda: round(min(clock.now_s, ebb_s) * 2000), clock)
    rest.begin()
    clock.now_s = ebb_s
    rest.take()
    assert clock.now_s == ebb_s + 1.0


def test_a_rest_ends_when_all_does(clock: Clock) -> None:
    rest = follow.Rest(clock.last_seq, clock)
    rest.begin()
    clock.now_s += 10
    at_s = clock.now_s
    clock.set()
    rest.take()
    assert clock.now_s == at_s
