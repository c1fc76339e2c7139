"""An ingest process: takes offers from the server over a stream, answers when they are durable.

A thread that reads and one that decodes and commits, and no event loop: its steps for each request
took a fifth of the process.
"""

import logging
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import Final

from tracelake.ingest.commit import GroupCommitter, Request
from tracelake.ingest.decode import Decoder
from tracelake.ingest.frames import (
    error_to_head,
    offer_of,
    outcome_to_head,
    pack_frame,
    receive_frame,
)
from tracelake.model.errors import TracelakeError
from tracelake.store.api import SpanWriter

_log = logging.getLogger(__name__)
_READ_BYTES: Final = 64 * 1024
_HELD_BYTES: Final = 4 * 1024 * 1024
"""Where more waits, no more is read: it waits in the server, and in one place only."""


class OfferServer:
    """Serves one stream until the server ends it, or ends itself.

    What was taken in by then is still made durable, and answered where someone listens.
    """

    def __init__(self, stream: socket.socket, spans: SpanWriter, decoder: Decoder) -> None:
        self._stream = stream
        self._decoder = decoder
        self._committer = GroupCommitter[int](spans, self._answer)
        self._held_bytes = 0
        self._changed = threading.Condition()

    def run(self) -> None:
        self._committer.start()
        self._send(pack_frame({"ready": True}))
        with open(self._stream.fileno(), "rb", _READ_BYTES, closefd=False) as frames:
            while (frame := receive_frame(frames)) is not None:
                offer, number = offer_of(*frame), frame[0]["number"]
                decode, size_bytes = partial(self._decoder.decode_quickly, offer), offer.size_bytes
                del frame, offer
                self._hold(size_bytes)
                self._committer.put(Request(number, decode, size_bytes))
                del decode
        self._committer.stop()

    def _hold(self, size_bytes: int) -> None:
        """Wait until there is room for more, and take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._held_bytes <= _HELD_BYTES)
            self._held_bytes += size_bytes

    def _answer(self, group: Sequence[Request[int]]) -> None:
        self._send(b"".join(_answer_to(request) for request in group))
        with self._changed:
            self._held_bytes -= sum(request.size_bytes for request in group)
            self._changed.notify()

    def _send(self, content: bytes) -> None:
        try:
            self._stream.sendall(content)
        except OSError as error:
            _log.warning("the server is gone, and is not told what was stored: %s", error)


def _answer_to(request: Request[int]) -> bytes:
    try:
        head = outcome_to_head(request.asker, request.outcome())
    except TracelakeError as error:
        head = error_to_head(request.asker, error)
    except Exception:
        _log.exception("a span request failed")
        failed = TracelakeError("The server failed; its log has the reason.")
        head = error_to_head(request.asker, failed)
    return pack_frame(head)
