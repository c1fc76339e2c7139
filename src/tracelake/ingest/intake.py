"""What every protocol's edge does with a request: admit it, hand it on, count what became of it."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

from starlette.types import Scope

from tracelake.ingest.accept import Ingest
from tracelake.ingest.admission import Admission, Reservation
from tracelake.ingest.decode import Destination, Offer
from tracelake.ingest.metrics import IngestMetrics
from tracelake.ingest.outcome import Outcome
from tracelake.model.errors import InvalidInput, TracelakeError
from tracelake.model.permissions import Permission

_log = logging.getLogger(__name__)

NEEDS: Final = Permission.WRITE_TRACES
_EXPERIMENT_HEADER: Final = "x-mlflow-experiment-id"
_RUN_HEADER: Final = "x-mlflow-run-id"
Authorise = Callable[[Scope, Permission], Awaitable[None]]


class Intake:
    """One for all protocols, so that they share one bound and one set of metrics."""

    def __init__(
        self,
        admission: Admission,
        ingest: Ingest,
        metrics: IngestMetrics,
        authorise: Authorise,
        default_experiment: str = "",
    ) -> None:
        """`default_experiment` is that of requests that name none, which are refused without."""
        self._admission = admission
        self._ingest = ingest
        self._metrics = metrics
        self._authorise = authorise
        self._default_experiment = default_experiment

    @property
    def max_body_bytes(self) -> int:
        return self._admission.max_body_bytes

    async def authorise(self, scope: Scope) -> None:
        """Raises PermissionDenied for a sender that may not write traces."""
        await self._authorise(scope, NEEDS)

    def destination_of(self, headers: Mapping[str, str]) -> Destination:
        """Where the spans of a request go, by its headers in lower case. Raises InvalidInput."""
        experiment = headers.get(_EXPERIMENT_HEADER, self._default_experiment).strip()
        if not experiment:
            raise InvalidInput(
                f"header {_EXPERIMENT_HEADER} is missing: name the experiment of the spans, as by "
                f"OTEL_EXPORTER_OTLP_HEADERS={_EXPERIMENT_HEADER}=0"
            )
        return Destination(experiment, headers.get(_RUN_HEADER, "").strip())

    def admit(self, size_bytes: int) -> AbstractContextManager[Reservation]:
        """As `Admission.admit`: call it before the body is read."""
        return self._admission.admit(size_bytes)

    async def accept(self, protocol: str, reservation: Reservation, offer: Offer) -> Outcome:
        """As `Ingest.accept`, counted and timed."""
        began_s = time.monotonic()
        # What it unfolds to is what others wait for. Whether it is too large is told by decoding.
        reservation.grow_to(min(offer.size_bytes, self._admission.max_body_bytes))
        reservation.wait()
        outcome = await self._ingest.accept(offer)
        reservation.took()
        self._metrics.count(protocol, outcome, time.monotonic() - began_s)
        return outcome

    def failed(self, protocol: str, caught: Exception) -> TracelakeError:
        """The error to answer with, counted. One that nobody foresaw goes to the log with all."""
        if isinstance(caught, TracelakeError):
            error = caught
        else:
            _log.error("a span request failed", exc_info=caught)
            error = TracelakeError("The server failed; its log has the reason.")
        self._metrics.requests.labels(protocol, error.code).inc()
        return error
