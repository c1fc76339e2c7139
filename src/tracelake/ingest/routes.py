"""`POST /v1/traces`: OTLP over HTTP. Plain ASGI, because every span of every user passes here."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tracelake.ingest.accept import DEFAULT_EXPERIMENT, EXPERIMENT_HEADER, Offer
from tracelake.ingest.admission import Reservation
from tracelake.ingest.body import content_type_of
from tracelake.ingest.intake import NEEDS, Intake
from tracelake.ingest.outcome import Outcome
from tracelake.model.errors import InvalidInput, PayloadTooLarge, TracelakeError
from tracelake.model.permissions import requires

PATH: Final = "/v1/traces"
_PROTOCOL: Final = "http"
_DRAIN_BYTES: Final = 512 * 1024 * 1024

AnswerError = Callable[[TracelakeError], Response]


@requires(NEEDS)
class OtlpTraces:
    """The endpoint. All collaborators are passed in; it keeps nothing."""

    def __init__(self, intake: Intake, answer_error: AnswerError) -> None:
        self._intake = intake
        self._answer_error = answer_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        try:
            media_type, outcome = await self._take(scope, body)
        except Exception as caught:
            error = self._intake.failed(_PROTOCOL, caught)
            if isinstance(error, PayloadTooLarge):
                # The connection is closed after this answer; most clients read it only after
                # they sent it all. Other answers go out at once, and the server drops the rest.
                with suppress(InvalidInput):
                    await body.drain()
            await self._answer_error(error)(scope, receive, send)
            return
        await _answer(outcome, media_type, send)

    async def _take(self, scope: Scope, incoming: "_Body") -> tuple[str, Outcome]:
        await self._intake.authorise(scope)
        headers = Headers(scope=scope)
        media_type = content_type_of(headers.get("content-type", ""))
        with self._intake.admit(_declared_bytes(headers)) as reservation:
            offer = Offer(
                await incoming.read(reservation),
                media_type,
                headers.get("content-encoding", ""),
                headers.get(EXPERIMENT_HEADER, DEFAULT_EXPERIMENT).strip(),
            )
            return media_type, await self._intake.accept(_PROTOCOL, offer)


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
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise InvalidInput(f"content-length {text!r} is not a number of bytes")
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
        """Read the rest and drop it."""
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
