"""Group commit: one thread writes what has gathered since its last commit, then wakes all it wrote.

The wait for the disk is shared by every request that arrived meanwhile; nothing waits on a timer.
"""

import asyncio
import logging
import queue
import threading
from dataclasses import dataclass
from typing import Final

from tracelake.model.errors import TracelakeError, Unavailable
from tracelake.store.api import SpanWriter, TracePart

_log = logging.getLogger(__name__)
_GROUP_BYTES: Final = 4 * 1024 * 1024
_GROUP_REQUESTS: Final = 512


@dataclass(slots=True)
class _Request:
    parts: list[TracePart]
    size_bytes: int
    done: asyncio.Future[None]


class GroupCommitter:
    """Owns the writing thread. `start` it in a running loop, `stop` it when requests have ended."""

    def __init__(self, writer: SpanWriter) -> None:
        self._writer = writer
        self._waiting: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting and end the thread. Blocks until it has ended."""
        self._waiting.put(None)
        self._thread.join()

    async def commit(self, parts: list[TracePart], size_bytes: int) -> None:
        """Returns when the parts are durable. Raises what the store said, and nothing is stored."""
        assert self._loop is not None, "start() comes first"
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put(_Request(parts, size_bytes, done))
        await done

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, ended = self._gather(first)
            outcomes = self._write(group)
            assert self._loop is not None
            self._loop.call_soon_threadsafe(_settle, group, outcomes)
            if ended:
                return

    def _gather(self, first: _Request) -> tuple[list[_Request], bool]:
        group = [first]
        size_bytes = first.size_bytes
        while size_bytes < _GROUP_BYTES and len(group) < _GROUP_REQUESTS:
            try:
                request = self._waiting.get_nowait()
            except queue.Empty:
                break
            if request is None:
                return group, True
            group.append(request)
            size_bytes += request.size_bytes
        return group, False

    def _write(self, group: list[_Request]) -> list[Exception | None]:
        error = self._try([part for request in group for part in request.parts])
        if error is None or isinstance(error, Unavailable) or len(group) == 1:
            return [error] * len(group)
        # One request must not spoil the others': give each a transaction of its own.
        return [self._try(request.parts) for request in group]

    def _try(self, parts: list[TracePart]) -> Exception | None:
        try:
            self._writer.write(parts)
        except TracelakeError as error:
            return error
        except Exception:
            _log.exception("the store refused %d traces", len(parts))
            # Not to be sent again: what the store cannot take now, it cannot take later.
            return TracelakeError("the server failed to store the spans; its log has the reason")
        return None


def _settle(group: list[_Request], outcomes: list[Exception | None]) -> None:
    for request, error in zip(group, outcomes, strict=True):
        if request.done.done():
            continue  # the client left; its spans are stored all the same
        if error is None:
            request.done.set_result(None)
        else:
            request.done.set_exception(error)
