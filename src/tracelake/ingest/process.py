"""An ingest process: takes offers from the server over a stream, answers when they are durable."""

import asyncio
import logging
import socket

from tracelake.ingest.accept import Ingest
from tracelake.ingest.frames import (
    STREAM_BYTES,
    Head,
    error_to_head,
    offer_of,
    outcome_to_head,
    read_frame,
    write_frame,
)
from tracelake.model.errors import TracelakeError

_log = logging.getLogger(__name__)


async def serve_offers(ingest: Ingest, stream: socket.socket) -> None:
    """Say that it is ready, then accept until the server ends the stream, or ends itself.

    What was taken in by then is still made durable, and answered where someone listens.
    """
    reader, writer = await asyncio.open_unix_connection(sock=stream, limit=STREAM_BYTES)
    await ingest.start()
    under_way: set[asyncio.Task[None]] = set()
    write_frame(writer, {"ready": True})
    while (frame := await read_frame(reader)) is not None:
        task = asyncio.create_task(_answer(ingest, writer, *frame))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way)
    await ingest.stop()
    writer.close()


async def _answer(ingest: Ingest, writer: asyncio.StreamWriter, head: Head, body: bytes) -> None:
    number: int = head["number"]
    try:
        answer = outcome_to_head(number, await ingest.accept(offer_of(head, body)))
    except TracelakeError as error:
        answer = error_to_head(number, error)
    except Exception:
        _log.exception("a span request failed")
        failed = TracelakeError("The server failed; its log has the reason.")
        answer = error_to_head(number, failed)
    if not writer.is_closing():
        write_frame(writer, answer)
