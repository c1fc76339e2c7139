"""A bounded queue and the one thread that empties it. `put` never blocks and never raises."""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from tracelake.sdk.guard import Guard, Losses

T = TypeVar("T")


class Outbox(Generic[T]):
    """Items in order to `deliver`, many at a time, in a daemon thread started by the first item.

    `deliver(items)` must end by itself in bounded time and count what it could not deliver;
    it may use `pause` to wait between attempts, which is cut short when the process ends.
    """

    def __init__(
        self,
        deliver: Callable[[list[T]], None],
        losses: Losses,
        guard: Guard,
        *,
        max_items: int,
        max_bytes: int,
        batch_items: int,
        batch_bytes: int,
        delay_s: float,
    ) -> None:
        self._deliver = deliver
        self._losses = losses
        self._guard = guard
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._batch_items = batch_items
        self._batch_bytes = batch_bytes
        self._delay_s = delay_s
        self._reset()
        if hasattr(os, "register_at_fork"):
            # The child has no delivery thread, and what was queued is the parent's to send.
            reset = weakref.WeakMethod(self._reset)
            os.register_at_fork(after_in_child=lambda: (again := reset()) and again())

    def _reset(self) -> None:
        # Reentrant: the collector may end a forgotten generator's span while this thread is in put.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._put = 0
        self._done = 0
        self._hurry = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, item: T, size_bytes: int = 0) -> bool:
        """Queue an item; False, and counted, where the queue is full or closed."""
        with self._changed:
            waiting = len(self._queue)
            full = waiting >= self._max_items or (
                waiting > 0 and self._bytes + size_bytes > self._max_bytes
            )
            if not full and not self._closing.is_set():
                self._queue.append((item, size_bytes))
                self._bytes += size_bytes
                self._put += 1
                if waiting == 0 or waiting + 1 == self._batch_items:
                    self._wake()
                return True
        self._losses.add("queue full" if full else "process ending")
        return False

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything put before now was delivered or given up. False on timeout."""
        if threading.current_thread() is self._thread:
            return False
        with self._changed:
            target = self._put
            if self._done < target:
                self._hurry = True
                self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= target, timeout_s)

    def hurry(self) -> None:
        """Deliver what is queued without waiting for company."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()

    def pause(self, seconds: float) -> bool:
        """Wait between two attempts. True when the process is ending and no wait is due."""
        return self._closing.wait(seconds)

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

    def close(self, timeout_s: float) -> None:
        """Deliver what is queued, within `timeout_s`; what is left then is counted as lost."""
        with self._changed:
            thread = self._thread
            self._closing.set()
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout_s)
        with self._changed:
            left = self._put - self._done
        if left:
            self._losses.add("process ending", left)

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="tracelake-delivery", daemon=True
            )
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                with self._guard:
                    self._deliver(batch)
            finally:
                with self._changed:
                    self._done += len(batch)
                    self._hurry = self._hurry and self._done < self._put
                    self._changed.notify_all()

    def _next_batch(self) -> list[T]:
        """The next items, after a short wait for company. Empty only when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing.is_set())
            deadline = time.monotonic() + self._delay_s
            self._changed.wait_for(self._due, max(0.0, deadline - time.monotonic()))
            batch: list[T] = []
            taken_bytes = 0
            while self._queue and len(batch) < self._batch_items:
                item, size_bytes = self._queue[0]
                if batch and taken_bytes + size_bytes > self._batch_bytes:
                    break
                self._queue.popleft()
                taken_bytes += size_bytes
                batch.append(item)
            self._bytes -= taken_bytes
            return batch

    def _due(self) -> bool:
        return (
            self._hurry
            or self._closing.is_set()
            or len(self._queue) >= self._batch_items
            or self._bytes >= self._batch_bytes
        )
