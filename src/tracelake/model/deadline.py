"""How long a question may take, and whether anyone still waits for the answer.

The edge sets a deadline for the call; the store and every long loop ask it. It travels beside the
arguments, in a context variable, because it belongs to the caller and not to any one question.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from tracelake.model.errors import QueryCancelled, QueryTimeout, TracelakeError

_CURRENT: Final[ContextVar["Deadline | None"]] = ContextVar("tracelake_deadline", default=None)


class Deadline:
    """Made when the question comes in; may be cancelled from any thread."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._is_cancelled = False
        self._stops: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        return self._is_cancelled or time.monotonic() >= self._ends

    @property
    def remaining_s(self) -> float:
        return max(self._ends - time.monotonic(), 0.0)

    def error(self) -> TracelakeError:
        """Why the work ended."""
        if self._is_cancelled:
            return QueryCancelled("the client went away")
        return QueryTimeout(
            f"the question was not answered within {self._seconds:g} s. Narrow the time range or "
            "the filter, or raise query_timeout_seconds."
        )

    def check(self) -> None:
        """Raises QueryTimeout or QueryCancelled once it is over."""
        if self.is_over:
            raise self.error()

    def cancel(self) -> None:
        """Nobody waits any more: interrupt what is running. May block for a moment."""
        self._is_cancelled = True
        with self._lock:
            for stop in self._stops:
                stop()

    @contextmanager
    def interrupting(self, stop: Callable[[], None]) -> Generator[None]:
        """While the block runs, `cancel` calls `stop`; never after the block has ended."""
        with self._lock:
            self._stops.append(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)

    @contextmanager
    def applied(self) -> Generator[None]:
        """Make it the deadline of everything that is called in the block."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


def current_deadline() -> Deadline | None:
    """The deadline of this call; None where nobody set one."""
    return _CURRENT.get()


def check_deadline() -> None:
    """For long loops: raises QueryTimeout or QueryCancelled once this call's deadline is over."""
    deadline = _CURRENT.get()
    if deadline is not None:
        deadline.check()
