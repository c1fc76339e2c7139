"""`POST /v1/traces`: OTLP over HTTP. Plain ASGI, because every span of every user passes here."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tracelake.ingest.admission import Reservation
from tracelake.ingest.body import content_type_of
from tracelake.ingest.decode import Offer
from tracelake.ingest.intake import NEEDS, Intake
from tracelake.ingest.outcome import Outcome
from tracelake.model.errors import InvalidInput, TracelakeError
from tracelake.model.permissions import requires

PATH: Final = "/v1/traces"
_PROTOCOL: Final = "http"
_SILENCE_S: Final = 30.0
"""A client that is gone without a word must not hold its room for ever."""
_PROMPT_S: Final = 5.0
"""A body that takes longer holds room only for what has come of it."""
_DROP_BYTES: Final = 512 * 1024 * 1024
_DROP_BYTES_PER_S: Final = 128 * 1024 * 1024
"""Of all refused bodies together: reading what nobody wants must not take the time of the rest."""

AnswerError = Callable[[TracelakeError], Response]


@requires(NEEDS)
class OtlpTraces:
    """The endpoint. All collaborators are passed in; it keeps nothing."""

    def __init__(self, intake: Intake, answer_error: AnswerError) -> None:
        self._intake = intake
        self._answer_error = answer_error
        self._pace = _Pace(_DROP_BYTES_PER_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        try:
            media_type, outcome = await self._take(scope, body)
        except Exception as caught:
            error = self._intake.failed(_PROTOCOL, caught)
            await self._refuse(error, body, scope, send)
            return
        # uvloop's word for a client that has just left. Its spans are stored.
        with suppress(RuntimeError):
            await _answer(outcome, media_type, send)

    async def _refuse(self, error: TracelakeError, body: "_Body", scope: Scope, send: Send) -> None:
        """Answer at once, then read what is left of the body: most clients send it all first."""
        waits_for_us = Headers(scope=scope).get("expect", "").lower() == "100-continue"

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["more_body"] = True
            await send(message)

        await self._answer_error(error)(scope, body.receive, send_open)
        if not waits_for_us:
            with suppress(InvalidInput):
                await body.drop(self._pace)
        await send({"type": "http.response.body", "body": b""})

    async def _take(self, scope: Scope, incoming: "_Body") -> tuple[str, Outcome]:
        await self._intake.authorise(scope)
        headers = Headers(scope=scope)
        media_type = content_type_of(headers.get("content-type", ""))
        destination = self._intake.destination_of(headers)
        with self._intake.admit(_declared_bytes(headers)) as reservation:
            offer = Offer(
                await incoming.read(reservation),
                media_type,
                headers.get("content-encoding", ""),
                destination,
            )
            return media_type, await self._intake.accept(_PROTOCOL, reservation, offer)


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


class _Pace:
    """Spreads what is read in vain over time, for all connections together."""

    def __init__(self, bytes_per_s: int) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_s = 0.0

    async def keep(self, size_bytes: int) -> None:
        now_s = time.monotonic()
        self._free_s = max(self._free_s, now_s) + size_bytes / self._bytes_per_s
        await asyncio.sleep(self._free_s - now_s)


class _Body:
    """A request's body, read within a reservation or dropped."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self._ended = False

    async def read(self, reservation: Reservation) -> bytes:
        """Raises Unavailable where a slow body finds no room for its next piece."""
        pieces: list[bytes] = []
        size_bytes = 0

        def hold_less() -> None:
            reservation.shrink_to(size_bytes)

        timer = asyncio.get_running_loop().call_later(_PROMPT_S, hold_less)
        try:
            while not self._ended:
                piece = await self._next()
                size_bytes += len(piece)
                reservation.grow_to(size_bytes)
                pieces.append(piece)
        finally:
            timer.cancel()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def drop(self, pace: _Pace) -> None:
        """Read the rest and forget it. Raises InvalidInput when the client leaves."""
        dropped_bytes = 0
        while not self._ended and dropped_bytes < _DROP_BYTES:
            size_bytes = len(await self._next())
            dropped_bytes += size_bytes
            if not self._ended:
                await pace.keep(size_bytes)

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(_SILENCE_S):
                message = await self.receive()
        except TimeoutError as error:
            self._ended = True
            raise InvalidInput(f"nothing of the body came for {_SILENCE_S:g} s") from error
        if message["type"] == "http.disconnect":
            self._ended = True
            raise InvalidInput("the client left before the body ended")
        self._ended = not message.get("more_body", False)
        return message.get("body", b"")
