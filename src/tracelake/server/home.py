"""The one folder of a server: made private, and held by one server at a time."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tracelake.model.errors import Conflict, InvalidInput

_LOCK = "server.lock"


def prepare_home(home: Path) -> None:
    """Make the folder, for its owner only. Raises InvalidInput where that cannot be."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(home, error) from error


def _refused(home: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"home {home}: {error.strerror}. Name another folder with --home or TRACELAKE_HOME."
    )


@contextmanager
def hold_home(home: Path) -> Generator[None]:
    """Keep the folder for this process; the system lets go of it however the process ends.

    Raises Conflict, naming the process, while another server has it.
    """
    prepare_home(home)
    try:
        opened = (home / _LOCK).open("a+", encoding="ascii")
    except OSError as error:
        raise _refused(home, error) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Conflict(
                f"another server (process {lock.read().strip() or 'unknown'}) uses {home}. "
                "Stop it, or name another folder with --home."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
