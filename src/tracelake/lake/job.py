"""The server's background sync: a pass every so many seconds."""

import asyncio
import contextlib
import logging
from typing import Final

from tracelake.lake.process import LakePlace, run_sync
from tracelake.model.errors import TracelakeError

_FIRST_AFTER_S: Final = 60.0
"""A server that is restarted often must not postpone its sync forever."""

_log = logging.getLogger(__name__)


class LakeJob:
    """Runs passes one after the other, never two at once. `start` and `stop` in the event loop."""

    def __init__(self, place: LakePlace, every_s: float) -> None:
        self._place = place
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="lake-sync")

    async def stop(self) -> None:
        """Stop; a pass that is under way is ended, and the next one takes up where it was."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        await asyncio.sleep(min(self._every_s, _FIRST_AFTER_S))
        while True:
            await self._pass()
            await asyncio.sleep(self._every_s)

    async def _pass(self) -> None:
        try:
            report = await run_sync(self._place)
        except (TracelakeError, OSError) as error:
            _log.error("lake sync failed, and is tried again: %s", error)
        except Exception:
            # The job outlives whatever one pass runs into.
            _log.exception("lake sync failed, and is tried again")
        else:
            if report is None:
                _log.info("lake sync: another one is running")
            elif report.traces or report.spans:
                _log.info(
                    "synced %d traces and %d spans to the lake in %.1f s",
                    report.traces,
                    report.spans,
                    report.seconds,
                )
