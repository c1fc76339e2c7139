"""Whose turn it is to write, among the processes of one machine that share an SQLite file.

SQLite's own wait polls with growing sleeps: the more processes, the longer the file lies idle. This
one sleeps in the kernel and is woken; a process that dies gives its turn back.
"""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tracelake.model.errors import Unavailable


@contextmanager
def file_turn(database: Path) -> Generator[None]:
    """Be the one process that writes. Raises Unavailable where the lock file cannot be opened."""
    path = database.with_name(database.name + ".lock")
    try:
        lock = path.open("ab")
    except OSError as error:
        raise Unavailable(f"the store does not answer: {path}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
