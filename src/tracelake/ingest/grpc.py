"""OTLP over gRPC: the trace service, on raw messages, so that a body is decoded once.

grpc is imported when a server is built, because a server without this port needs none of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tracelake.ingest.body import PROTOBUF
from tracelake.ingest.decode import Offer
from tracelake.ingest.intake import Intake
from tracelake.model.errors import (
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    TracelakeError,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    import grpc
    from grpc.aio import Server, ServicerContext

SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
_PROTOCOL: Final = "grpc"
_UNREAD_BYTES: Final = 256 * 1024
"""Held for a message until it is read: gRPC tells its size only afterwards."""
_SILENCE_S: Final = 60.0
"""A client that is gone without a word must not hold its room for ever."""
_PROMPT_S: Final = 5.0
"""A message that takes longer holds no room until it is here."""
_FORK_SUPPORT: Final = "GRPC_ENABLE_FORK_SUPPORT"
_STATUS_DETAILS: Final = "grpc-status-details-bin"


class OtlpGrpc:
    """The server on its port. `start` and `stop` it in the event loop that accepts."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._intake = intake
        self._host = host
        self._port = port
        self._server: Server | None = None

    async def start(self) -> None:
        """Listen. Raises InvalidInput where the port cannot be had."""
        with _no_fork_handlers():
            from grpc import Compression, method_handlers_generic_handler
            from grpc import stream_unary_rpc_method_handler as handler
            from grpc.aio import server

        self._server = server(
            options=[
                ("grpc.max_receive_message_length", self._intake.max_body_bytes),
                # We do it, as for HTTP: gRPC would unpack every message that is on its way, and a
                # thousand times its size, before anyone could refuse it.
                ("grpc.per_message_decompression", 0),
                # Two servers that share a port would each see half of the spans.
                ("grpc.so_reuseport", 0),
            ],
            compression=Compression.NoCompression,
        )
        # On the wire a call with one message is a stream of one; as a stream it can be refused
        # before its message is read.
        export: Any = self._export
        methods: dict[str, Any] = {"Export": handler(export)}
        self._server.add_generic_rpc_handlers([method_handlers_generic_handler(SERVICE, methods)])
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            self._server.add_insecure_port(f"{host}:{self._port}")
        except RuntimeError as error:
            raise InvalidInput(f"cannot listen on {host} port {self._port} for gRPC") from error
        await self._server.start()

    async def stop(self, grace_s: float = 5.0) -> None:
        """Refuse new calls, let those under way end, then close the port."""
        if self._server is not None:
            await self._server.stop(grace_s)

    async def _export(
        self, messages: AsyncIterator[bytes], context: ServicerContext[bytes, bytes]
    ) -> bytes:
        # A client that gives up takes nothing back: what it sent holds its room until it is stored.
        taking = asyncio.create_task(self._take(messages, _headers(context)))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(_retrieve)
            raise
        except Exception as caught:
            await _abort(context, self._intake.failed(_PROTOCOL, caught))

    async def _take(self, messages: AsyncIterator[bytes], headers: dict[str, str]) -> bytes:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._intake.authorise({"type": "grpc", "path": SERVICE, "headers": raw})
        with self._intake.admit(min(_UNREAD_BYTES, self._intake.max_body_bytes)) as reservation:
            timer = asyncio.get_running_loop().call_later(_PROMPT_S, reservation.shrink_to, 0)
            try:
                async with asyncio.timeout(_SILENCE_S):
                    body = await anext(aiter(messages), b"")
            except TimeoutError as error:
                raise InvalidInput(f"no message came within {_SILENCE_S:g} s") from error
            finally:
                timer.cancel()
            reservation.grow_to(len(body))
            reservation.shrink_to(len(body))
            if not body:
                return b""  # no bytes are a request of no spans
            offer = Offer(body, PROTOBUF, _encoding_of(body), self._intake.destination_of(headers))
            del body
            outcome = await self._intake.accept(_PROTOCOL, reservation, offer)
            return outcome.answer(PROTOBUF)


@contextmanager
def _no_fork_handlers() -> Generator[None]:
    """Around the import of gRPC, which is when it reads this variable.

    Its handlers are for a child that goes on with gRPC. Ours become another program at once, and
    the handlers crash one in a hundred of them before that when calls are under way. Programs that
    we start, agents among them, do not inherit it.
    """
    before = os.environ.get(_FORK_SUPPORT)
    os.environ[_FORK_SUPPORT] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FORK_SUPPORT]
        else:
            os.environ[_FORK_SUPPORT] = before


def _encoding_of(message: bytes) -> str:
    """How a message is compressed, which gRPC keeps to itself. No request begins like these."""
    if message.startswith(b"\x1f\x8b"):
        return "gzip"
    return "deflate" if message.startswith(b"\x78") else ""


def _retrieve(taken: asyncio.Task[bytes]) -> None:
    """Nobody waits for how it ended, which asyncio would warn of."""
    if not taken.cancelled():
        taken.exception()


def _headers(context: ServicerContext[bytes, bytes]) -> dict[str, str]:
    return {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }


async def _abort(context: ServicerContext[bytes, bytes], error: TracelakeError) -> NoReturn:
    """End the call with the code of the OTLP specification; a retryable one says when to retry."""
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    code = _code(error)
    trailing: tuple[tuple[str, bytes], ...] = ()
    if isinstance(error, Unavailable):
        number: int = code.value[0]
        status = Status(code=number, message=error.message)
        retry = RetryInfo()
        retry.retry_delay.FromSeconds(error.retry_after_s)
        status.details.add().Pack(retry)
        trailing = ((_STATUS_DETAILS, status.SerializeToString()),)
    await context.abort(code, error.message, trailing)
    raise AssertionError("abort raises")


def _code(error: TracelakeError) -> grpc.StatusCode:
    from grpc import StatusCode

    match error:
        case PayloadTooLarge():
            return StatusCode.RESOURCE_EXHAUSTED
        case InvalidInput():
            return StatusCode.INVALID_ARGUMENT
        case NotFound():
            return StatusCode.NOT_FOUND
        case Unauthenticated():
            return StatusCode.UNAUTHENTICATED
        case PermissionDenied():
            return StatusCode.PERMISSION_DENIED
        case Unavailable():
            return StatusCode.UNAVAILABLE
        case _:
            return StatusCode.INTERNAL
