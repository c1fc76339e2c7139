"""Group commit: one thread decodes and writes what has gathered since its last commit, and then
tells all it served.

The wait for the disk is shared by every request that arrived meanwhile; nothing waits on a timer.
One thread does both, because Python runs one at a time: beside a thread that decoded, a commit took
4 ms, of which 2 were a dozen waits for Python (decision 009).
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
    refused: Refused = field(default_factory=Refused)
    commit_s: float = 0.0
    error: Exception | None = None
    """Then nothing of it is known to be stored."""

    def outcome(self) -> Outcome:
        """Once it is durable. Raises its error."""
        if self.error is not None:
            raise self.error
        stored = sum(len(part.spans) for part in self.parts)
        return Outcome(stored, self.refused, self.commit_s)


class GroupCommitter(Generic[Asker]):
    """Owns the writing thread. `stop` it when all requests have been put."""

    def __init__(
        self, writer: SpanWriter, served: Callable[[Sequence[Request[Asker]]], None]
    ) -> None:
        """`served` gets each group that was dealt with, in the writing thread."""
        self._writer = writer
        self._served = served
        self._waiting: queue.SimpleQueue[Request[Asker] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting and end the thread. Blocks until it has ended."""
        self._waiting.put(None)
        self._thread.join()

    def put(self, request: Request[Asker]) -> None:
        """Have a request dealt with. Does not wait."""
        self._waiting.put(request)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, ended = self._gather(first)
            self._serve(group)
            del first, group
            if ended:
                return

    def _serve(self, group: Sequence[Request[Asker]]) -> None:
        for request in group:
            _decode(request)
        began_s = time.monotonic()
        self._write([request for request in group if request.parts])
        commit_s = time.monotonic() - began_s
        for request in group:
            request.commit_s = commit_s
        try:
            self._served(group)
        except Exception:
            _log.exception("%d requests were dealt with, and not answered", len(group))

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
        error = self._try([part for request in group for part in request.parts])
        for request in group:
            request.error = error
        if error is None or isinstance(error, Unavailable) or len(group) == 1:
            return
        # One request must not spoil the others': give each a transaction of its own.
        for request in group:
            request.error = self._try(request.parts)

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


def _decode(request: Request[Asker]) -> None:
    assert request.decode is not None
    try:
        request.parts, request.refused = request.decode()
    except Exception as error:
        request.error = error
    request.decode = None  # and with it the body
