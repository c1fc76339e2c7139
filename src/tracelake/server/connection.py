"""A connection of the HTTP server that is read a little at a time.

The event loop would take up to 256 KB from every socket that has so much, also from those whose
bodies are refused: with many impatient clients, what nobody wants would fill the memory.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_READ_BYTES: Final = 32 * 1024

# One for all connections: whoever is read to takes all of it over before the next one is.
_buffer: Final = memoryview(bytearray(_READ_BYTES))


class Connection(asyncio.BufferedProtocol):
    """uvicorn's protocol, fed from a buffer of ours. It takes what uvicorn gives a protocol."""

    def __init__(self, **given: Any) -> None:
        self._http = HttpToolsProtocol(**given)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of a class of their own.
        self._http.connection_made(cast("asyncio.Transport", transport))

    def connection_lost(self, exc: Exception | None) -> None:
        self._http.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        # Typed as bytes; all that is done with it is to parse it, which copies what it keeps.
        data: Any = _buffer[:nbytes]
        self._http.data_received(data)
        cycle = cast("RequestResponseCycle | None", self._http.cycle)
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            # What still comes after the answer is dropped: a piece at a time, when it is asked for.
            self._http.flow.pause_reading()

    def eof_received(self) -> None:
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()
