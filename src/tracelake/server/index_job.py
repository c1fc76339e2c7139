"""The index kept up to date in a process of its own: reading text takes a core, and may."""

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracelake.model.errors import TracelakeError
from tracelake.store.index.facts import FACTS
from tracelake.store.index.indexer import Indexer
from tracelake.store.index.text import TEXT

_STOP_S: Final = 10.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0

_log = logging.getLogger(__name__)


class IndexJob:
    """Runs `tracelake index --follow`, again when it dies. `start` and `stop` in the event loop.

    Of several servers on one database, the one whose process holds the lease does the work.
    """

    def __init__(self, store_url: str, log_level: str) -> None:
        self._environment = {
            **os.environ,
            # Not on the command line: a store URL can hold a password, and `ps` shows arguments.
            "TRACELAKE_STORE_URL": store_url,
            "TRACELAKE_LOG_LEVEL": log_level,
        }
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="index")

    async def stop(self) -> None:
        """End the process; what it has not finished is done again by the next one."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tracelake",
                "index",
                "--follow",
                env=self._environment,
                # It ends when this pipe does, and so with this process, however that ends.
                stdin=PIPE,
                stdout=DEVNULL,
                # Ctrl-C in the server's terminal is the server's to handle.
                start_new_session=True,
            )
            try:
                code = await process.wait()
            finally:
                await _end(process)
            _log.error("the index process ended with code %d; another follows", code)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


class IndexLag(Collector):
    """How far the index is behind, read from the store when it is asked for."""

    def __init__(self, indexer: Indexer) -> None:
        self._indexer = indexer

    def describe(self) -> Iterable[Metric]:
        return [_lag_metric()]

    def collect(self) -> Iterable[Metric]:
        metric = _lag_metric()
        # Prometheus must see the rest while the store is away.
        with contextlib.suppress(TracelakeError):
            for name in (FACTS, TEXT):
                metric.add_metric([name], self._indexer.lag(name))
        return [metric]


def _lag_metric() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "tracelake_index_lag_traces",
        "Changes of traces that the index does not know yet",
        labels=["index"],
    )


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
