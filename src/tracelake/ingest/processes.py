"""Ingest in several processes: small offers go to the first, others to whichever has least to do;
one that dies is replaced."""

import asyncio
import logging
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Final

from tracelake.ingest.decode import Offer
from tracelake.ingest.frames import (
    STREAM_BYTES,
    Head,
    offer_to_head,
    outcome_of,
    pack_frame,
    read_frame,
)
from tracelake.ingest.metrics import IngestMetrics
from tracelake.ingest.outcome import Outcome
from tracelake.model.errors import TracelakeError, Unavailable

_log = logging.getLogger(__name__)
_START_S: Final = 60.0
_STOP_S: Final = 15.0
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 30.0
_HEALTHY_S: Final = 30.0
"""One that lived this long is started again at once."""

_SMALL_BYTES: Final = 256 * 1024
MUCH_BYTES: Final = 2 * 1024 * 1024
"""Where more waits, there is work for another process."""

StartProcess = Callable[[socket.socket], "subprocess.Popen[bytes]"]
"""Starts an ingest process that talks over this end of a stream."""


class IngestProcesses:
    """Up to `count` processes behind this one, each started by `add`: a process is memory, and
    most servers never have so much to do."""

    def __init__(self, count: int, start_process: StartProcess, metrics: IngestMetrics) -> None:
        self._seats = [_Seat(n, start_process, metrics) for n in range(count)]

    def add(self) -> None:
        """Start one more process, unless all are there or one is on its way. Does not wait."""
        for seat in self._seats:
            if not seat.is_ready:
                seat.occupy()
                return

    async def stop(self) -> None:
        """Let each finish what it has, then end."""
        await asyncio.gather(*(seat.stop() for seat in self._seats))

    @property
    def least_bytes(self) -> int | None:
        """What the least busy process has to answer; None while none is ready."""
        return min((seat.load[0] for seat in self._seats if seat.is_ready), default=None)

    @property
    def is_idle(self) -> bool:
        """Whether none has anything to answer."""
        return not any(seat.load[1] for seat in self._seats)

    async def accept(self, offer: Offer) -> Outcome:
        return await self._seat_for(offer.size_bytes).accept(offer)

    def _seat_for(self, size_bytes: int) -> "_Seat":
        ready = [seat for seat in self._seats if seat.is_ready]
        if not ready:
            raise Unavailable("no ingest process is running; send this again in a second")
        if size_bytes <= _SMALL_BYTES and ready[0].load[0] <= MUCH_BYTES:
            # One commit serves many of them; spread out, they would need more.
            return ready[0]
        return min(ready, key=lambda seat: seat.load)


class _Seat:
    """The place of one process: while one is there it takes offers, when it dies another comes."""

    def __init__(self, number: int, start_process: StartProcess, metrics: IngestMetrics) -> None:
        self._number = number
        self._start_process = start_process
        self._metrics = metrics
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Head]] = {}
        self._pending_bytes = 0
        self._last_number = 0
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def is_ready(self) -> bool:
        return self._writer is not None and not self._stopping

    @property
    def load(self) -> tuple[int, int]:
        """Bytes, then requests, that it has to answer."""
        return self._pending_bytes, len(self._waiting)

    def occupy(self) -> None:
        """Start a process, and from now on another whenever it has ended."""
        if self._keeper is None and not self._stopping:
            self._keeper = asyncio.create_task(self._keep(), name=f"ingest-{self._number}")

    async def stop(self) -> None:
        self._stopping = True
        if self._keeper is None:
            return
        if self._writer is not None:
            self._writer.write_eof()
        else:
            self._keeper.cancel()
        await asyncio.wait({self._keeper}, timeout=_STOP_S)
        self._keeper.cancel()
        await self._end()

    async def accept(self, offer: Offer) -> Outcome:
        writer = self._writer
        assert writer is not None, "asked for while it was ready"
        self._last_number += 1
        number = self._last_number
        answer: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._pending_bytes += offer.size_bytes
        try:
            head = pack_frame(offer_to_head(number, offer), len(offer.body))
            # At once: written one after the other, each would wake the process.
            writer.writelines((head, offer.body))
            return outcome_of(await answer)
        finally:
            self._waiting.pop(number, None)
            self._pending_bytes -= offer.size_bytes

    async def _open(self) -> asyncio.StreamReader:
        """Start a process and wait until it is ready. Raises TracelakeError when it does not."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._process = await asyncio.to_thread(self._start_process, theirs)
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=STREAM_BYTES)
        try:
            async with asyncio.timeout(_START_S):
                first = await read_frame(reader)
        except TimeoutError:
            first = None
        except BaseException:
            writer.close()
            raise
        if first is None:
            writer.close()
            await self._end()
            raise TracelakeError(
                f"ingest process {process.pid} did not start (exit code {process.returncode}); "
                "the log has what it said"
            )
        self._writer = writer
        self._metrics.processes.inc()
        return reader

    async def _keep(self) -> None:
        """Have a process, and pass its answers on; start another whenever it has ended."""
        pause_s = _FIRST_PAUSE_S
        while True:
            began_s = time.monotonic()
            try:
                reader = await self._open()
            except Exception:
                _log.exception("an ingest process cannot be started, and is tried again")
            else:
                await self._pass_answers(reader)
                self._leave()
                if self._stopping:
                    return
                await self._end()
                if time.monotonic() - began_s > _HEALTHY_S:
                    pause_s = _FIRST_PAUSE_S
            self._metrics.process_restarts.inc()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _pass_answers(self, reader: asyncio.StreamReader) -> None:
        while (frame := await read_frame(reader)) is not None:
            answer = self._waiting.get(frame[0]["number"])
            if answer is not None and not answer.done():
                answer.set_result(frame[0])

    def _leave(self) -> None:
        """The process is gone. What it had is to be sent again; what it stored stays once."""
        assert self._writer is not None
        self._writer.close()
        self._writer = None
        self._metrics.processes.dec()
        if not self._stopping:
            _log.error(
                "ingest process %s ended with %d requests under way",
                self._process and self._process.pid,
                len(self._waiting),
            )
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(
                    Unavailable("the ingest process that had this ended; send it again")
                )

    async def _end(self) -> None:
        """Make sure that the process is gone, and take its exit code."""
        if self._process is not None:
            if not self._stopping:
                self._process.kill()
            await asyncio.to_thread(_wait, self._process)


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
