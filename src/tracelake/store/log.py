"""SQLite's log, made durable beside the writer instead of by it (decision 005)."""

import os
import threading
from pathlib import Path

from tracelake.model.errors import Unavailable


class WriteAheadLog:
    """The file that commits go to, of one database."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._lock = threading.Lock()
        self._file = -1
        self._identity = (0, 0)

    def sync(self) -> None:
        """Wait until every commit that was made before, by any process, is on disk.

        Raises Unavailable where the disk fails.
        """
        try:
            file = self._opened()
            if file is not None:
                os.fdatasync(file)
        except OSError as error:
            told = f"the store cannot be written: {self._path}: {error.strerror}"
            raise Unavailable(told) from error

    def close(self) -> None:
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1

    def _opened(self) -> int | None:
        """The log that is there now; None where SQLite has emptied it into the database, which it
        makes durable first."""
        with self._lock:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                return None
            if self._file < 0 or self._identity != (found.st_dev, found.st_ino):
                if self._file >= 0:
                    os.close(self._file)
                self._file = os.open(self._path, os.O_RDONLY)
                found = os.fstat(self._file)
                self._identity = (found.st_dev, found.st_ino)
                # A new file is there after a crash only if its folder is on disk as well.
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            return self._file
