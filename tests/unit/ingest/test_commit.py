"""What one thread does with the requests that gathered: who is answered what."""

import threading
from collections.abc import Sequence

import pytest
from tests.spans import make_request, make_span, parts_in

from tracelake.ingest.commit import Decode, GroupCommitter, Request
from tracelake.ingest.outcome import Outcome, Refused
from tracelake.model.errors import InvalidInput, TracelakeError, Unavailable
from tracelake.store.api import TracePart


class Store:
    """Keeps ids. The first write waits until it is let go, so that all later requests gather."""

    def __init__(self, poison: Exception | None = None) -> None:
        self.writes: list[set[bytes]] = []
        self.first = threading.Event()
        self._poison = poison
        self.synced = 0
        """How many writes the disk had when `sync` was last called."""
        self.disk_error: Exception | None = None

    def write(self, parts: Sequence[TracePart]) -> None:
        self.first.wait(10)
        self.writes.append({part.trace_id for part in parts})
        if self._poison is not None and trace_id(13) in self.writes[-1]:
            raise self._poison

    def sync(self) -> None:
        self.synced = len(self.writes)
        if self.disk_error is not None:
            raise self.disk_error


def trace_id(number: int) -> bytes:
    return make_span(number, 1).trace_id


def decoding(number: int) -> Decode:
    return lambda: parts_in(make_request([make_span(number, 1)]))


def failing() -> tuple[list[TracePart], Refused]:
    raise InvalidInput("not a trace")


def dealt_with(store: Store, requests: Sequence[tuple[int, Decode, int]]) -> dict[int, object]:
    """The outcome or the error of each request, the first of which is written alone."""
    answers: dict[int, object] = {}

    def served(group: Sequence[Request[int]]) -> None:
        for request in group:
            try:
                answers[request.asker] = request.outcome()
            except TracelakeError as error:
                answers[request.asker] = error

    committer = GroupCommitter[int](store, served)
    committer.start()
    committer.put(Request(0, decoding(1000), 4 * 1024 * 1024))
    for request in requests:
        committer.put(Request(*request))
    store.first.set()
    committer.stop()
    assert isinstance(answers.pop(0), Outcome)
    return answers


def test_what_gathers_is_written_at_once() -> None:
    store = Store()
    answers = dealt_with(store, [(n, decoding(n), 1000) for n in range(1, 6)])
    assert store.writes[1:] == [{trace_id(n) for n in range(1, 6)}]
    stored = [answer.stored for answer in answers.values() if isinstance(answer, Outcome)]
    assert stored == [1] * 5


def test_a_group_is_bounded_by_the_bytes_of_its_bodies() -> None:
    store = Store()
    dealt_with(store, [(n, decoding(n), 3 * 1024 * 1024) for n in range(1, 5)])
    assert [len(ids) for ids in store.writes[1:]] == [2, 2]


def test_a_body_that_cannot_be_read_is_its_senders_alone() -> None:
    store = Store()
    answers = dealt_with(store, [(1, decoding(1), 10), (2, failing, 10), (3, decoding(3), 10)])
    assert store.writes[1:] == [{trace_id(1), trace_id(3)}]
    assert [type(answers[n]) for n in (1, 2, 3)] == [Outcome, InvalidInput, Outcome]


@pytest.mark.parametrize(
    ("poison", "writes", "others"),
    [
        (InvalidInput("too many batches"), 4, Outcome),
        (ZeroDivisionError(), 4, Outcome),
        (Unavailable("the disk is full"), 1, Unavailable),
    ],
)
def test_one_that_the_store_refuses_does_not_spoil_the_others(
    poison: Exception, writes: int, others: type
) -> None:
    store = Store(poison)
    answers = dealt_with(store, [(n, decoding(n), 10) for n in (12, 13, 14)])
    assert len(store.writes[1:]) == writes
    assert type(answers[12]) is type(answers[14]) is others
    assert isinstance(answers[13], TracelakeError)


def test_who_waits_for_the_disk_is_not_answered_and_holds_up_no_writing() -> None:
    disk, second = threading.Event(), threading.Event()

    class SlowDisk(Store):
        def write(self, parts: Sequence[TracePart]) -> None:
            super().write(parts)
            if len(self.writes) == 2:
                second.set()

        def sync(self) -> None:
            super().sync()
            disk.wait(10)

    store = SlowDisk()
    store.first.set()
    answered: list[tuple[int, int]] = []
    committer = GroupCommitter[int](
        store, lambda group: answered.extend((each.asker, store.synced) for each in group)
    )
    committer.start()
    committer.put(Request(1, decoding(1), 4 * 1024 * 1024))
    committer.put(Request(2, decoding(2), 4 * 1024 * 1024))
    assert second.wait(10)
    assert not answered
    disk.set()
    committer.stop()
    assert sorted(asker for asker, _ in answered) == [1, 2]
    assert all(synced >= asker for asker, synced in answered), "each was on disk when answered"


def test_what_the_disk_does_not_take_is_to_be_sent_again() -> None:
    store = Store()
    store.first.set()
    store.disk_error = Unavailable("the disk fails")
    answers: dict[int, Exception | None] = {}
    committer = GroupCommitter[int](
        store, lambda group: answers.update((each.asker, each.error) for each in group)
    )
    committer.start()
    committer.put(Request(1, decoding(1), 10))
    committer.put(Request(2, failing, 10))
    committer.stop()
    assert answers[1] is store.disk_error
    assert isinstance(answers[2], InvalidInput)
