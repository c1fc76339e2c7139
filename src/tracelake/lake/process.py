"""A sync in a process of its own, so that its memory and CPU stay out of the server's."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tracelake.model.errors import TracelakeError

_STOP_S: Final = 10.0
"""How long a sync that was told to stop may take to do so."""


@dataclass(frozen=True, slots=True)
class LakePlace:
    """From where to where: the store, and the folder of the Delta tables."""

    store_url: str
    lake_uri: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    traces: int
    spans: int
    seq: int
    seconds: float


class SyncFailed(TracelakeError):
    """The sync process ended with an error; the message has its last words."""


async def run_sync(place: LakePlace) -> SyncReport | None:
    """Run one pass and wait for it. None while another sync is running. Raises SyncFailed.

    A caller that is cancelled takes the process with it: TERM, then KILL.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tracelake",
        "sync",
        "--json",
        # Not on the command line: a store URL can hold a password, and `ps` shows arguments.
        env={
            **os.environ,
            "TRACELAKE_STORE_URL": place.store_url,
            "TRACELAKE_LAKE_URI": place.lake_uri,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        # Ctrl-C in the server's terminal is the server's to handle.
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate()
    finally:
        await _end(process)
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip().splitlines()
        raise SyncFailed(said[-1] if said else f"sync ended with code {process.returncode}")
    answer: dict[str, Any] = orjson.loads(output)
    return None if "busy" in answer else SyncReport(**answer)


async def _end(process: Process) -> None:
    """End a process that its reader has left. Its pipes are read to their ends, which closes them:
    the loop may be gone before they would close by themselves."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
