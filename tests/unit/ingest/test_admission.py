"""How much may be under way: by bytes, and less when answers take long."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import pytest
from prometheus_client import CollectorRegistry

from tracelake.ingest.admission import Admission, Reservation
from tracelake.ingest.metrics import IngestMetrics
from tracelake.model.errors import PayloadTooLarge, Unavailable

MIB = 1024 * 1024


class World:
    """An admission of 128 MiB with a clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.registry = CollectorRegistry()
        metrics = IngestMetrics(self.registry)
        self.admission = Admission(64 * MIB, 128 * MIB, metrics, lambda: self.now_s)

    @contextmanager
    def request(self, size_bytes: int) -> Generator[Reservation]:
        with self.admission.admit(size_bytes) as reservation:
            reservation.wait()
            yield reservation

    def serve(self, size_bytes: int, seconds: float) -> None:
        with self.request(size_bytes) as reservation:
            self.now_s += seconds
            reservation.took()

    def admitted(self, size_bytes: int) -> int:
        """How many of a size find room at once."""
        with ExitStack() as held:
            for count in range(10_000):
                try:
                    held.enter_context(self.request(size_bytes))
                except Unavailable:
                    return count
        raise AssertionError("there is no bound")

    def gauge(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"tracelake_ingest_{name}")


def test_room_grows_with_fast_answers_up_to_its_bound() -> None:
    world = World()
    assert world.admitted(MIB) == 32
    for _ in range(1000):
        world.serve(MIB, 0.01)
    assert world.admitted(MIB) == 128
    assert world.gauge("pending_bytes") == world.gauge("pending_requests") == 0


def test_room_shrinks_with_slow_answers_but_not_to_nothing() -> None:
    world = World()
    world.serve(MIB, 4.0)
    assert world.admitted(MIB) == 16
    for _ in range(20):
        world.serve(MIB, 8.0)
    assert world.admitted(MIB) == 4
    for _ in range(1000):
        world.serve(MIB, 1.0)
    assert world.admitted(MIB) == 4
    for _ in range(1000):
        world.serve(MIB, 0.01)
    assert world.admitted(MIB) == 128


def test_little_may_join_a_queue_of_seconds() -> None:
    world = World()
    with world.request(10 * MIB) as first, world.request(3 * MIB):
        world.now_s += 1.0
        assert world.admitted(MIB) == 19
        world.now_s += 1.5
        assert world.admitted(MIB) == 1
    assert first.held_bytes == 0
    assert world.admitted(MIB) == 32


def test_small_bodies_pass_by_a_huge_one() -> None:
    world = World()
    for _ in range(1000):
        world.serve(MIB, 0.01)
    with world.request(64 * MIB):
        world.now_s += 10.0
        assert world.admitted(MIB) == 4


def test_a_huge_body_and_the_others_pass_each_other_by() -> None:
    """It takes half of the room at most, whoever came first, and its time narrows nothing."""
    world = World()
    with world.request(40 * MIB) as huge:
        assert world.admitted(MIB) == 16
        with pytest.raises(Unavailable):
            world.serve(40 * MIB, 0.01)
        world.now_s += 10.0
        assert world.admitted(MIB) == 16
        huge.took()
    assert world.admitted(MIB) == 32
    with world.request(10 * MIB), world.request(40 * MIB):
        assert world.admitted(MIB) == 6
    with world.admission.admit(0) as growing, world.request(10 * MIB):
        growing.grow_to(64 * MIB)
        assert world.admitted(MIB) == 6
    assert world.gauge("pending_bytes") == 0


def test_a_body_that_is_alone_finds_room() -> None:
    world = World()
    for _ in range(20):
        world.serve(MIB, 8.0)
    with world.request(64 * MIB), pytest.raises(Unavailable):
        world.serve(3 * MIB, 0.01)
    with pytest.raises(PayloadTooLarge):
        world.serve(64 * MIB + 1, 0.01)


def test_a_body_of_unknown_length_is_bounded_while_it_grows() -> None:
    world = World()
    with world.request(15 * MIB), world.admission.admit(0) as growing:
        growing.grow_to(16 * MIB)
        with pytest.raises(Unavailable):
            world.serve(2 * MIB, 0.01)
        with pytest.raises(PayloadTooLarge):
            growing.grow_to(65 * MIB)
        assert growing.held_bytes == 16 * MIB
    assert world.gauge("pending_bytes") == 0


def test_what_comes_slowly_gives_its_room_back() -> None:
    world = World()
    with world.request(16 * MIB) as slow:
        assert world.admitted(MIB) == 16
        slow.shrink_to(MIB)
        slow.shrink_to(2 * MIB)
        assert slow.held_bytes == MIB
        assert world.admitted(MIB) == 31
        slow.grow_to(2 * MIB)
        assert world.admitted(MIB) == 30
    assert world.gauge("pending_bytes") == 0
