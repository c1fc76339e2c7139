"""A copy of the embedded store while it is written to, and a store made from such a copy.

The copy is one moment of the database: a read transaction is held while pages are copied in steps,
and writers go on beside it. Without that transaction, each write of theirs would begin the copy
anew; VACUUM INTO would do as well, and rebuild every index on the way.
"""

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracelake.model.errors import AlreadyExists, Conflict, InvalidInput, NotFound, Unavailable
from tracelake.store.database import Database
from tracelake.store.migrate import upgrade

_STEP_PAGES: Final = 1024
_REST_S: Final = 0.002
"""After each step, so that the disk is not the copy's alone."""


@dataclass(frozen=True, slots=True)
class Backup:
    file: Path
    size_bytes: int
    traces: int


def sqlite_file(store_url: str) -> Path:
    """The file of an embedded store. Raises InvalidInput for PostgreSQL, which has own tools."""
    prefix = "sqlite:///"
    if not store_url.startswith(prefix):
        raise InvalidInput(
            "this is for the embedded store. PostgreSQL is backed up with pg_dump, also while the "
            "servers run, and restored with pg_restore."
        )
    return Path(store_url.removeprefix(prefix))


def back_up(store: Path, target: Path) -> Backup:
    """Copy the store to a new file, which is there whole or not at all.

    Everything that was acknowledged before the call is in it. Raises NotFound, AlreadyExists,
    Unavailable (the disk is full, say).
    """
    if not store.is_file():
        raise NotFound(f"there is no store at {store}")
    if target.exists():
        raise AlreadyExists(f"{target} is there already; name another file")
    if not target.absolute().parent.is_dir():
        raise NotFound(f"there is no folder {target.absolute().parent}; make it first")
    partial = target.with_name(target.name + ".partial")
    try:
        traces = _copy(store.absolute().as_uri(), partial)
        _sync(partial)
        partial.replace(target)
        _sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise Unavailable(f"the backup failed: {error}") from error
    return Backup(target, target.stat().st_size, traces)


def check_backup(file: Path) -> Backup:
    """Look the whole file over. Raises NotFound, InvalidInput where it is no whole backup."""
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    try:
        with closing(sqlite3.connect(_unchanging(file), uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise InvalidInput(f"{file} is damaged: {found}")
            if not _is_a_store(connection):
                raise InvalidInput(f"{file} is not a backup of a store: it lacks its tables")
            traces = _count(connection)
    except sqlite3.Error as error:
        raise InvalidInput(f"{file} is not a backup of a store: {error}") from error
    return Backup(file, file.stat().st_size, traces)


def restore(file: Path, store: Path, *, overwrite: bool = False) -> Backup:
    """Put a checked copy of a backup in the store's place.

    Raises what `check_backup` does, AlreadyExists where there is a store and `overwrite` is False,
    Conflict while a server uses it, SchemaTooNew for a backup of a later release. The store is as
    it was where anything is raised.
    """
    if store.exists() and not overwrite:
        raise AlreadyExists(f"{store} is there already. Its traces would be lost; say --force.")
    backup = check_backup(file)
    store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = store.with_name(store.name + ".partial")
    try:
        _copy(_unchanging(file), partial)
        _upgrade(partial)
        _sync(partial)
        with _alone(store):
            # The log of the old file would be taken for one of the new.
            for suffix in ("-wal", "-shm"):
                store.with_name(store.name + suffix).unlink(missing_ok=True)
            partial.replace(store)
        _sync(store.parent)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"the restore failed: {error}") from error
    finally:
        for suffix in ("", "-wal", "-shm", ".lock"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    return backup


@contextmanager
def _alone(store: Path) -> Generator[None]:
    """Hold a store, where there is one, while nobody else has it open. Raises Conflict."""
    if not store.is_file():
        yield
        return
    with closing(sqlite3.connect(store, timeout=0, isolation_level=None)) as connection:
        try:
            # SQLite gives up a log only where it is the only one that has the file open.
            mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            mode = str(error)
        except sqlite3.DatabaseError:
            mode = "delete"  # damaged beyond opening: what a restore is for
        if mode != "delete":
            raise Conflict(f"a server uses {store} ({mode}); stop it first")
        yield


def _is_a_store(connection: sqlite3.Connection) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE name IN ('alembic_version', 'chunks')"
    return connection.execute(query).fetchone()[0] == 2


def _unchanging(file: Path) -> str:
    """The address of a file that nobody writes to, and whose folder need not be writable."""
    return f"{file.absolute().as_uri()}?immutable=1"


def _copy(source: str, target: Path) -> int:
    """Copy one moment of a database; how many traces it has."""
    target.unlink(missing_ok=True)

    def rest(_status: int, remaining: int, _total: int) -> None:
        if remaining:
            time.sleep(_REST_S)

    with (
        closing(sqlite3.connect(source, uri=True, timeout=60, isolation_level=None)) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        # As private as the store: it holds the same.
        target.chmod(0o600)
        reading.execute("BEGIN")
        traces = _count(reading)
        reading.backup(writing, pages=_STEP_PAGES, progress=rest)
        reading.execute("ROLLBACK")
    return traces


def _count(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT count(*) FROM traces").fetchone()[0]


def _upgrade(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    try:
        upgrade(database)
    finally:
        database.close()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
