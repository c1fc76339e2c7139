"""How much may be on its way at once. Refuse before reading, say why, count it."""

from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge

from tracelake.ingest.outcome import Outcome
from tracelake.model.errors import PayloadTooLarge, Unavailable


class Admission:
    """Bounds the bytes of all requests that are being read, decoded or committed."""

    def __init__(self, max_body_bytes: int, max_pending_bytes: int, registry: CollectorRegistry):
        self.max_body_bytes = max_body_bytes
        self._max_pending_bytes = max_pending_bytes
        self._pending_bytes = 0
        self._gauge = Gauge(
            "tracelake_ingest_pending_bytes", "Bytes of requests under way", registry=registry
        )
        self._stored = Counter("tracelake_ingest_spans", "Spans stored durably", registry=registry)
        self._refused = Counter(
            "tracelake_ingest_refused_spans",
            "Spans that cannot be stored, by what was wrong with them",
            ["reason"],
            registry=registry,
        )
        self.requests = Counter(
            "tracelake_ingest_requests", "Requests by outcome", ["outcome"], registry=registry
        )

    @contextmanager
    def admit(self, size_bytes: int) -> Generator["Reservation"]:
        """Reserve room for a body of a declared size, 0 where it is not known.

        Raises PayloadTooLarge for one that never fits, Unavailable when there is no room now.
        """
        reservation = Reservation(self)
        try:
            reservation.grow_to(size_bytes)
            yield reservation
        finally:
            reservation.give_back()

    def count(self, outcome: Outcome) -> None:
        """Count what was stored and what was refused of a request that was taken."""
        self._stored.inc(outcome.stored)
        for reason, spans in outcome.refused.reasons.items():
            self._refused.labels(reason=reason).inc(spans)

    def reserve(self, more_bytes: int) -> None:
        if self._pending_bytes + more_bytes > self._max_pending_bytes:
            raise Unavailable(
                f"{self._pending_bytes} bytes are under way already; send this again in a second"
            )
        self._pending_bytes += more_bytes
        self._gauge.set(self._pending_bytes)

    def release(self, bytes_held: int) -> None:
        self._pending_bytes -= bytes_held
        self._gauge.set(self._pending_bytes)


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
            self._admission.reserve(size_bytes - self.held_bytes)
            self.held_bytes = size_bytes

    def give_back(self) -> None:
        self._admission.release(self.held_bytes)
        self.held_bytes = 0
