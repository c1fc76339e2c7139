"""Keeping the index up to date while the store is written to, until told to stop."""

import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

from tracelake.model.errors import Conflict, TracelakeError, Unavailable
from tracelake.store.api import Leases
from tracelake.store.index.facts import FACTS
from tracelake.store.index.indexer import Indexer
from tracelake.store.index.text import TEXT

LEASE: Final = "index"
_LEASE_S: Final = 15.0
_RENEW_S: Final = 5.0
_WAIT_S: Final = 0.2
_ENOUGH_TRACES: Final = 1000
"""So many new traces are indexed at once; fewer wait a second for company."""
_LONGEST_WAIT_S: Final = 1.0
_AFTER_ERROR_S: Final = 2.0
_BUSY_CHANGES_PER_S: Final = 600
_REST: Final = 16.0
"""While spans come faster than that, text takes one part of the time and leaves so many."""
_MOST_SEGMENTS: Final = 96
"""Until there are more segments, to join them waits for a calmer moment as well."""
_CLEAN_EVERY_S: Final = 60.0

_log = logging.getLogger(__name__)


def follow(indexer: Indexer, leases: Leases, holder: str, stop: threading.Event) -> None:
    """Index what comes while this holder has the lease; wait for it while another has."""
    while not stop.is_set():
        try:
            if not leases.acquire(LEASE, holder, _LEASE_S):
                stop.wait(_AFTER_ERROR_S)
                continue
            indexer.sweep()
            _work(indexer, leases, holder, stop)
        except TracelakeError as error:
            _log.warning("indexing is tried again: %s", error)
            stop.wait(_AFTER_ERROR_S)
    with suppress(Unavailable):  # then it runs out by itself
        leases.release(LEASE, holder)


@contextmanager
def keeping_lease(leases: Leases, holder: str) -> Generator[None]:
    """Hold the index lease meanwhile. Raises Conflict while another process has it."""
    if not leases.acquire(LEASE, holder, _LEASE_S):
        raise Conflict(
            "another process keeps this index up to date. Stop the server that uses this store, "
            f"and wait {_LEASE_S:g} seconds"
        )
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_RENEW_S):
            with suppress(Unavailable):
                leases.acquire(LEASE, holder, _LEASE_S)

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        leases.release(LEASE, holder)


def catch_up(indexer: Indexer) -> None:
    """Index all there is, join segments as far as that is due, and clean out what is gone."""
    for name in (FACTS, TEXT):
        step = indexer.index_facts if name == FACTS else indexer.index_text
        while step() or indexer.merge(name) or indexer.clean(name):
            pass


def _work(indexer: Indexer, leases: Leases, holder: str, stop: threading.Event) -> None:
    """Both indexes in a thread each: new text takes long to read, and facts must not wait for it.

    Returns when the lease is lost, a thread has failed, or it is time to stop.
    """
    ended = threading.Event()
    failures: list[BaseException] = []

    def guarded(work: Callable[[Indexer, threading.Event], None]) -> None:
        try:
            work(indexer, ended)
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    threads = [
        threading.Thread(target=guarded, args=(work,), name=work.__name__)
        for work in (_follow_facts, _follow_text)
    ]
    for thread in threads:
        thread.start()
    try:
        while not stop.is_set() and not ended.wait(_RENEW_S):
            if not leases.acquire(LEASE, holder, _LEASE_S):
                break
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def _follow_facts(indexer: Indexer, ended: threading.Event) -> None:
    last = cleaned = 0.0
    pace = _Pace(indexer)
    while not ended.wait(_WAIT_S):
        lag = indexer.lag(FACTS)
        if lag >= _ENOUGH_TRACES or (lag and time.monotonic() - last >= _LONGEST_WAIT_S):
            while indexer.index_facts() and not ended.is_set():
                if indexer.lag(FACTS) < _ENOUGH_TRACES:
                    break  # the few that came meanwhile wait for company
            last = time.monotonic()
        least = _MOST_SEGMENTS if pace.is_busy() else 0
        while not ended.is_set() and indexer.merge(FACTS, at_least=least):
            pass
        if time.monotonic() - cleaned >= _CLEAN_EVERY_S:
            cleaned = time.monotonic()
            while not ended.is_set() and indexer.clean(FACTS):
                pass


def _follow_text(indexer: Indexer, ended: threading.Event) -> None:
    last = cleaned = 0.0
    rest = Rest(indexer.last_seq, ended)
    while not ended.wait(_WAIT_S):
        began_s = rest.begin()
        lag = indexer.lag(TEXT)
        is_due = lag >= _ENOUGH_TRACES or (lag > 0 and began_s - last >= _LONGEST_WAIT_S)
        # A backlog of hours must not end in a thousand segments, each of which a search asks.
        if not indexer.merge(TEXT, at_least=_MOST_SEGMENTS if is_due else 0):
            if is_due:
                indexer.index_text(rest.take)
                last = time.monotonic()
            else:
                if began_s - cleaned >= _CLEAN_EVERY_S and not indexer.clean(TEXT):
                    cleaned = time.monotonic()
                continue
        rest.take()


class _Pace:
    """How fast changes come, over the last seconds."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer
        self._seen = (time.monotonic(), indexer.last_seq())
        self._is_busy = False

    def is_busy(self) -> bool:
        began_s, seq = self._seen
        now_s = time.monotonic()
        if now_s - began_s >= 1.0:
            latest = self._indexer.last_seq()
            self._is_busy = latest - seq >= _BUSY_CHANGES_PER_S * (now_s - began_s)
            self._seen = now_s, latest
        return self._is_busy


class Rest:
    """Leaves the machine to ingest while spans pour in: text is the one work that can wait."""

    def __init__(self, last_seq: Callable[[], int], ended: threading.Event) -> None:
        self._last_seq = last_seq
        self._ended = ended
        self._began_s, self._seq = 0.0, 0

    def begin(self) -> float:
        """The work that will be rested from begins; when, by the monotonic clock."""
        self._began_s, self._seq = time.monotonic(), self._last_seq()
        return self._began_s

    def take(self) -> None:
        """Rest from what was done since `begin` or the last rest, while changes come fast."""
        now_s = time.monotonic()
        until_s = now_s + _REST * (now_s - self._began_s)
        while self._is_busy(now_s) and now_s < until_s and not self._ended.is_set():
            self.begin()
            self._ended.wait(min(until_s - now_s, 1.0))
            now_s = time.monotonic()
        self.begin()

    def _is_busy(self, now_s: float) -> bool:
        came = self._last_seq() - self._seq
        return came >= _BUSY_CHANGES_PER_S * (now_s - self._began_s)
