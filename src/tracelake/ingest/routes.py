"""`POST /v1/traces`: OTLP over HTTP. Plain ASGI, because every span of every user passes here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tracelake.ingest.admission import Admission, Reservation
from tracelake.ingest.body import PROTOBUF, content_type_of, parse
from tracelake.ingest.commit import GroupCommitter
from tracelake.ingest.encoding import decompress
from tracelake.ingest.normalise import parts_of
from tracelake.ingest.outcome import Outcome, Refused
from tracelake.ingest.prices import PriceTable
from tracelake.model.errors import InvalidInput, TracelakeError
from tracelake.model.permissions import Permission, requires
from tracelake.store.api import Experiments, TracePart

_log = logging.getLogger(__name__)

PATH: Final = "/v1/traces"
EXPERIMENT_HEADER: Final = "x-mlflow-experiment-id"
DEFAULT_EXPERIMENT: Final = "0"
_INLINE_BYTES: Final = 64 * 1024
"""Bodies up to this size are decoded on the event loop, which costs less than a thread's switch."""
_DRAIN_BYTES: Final = 512 * 1024 * 1024

Authorise = Callable[[Scope, Permission], Awaitable[None]]
AnswerError = Callable[[TracelakeError], Response]


@requires(Permission.WRITE_TRACES)
class OtlpTraces:
    """The endpoint. All collaborators are passed in; it keeps only which experiments exist."""

    def __init__(
        self,
        admission: Admission,
        committer: GroupCommitter,
        experiments: Experiments,
        prices: PriceTable,
        authorise: Authorise,
        answer_error: AnswerError,
    ) -> None:
        self._admission = admission
        self._committer = committer
        self._experiments = experiments
        self._prices = prices
        self._authorise = authorise
        self._answer_error = answer_error
        self._known_experiments: dict[str, int] = {}
        # Large bodies are decoded one at a time: their memory does not add up.
        self._large = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        try:
            media_type, outcome = await self._take(scope, body)
        except Exception as caught:
            error = _ours(caught)
            self._admission.requests.labels(outcome=error.code).inc()
            with suppress(InvalidInput):
                await body.drain()
            await self._answer_error(error)(scope, receive, send)
            return
        self._admission.requests.labels(outcome="stored").inc()
        self._admission.count(outcome)
        await _answer(outcome, media_type, send)

    async def _take(self, scope: Scope, incoming: "_Body") -> tuple[str, Outcome]:
        await self._authorise(scope, Permission.WRITE_TRACES)
        headers = Headers(scope=scope)
        media_type = content_type_of(headers.get("content-type", ""))
        with self._admission.admit(_declared_bytes(headers)) as reservation:
            experiment_id = await self._experiment(headers.get(EXPERIMENT_HEADER))
            body = await incoming.read(reservation)
            encoding = headers.get("content-encoding", "")
            if len(body) <= _INLINE_BYTES and not encoding:
                parts, refused = self._decode(body, "", media_type, experiment_id)
            else:
                async with self._large:
                    parts, refused = await asyncio.to_thread(
                        self._decode, body, encoding, media_type, experiment_id
                    )
            if parts:
                await self._committer.commit(parts, sum(len(part.chunk) for part in parts))
            return media_type, Outcome(sum(len(part.spans) for part in parts), refused)

    def _decode(
        self, body: bytes, encoding: str, media_type: str, experiment_id: int
    ) -> tuple[list[TracePart], Refused]:
        plain = decompress(body, encoding, self._admission.max_body_bytes)
        request = parse(plain, media_type)
        own_bytes = plain if media_type == PROTOBUF else None
        return parts_of(request, own_bytes, experiment_id, self._prices)

    async def _experiment(self, header: str | None) -> int:
        text = DEFAULT_EXPERIMENT if header is None else header.strip()
        known = self._known_experiments.get(text)
        if known is None:
            found = await asyncio.to_thread(self._experiments.get, text)
            known = self._known_experiments[text] = int(found.experiment_id)
        return known


def _ours(caught: Exception) -> TracelakeError:
    """The error to answer with. One that nobody foresaw goes to the log with all it has."""
    if isinstance(caught, TracelakeError):
        return caught
    _log.error("a span request failed", exc_info=caught)
    return TracelakeError("The server failed; its log has the reason.")


async def _answer(outcome: Outcome, media_type: str, send: Send) -> None:
    body = outcome.answer(media_type)
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _declared_bytes(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    if not text.isdecimal():
        raise InvalidInput(f"content-length {text!r} is not a number")
    return int(text)


class _Body:
    """A request's body, read within a reservation or dropped."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def read(self, reservation: Reservation) -> bytes:
        pieces: list[bytes] = []
        size_bytes = 0
        while not self._ended:
            piece = await self._next()
            size_bytes += len(piece)
            reservation.grow_to(size_bytes)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def drain(self) -> None:
        """Read the rest and drop it: most clients read an answer only after they sent it all."""
        dropped_bytes = 0
        while not self._ended and dropped_bytes < _DRAIN_BYTES:
            dropped_bytes += len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._ended = True
            raise InvalidInput("the client left before the body ended")
        self._ended = not message.get("more_body", False)
        return message.get("body", b"")
