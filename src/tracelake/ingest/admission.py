"""How much may be on its way at once. Refuse before reading, and say why."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from tracelake.ingest.metrics import IngestMetrics
from tracelake.model.errors import PayloadTooLarge, Unavailable

_LONG_WAIT_S: Final = 2.0
"""Exporters give up after ten seconds; an answer that takes longer than this is a full queue."""
_SHORT_WAIT_S: Final = 0.5
"""While answers take less, more may wait: nobody does for long."""
_FIRST_SHARE: Final = 4
_LEAST_SHARE: Final = 32
_GROWTH_SHARE: Final = 4


class Admission:
    """Bounds the bytes of all requests that are being read, decoded or committed.

    The bound is `max_pending_bytes` at most. It is less until answers have shown to be fast, and
    while they take longer than they should: a queue that takes seconds must not become longer.
    """

    def __init__(
        self,
        max_body_bytes: int,
        max_pending_bytes: int,
        metrics: IngestMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.max_body_bytes = max_body_bytes
        self._max_pending_bytes = max_pending_bytes
        self._least_bytes = max_pending_bytes // _LEAST_SHARE
        self._room_bytes = max_pending_bytes // _FIRST_SHARE
        self._reservations: set[Reservation] = set()
        self._waiting: dict[Reservation, float] = {}
        self._pending_bytes = 0
        self._narrowed_s = 0.0
        self._metrics = metrics
        metrics.room_bytes.set(self._room_bytes)

    @contextmanager
    def admit(self, size_bytes: int) -> Generator["Reservation"]:
        """Reserve room for a body of a declared size, 0 where it is not known.

        Raises PayloadTooLarge for one that never fits, Unavailable when there is no room now.
        """
        reservation = Reservation(self)
        self._reservations.add(reservation)
        try:
            reservation.grow_to(size_bytes)
            self._metrics.pending_requests.inc()
            try:
                yield reservation
            finally:
                self._metrics.pending_requests.dec()
        finally:
            reservation.give_back()
            self._reservations.discard(reservation)

    def reserve(self, reservation: "Reservation", size_bytes: int) -> None:
        """Have one request hold so much. A body that is alone always finds room, and the largest
        takes at most half of it: others pass it by, and it passes them."""
        wanted_bytes = self._pending_bytes - reservation.held_bytes + size_bytes
        if wanted_bytes > size_bytes and wanted_bytes > (room_bytes := self._room_now()):
            largest_bytes = max(size_bytes, *(each.held_bytes for each in self._reservations))
            over_bytes = max(largest_bytes - self._room_bytes // 2, 0)
            if wanted_bytes - over_bytes > room_bytes:
                raise Unavailable(
                    f"{self._pending_bytes} bytes are under way; send this again in a second"
                )
        self._hold(size_bytes - reservation.held_bytes)

    def release(self, bytes_held: int) -> None:
        self._hold(-bytes_held)

    def wait(self, reservation: "Reservation") -> None:
        """The body is read; from now on its sender waits for us."""
        self._waiting[reservation] = self._clock()

    def took(self, reservation: "Reservation") -> None:
        """It is durable. Learn from how long that took, unless it is huge: that says little about
        what waits."""
        seconds = self._clock() - self._waiting[reservation]
        if seconds <= _SHORT_WAIT_S:
            wider = self._room_bytes + reservation.held_bytes // _GROWTH_SHARE
            self._room_bytes = min(wider, self._max_pending_bytes)
        elif seconds > _LONG_WAIT_S and not self._is_huge(reservation):
            now_s = self._clock()
            if now_s - self._narrowed_s < _LONG_WAIT_S:
                return  # what was admitted before the last change says nothing about it
            self._narrowed_s = now_s
            narrower = int(self._room_bytes * max(_LONG_WAIT_S / seconds, 0.5))
            self._room_bytes = max(narrower, self._least_bytes)
        self._metrics.room_bytes.set(self._room_bytes)

    def forget(self, reservation: "Reservation") -> None:
        self._waiting.pop(reservation, None)

    def _room_now(self) -> int:
        """While the first in the queue has waited long already, little may join it."""
        first = next((each for each in self._waiting if not self._is_huge(each)), None)
        if first is not None and self._clock() - self._waiting[first] > _LONG_WAIT_S:
            return min(self._room_bytes, self._least_bytes + first.held_bytes)
        return self._room_bytes

    def _is_huge(self, reservation: "Reservation") -> bool:
        """Whether a body is the one that others pass by. Of such a size, there is one at a time."""
        return 2 * reservation.held_bytes > self._room_bytes

    def _hold(self, more_bytes: int) -> None:
        self._pending_bytes += more_bytes
        self._metrics.pending_bytes.set(self._pending_bytes)


class Reservation:
    """What one request holds of the room."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.held_bytes = 0

    def grow_to(self, size_bytes: int) -> None:
        """Hold at least this much. Raises as `admit` does."""
        limit = self._admission.max_body_bytes
        if size_bytes > limit:
            raise PayloadTooLarge(f"the body is larger than {limit} bytes; send smaller batches")
        if size_bytes > self.held_bytes:
            self._admission.reserve(self, size_bytes)
            self.held_bytes = size_bytes

    def shrink_to(self, size_bytes: int) -> None:
        """Hold no more than this."""
        if size_bytes < self.held_bytes:
            self._admission.release(self.held_bytes - size_bytes)
            self.held_bytes = size_bytes

    def wait(self) -> None:
        """The whole body is here."""
        self._admission.wait(self)

    def took(self) -> None:
        """What it brought is durable."""
        self._admission.took(self)

    def give_back(self) -> None:
        self._admission.forget(self)
        self._admission.release(self.held_bytes)
        self.held_bytes = 0
