"""An ingest process: takes offers from the server over a stream, answers when they are durable."""

import asyncio
import logging
import socket
from typing import Final

from tracelake.ingest.accept import Ingest, Offer
from tracelake.ingest.frames import (
    STREAM_BYTES,
    error_to_head,
    offer_of,
    outcome_to_head,
    read_frame,
    write_frame,
)
from tracelake.model.errors import TracelakeError

_log = logging.getLogger(__name__)
_HELD_BYTES: Final = 8 * 1024 * 1024
"""Enough for a full group commit; what is more waits in the server, and in one place only."""


async def serve_offers(ingest: Ingest, stream: socket.socket) -> None:
    """Say that it is ready, then accept until the server ends the stream, or ends itself.

    What was taken in by then is still made durable, and answered where someone listens.
    """
    reader, writer = await asyncio.open_unix_connection(sock=stream, limit=STREAM_BYTES)
    await ingest.start()
    under_way: dict[asyncio.Task[None], int] = {}
    held_bytes = 0

    def ended(task: asyncio.Task[None]) -> None:
        nonlocal held_bytes
        held_bytes -= under_way.pop(task)

    write_frame(writer, {"ready": True})
    while (frame := await read_frame(reader)) is not None:
        offer, number, size_bytes = offer_of(*frame), frame[0]["number"], len(frame[1])
        del frame
        task = asyncio.create_task(_answer(ingest, writer, number, offer))
        del offer
        under_way[task] = size_bytes
        held_bytes += size_bytes
        task.add_done_callback(ended)
        while held_bytes > _HELD_BYTES:
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    if under_way:
        await asyncio.wait(under_way)
    await ingest.stop()
    writer.close()


async def _answer(ingest: Ingest, writer: asyncio.StreamWriter, number: int, offer: Offer) -> None:
    try:
        answer = outcome_to_head(number, await ingest.accept(offer))
    except TracelakeError as error:
        answer = error_to_head(number, error)
    except Exception:
        _log.exception("a span request failed")
        failed = TracelakeError("The server failed; its log has the reason.")
        answer = error_to_head(number, failed)
    if not writer.is_closing():
        write_frame(writer, answer)
