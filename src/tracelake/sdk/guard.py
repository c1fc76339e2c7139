"""Never break the host program: one guard around our code in user calls, one count of losses."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Literal

logger = logging.getLogger("tracelake.sdk")

QUIET_S = 60.0
"""At most one line about failures, and one about losses, in this many seconds."""


class Guard:
    """`with guard:` logs and swallows an Exception of ours. It holds no state of one use, so one
    object serves every thread. `strict` re-raises, for the tests of the SDK."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.strict = False
        self.failures = 0
        self._clock = clock
        self._quiet_until = float("-inf")

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        self.failed(error)
        return True

    def failed(self, error: Exception) -> None:
        """Count and log an error of ours; raises it again when strict."""
        if self.strict:
            raise error
        self.failures += 1
        now = self._clock()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_S
            logger.warning("Tracelake could not record part of a trace", exc_info=error)


class Losses:
    """Counts what was not delivered, by reason, and logs the sum at most once a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()
        self._quiet_until = float("-inf")
        self._warned_until = float("-inf")
        self._detail = ""

    def add(self, reason: str, count: int = 1, detail: str = "") -> None:
        with self._lock:
            self._counts[reason] += count
            self._unsaid[reason] += count
            self._detail = detail or self._detail
        self.report()

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    @property
    def total(self) -> int:
        with self._lock:
            return self._counts.total()

    def warn(self, message: str, detail: str) -> None:
        """Say that something is going wrong before anything is lost, under the same limit."""
        with self._lock:
            now = self._clock()
            if now < self._warned_until:
                return
            self._warned_until = now + QUIET_S
        logger.warning(message, detail)

    def report(self, even_if_recent: bool = False) -> None:
        """Log what was not told yet, unless the last line is younger than a minute."""
        with self._lock:
            now = self._clock()
            if not self._unsaid or (now < self._quiet_until and not even_if_recent):
                return
            self._quiet_until = now + QUIET_S
            total = self._unsaid.total()
            reasons = ", ".join(f"{count} {reason}" for reason, count in self._unsaid.items())
            detail = f"; last error: {self._detail}" if self._detail else ""
            self._unsaid.clear()
        logger.warning("Tracelake did not deliver %d records (%s)%s", total, reasons, detail)


class Failing(Exception):
    """A delivery that will not succeed. `reason` is the word it is counted under."""

    def __init__(self, reason: Literal["unreachable", "refused", "unencodable"], detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
