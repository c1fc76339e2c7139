"""Group commit: one thread decodes and writes what has gathered since its last commit, another
waits for the disk and tells all whose spans it has.

The wait is shared by every request that was written meanwhile; nothing waits on a timer. One thread
decodes and writes, because Python runs one at a time: beside a thread that decoded, a commit took
4 ms, of which 2 were a dozen waits for Python (decision 009).
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar

from tracelake.ingest.outcome import Outcome, Refused
from tracelake.model.errors import TracelakeError, Unavailable
from tracelake.store.api import SpanWriter, TracePart

_log = logging.getLogger(__name__)
_GROUP_BYTES: Final = 4 * 1024 * 1024
"""Of bodies as they came. Their spans are in memory together."""
_GROUP_REQUESTS: Final = 512

Decode = Callable[[], tuple[list[TracePart], Refused]]
Asker = TypeVar("Asker")


@dataclass(slots=True)
class Request(Generic[Asker]):
    """What is to be decoded and made durable, and then whether it was."""

    asker: Asker
    """Whom to tell, and how, is nothing to the committer."""
    decode: Decode | None
    size_bytes: int
    """Of the body that is decoded."""
    parts: list[TracePart] = field(default_factory=list[TracePart])
    """Until they are written."""
    stored: int = 0
    """Spans."""
    refused: Refused = field(default_factory=Refused)
    began_s: float = 0.0
    """When its transaction began, by the monotonic clock."""
    commit_s: float = 0.0
    error: Exception | None = None
    """Then nothing of it is known to be stored."""

    def outcome(self) -> Outcome:
        """Once it is durable. Raises its error."""
        if self.error is not None:
            raise self.error
        return Outcome(self.stored, self.refused, self.commit_s)


class GroupCommitter(Generic[Asker]):
    """Owns both threads. `stop` it when all requests have been put."""

    def __init__(
        self, writer: SpanWriter, served: Callable[[Sequence[Request[Asker]]], None]
    ) -> None:
        """`served` gets requests that were dealt with, in a thread of its own."""
        self._writer = writer
        self._served = served
        self._waiting: queue.SimpleQueue[Request[Asker] | None] = queue.SimpleQueue()
        self._written: queue.SimpleQueue[list[Request[Asker]] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("group-commit", self._write_all), ("sync", self._sync_all))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Deal with what is waiting and end the threads. Blocks until they have ended."""
        self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def put(self, request: Request[Asker]) -> None:
        """Have a request dealt with. Does not wait."""
        self._waiting.put(request)

    def _write_all(self) -> None:
        ended = False
        while not ended and (first := self._waiting.get()) is not None:
            group, ended = self._gather(first)
            del first
            for request in group:
                _decode(request)
            began_s = time.monotonic()
            self._write([request for request in group if request.parts])
            for request in group:
                # What was made of its body is not needed any more while the disk is waited for.
                request.stored = sum(len(part.spans) for part in request.parts)
                request.parts = []
                request.began_s = began_s
            self._written.put(group)
            del group
        self._written.put(None)

    def _sync_all(self) -> None:
        ended = False
        while not ended and (group := self._written.get()) is not None:
            while not self._written.empty():
                more = self._written.get()
                if more is None:
                    ended = True
                    break
                group += more
            self._serve(group)
            del group

    def _serve(self, written: Sequence[Request[Asker]]) -> None:
        stored = [request for request in written if request.stored and request.error is None]
        error = _tried(self._writer.sync) if stored else None
        for request in stored:
            request.error = error
        now_s = time.monotonic()
        for request in written:
            request.commit_s = now_s - request.began_s
        try:
            self._served(written)
        except Exception:
            _log.exception("%d requests were dealt with, and not answered", len(written))

    def _gather(self, first: Request[Asker]) -> tuple[list[Request[Asker]], bool]:
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

    def _write(self, group: Sequence[Request[Asker]]) -> None:
        if not group:
            return
        parts = [part for request in group for part in request.parts]
        error = _tried(partial(self._writer.write, parts))
        for request in group:
            request.error = error
        if error is None or isinstance(error, Unavailable) or len(group) == 1:
            return
        # One request must not spoil the others': give each a transaction of its own.
        for request in group:
            request.error = _tried(partial(self._writer.write, request.parts))


def _tried(work: Callable[[], None]) -> Exception | None:
    """Its error, if it fails."""
    try:
        work()
    except TracelakeError as error:
        return error
    except Exception:
        _log.exception("the store refused spans")
        # Not to be sent again: what the store cannot take now, it cannot take later.
        return TracelakeError("the server failed to store the spans; its log has the reason")
    return None


def _decode(request: Request[Asker]) -> None:
    assert request.decode is not None
    try:
        request.parts, request.refused = request.decode()
    except Exception as error:
        request.error = error
    request.decode = None  # and with it the body
