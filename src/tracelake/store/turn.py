"""Whose turn it is to write, among the processes of one machine that share an SQLite file.

SQLite's own wait polls with growing sleeps: the more processes, the longer the file lies idle. This
one sleeps in the kernel and is woken; a process that dies gives its turn back.
"""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tracelake.model.errors import Unavailable


class FileTurn:
    """The turn on one database. Within a process, one thread at a time asks for it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._file: IO[bytes] | None = None

    @contextmanager
    def taken(self) -> Generator[None]:
        """Be the one process that writes. Raises Unavailable where the file cannot be opened."""
        if self._file is None:
            try:
                self._file = self._path.open("ab")
            except OSError as error:
                told = f"the store does not answer: {self._path}: {error.strerror}"
                raise Unavailable(told) from error
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
