"""Finished spans as OTLP requests, writes such as feedback as REST calls; bounded retries."""

import gzip
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from opentelemetry.sdk.trace import ReadableSpan

from tracelake.model.errors import NotFound, PayloadTooLarge, TracelakeError, Unavailable
from tracelake.sdk.destination import Destination
from tracelake.sdk.guard import Failing, Losses
from tracelake.sdk.http import Http, Unreachable
from tracelake.sdk.rest import Json, Rest, error_of

GZIP_FROM_BYTES = 16 * 1024
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 10.0

R = TypeVar("R")


@dataclass(slots=True)
class Finished:
    """A span that ended and where it goes."""

    destination: Destination
    span: ReadableSpan


@dataclass(slots=True)
class Write:
    """A REST call on its way. `answered` is set once there is an `answer` or an `error`."""

    destination: Destination
    method: str
    path: str
    body: dict[str, Any]
    answer: Json | None = None
    error: Exception | None = None
    answered: threading.Event = field(default_factory=threading.Event)


class Pause(Protocol):
    """Waits; True when the process is ending and no further wait is due."""

    def __call__(self, seconds: float, /) -> bool: ...


class Delivery:
    """Delivers batches from one thread. What fails for good is counted in `losses`."""

    def __init__(self, http: Http, losses: Losses, *, retry_s: float) -> None:
        self._http = http
        self._rest = Rest(http)
        self._losses = losses
        self._retry_s = retry_s
        self._experiment_ids: dict[Destination, str] = {}
        self.pause: Pause = lambda seconds: bool(time.sleep(seconds))
        self.healthy = True
        """False from a failed exchange with the server until the next good one."""

    def deliver(self, batch: Sequence[Finished | Write]) -> None:
        """In order: a write is sent after every span that was put before it."""
        gathered: dict[Destination, list[ReadableSpan]] = {}
        for item in batch:
            if isinstance(item, Finished):
                gathered.setdefault(item.destination, []).append(item.span)
            else:
                self._send_all(gathered)
                gathered = {}
                self._write(item)
        self._send_all(gathered)

    def _send_all(self, gathered: dict[Destination, list[ReadableSpan]]) -> None:
        for destination, spans in gathered.items():
            try:
                self._send(destination, spans)
            except Failing as failure:
                self._losses.add(failure.reason, len(spans), failure.detail)

    def _send(self, destination: Destination, spans: Sequence[ReadableSpan]) -> None:
        try:
            experiment_id = self._persist(lambda: self._experiment_id(destination))
            body = _encode(spans)
            self._persist(lambda: self._post(destination, experiment_id, body))
        except (PayloadTooLarge, _Unencodable) as error:
            if len(spans) == 1:
                reason = "refused" if isinstance(error, PayloadTooLarge) else "unencodable"
                raise Failing(reason, str(error)) from error
            self._send_all({destination: list(spans[: len(spans) // 2])})
            self._send_all({destination: list(spans[len(spans) // 2 :])})
        except TracelakeError as error:
            if isinstance(error, NotFound):
                # The experiment is gone; ask for it again with the next batch.
                self._experiment_ids.pop(destination, None)
            raise Failing("refused", error.message) from error

    def _write(self, write: Write) -> None:
        try:
            write.answer = self._persist(
                lambda: self._rest.call(write.destination, write.method, write.path, write.body)
            )
        except Failing as failure:
            write.error = Unavailable(failure.detail)
            self._losses.add(failure.reason, 1, failure.detail)
        except TracelakeError as error:
            write.error = error
            self._losses.add("refused", 1, f"{write.path}: {error.message}")
        finally:
            write.answered.set()

    def _persist(self, attempt: Callable[[], R]) -> R:
        """The result of `attempt`, tried again while the server is away. Raises Failing after
        `retry_s`, and every refusal at once."""
        deadline = time.monotonic() + self._retry_s
        wait_s = FIRST_WAIT_S
        ending = False
        while True:
            try:
                result = attempt()
            except Unavailable as error:
                if self.healthy:
                    self._losses.warn("%s; trying again", error.message)
                self.healthy = False
                # Spread, so that many processes do not come back in the same instant.
                due_s = max(wait_s * random.uniform(0.5, 1.0), error.retry_after_s)
                if ending or time.monotonic() + due_s > deadline:
                    raise Failing("unreachable", error.message) from error
                ending = self.pause(due_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            else:
                self.healthy = True
                return result

    def _experiment_id(self, destination: Destination) -> str:
        known = self._experiment_ids.get(destination)
        if known is None:
            known = self._rest.experiment_id(destination) or "0"
            self._experiment_ids[destination] = known
        return known

    def _post(self, destination: Destination, experiment_id: str, body: bytes) -> None:
        headers = {
            "Content-Type": "application/x-protobuf",
            "x-mlflow-experiment-id": experiment_id,
        }
        if len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, compresslevel=3)
            headers["Content-Encoding"] = "gzip"
        try:
            answer = self._http.request(
                "POST",
                destination.tracking_uri + "/v1/traces",
                token=destination.token,
                body=body,
                headers=headers,
            )
        except Unreachable as error:
            raise Unavailable(f"{destination.tracking_uri}: {error}", 0) from error
        if answer.status == 413:
            raise PayloadTooLarge(f"a request of {len(body)} bytes is too large for the server")
        if not 200 <= answer.status < 300:
            raise error_of(answer)
        self._count_rejected(answer.body)

    def _count_rejected(self, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceResponse,
        )

        if not body:
            return
        try:
            partial = ExportTraceServiceResponse.FromString(body).partial_success
        except Exception:
            # Some gateways answer 200 with a body of their own; the status is what counts.
            return
        if partial.rejected_spans:
            self._losses.add("refused", partial.rejected_spans, partial.error_message)


class _Unencodable(Exception):
    """A batch with a span that protobuf cannot carry."""


def _encode(spans: Sequence[ReadableSpan]) -> bytes:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    try:
        return encode_spans(spans).SerializeToString()
    except Exception as error:
        raise _Unencodable(f"{type(error).__name__}: {error}") from error
