"""One database, its connections and its two kinds of transaction. No one above sees the driver."""

import json
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Text,
    cast,
    create_engine,
    event,
    func,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tracelake.model.deadline import Deadline, current_deadline
from tracelake.model.errors import InvalidInput, Unavailable
from tracelake.model.text import storable
from tracelake.store.log import WriteAheadLog
from tracelake.store.schema import counters
from tracelake.store.turn import FileTurn

TRACE_KEYS: Final = "trace_key"
SEQUENCE: Final = "sequence"
"""The counter of changes. Every change of a trace takes the next one, and nothing else does."""

CHANGES_CHANNEL = "tracelake_changes"
"""Where PostgreSQL tells of changes: `NOTIFY` of the number of the latest one, at its commit."""

_WRITE_OPTION = "tracelake_write"
_DEADLINE_OPTION = "tracelake_deadline"
_STEPS = 10_000
"""SQLite asks so often, in steps of its machine, whether to go on: about every half millisecond."""
_CACHED_STATEMENTS: Final = 512
"""Of each connection to SQLite: the inserts of ingest alone come in 120 sizes."""
_POSTGRES_WRITER_LOCK = 0x7472_6163_656C_616B
"""Key of the advisory lock of the one writer: the letters "tracelak"."""


class Database:
    """An engine with `read` and `write` transactions.

    `write` transactions run one at a time, across threads and processes: a lock in this process,
    then a file's lock and BEGIN IMMEDIATE on SQLite, or an advisory lock on PostgreSQL
    (decision 001).
    """

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.engine = _open_engine(url, pool_size)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writer = threading.Lock()
        self._turn: FileTurn | None = None
        self._log: WriteAheadLog | None = None
        if self.is_sqlite and self.engine.url.database:
            file = Path(self.engine.url.database)
            self._turn, self._log = FileTurn(file), WriteAheadLog(file)
        event.listen(self.engine, "before_cursor_execute", _check_deadline)

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A transaction that sees one moment of the database and changes nothing.

        It ends with the deadline of the call (`model.deadline`), where there is one.
        """
        deadline = current_deadline()
        if deadline is not None:
            deadline.check()
        with _translated(deadline), self.engine.connect() as pooled:
            # PostgreSQL's default sees another moment with each statement.
            connection = (
                pooled
                if self.is_sqlite
                else pooled.execution_options(isolation_level="REPEATABLE READ")
            )
            if deadline is not None:
                with self._ending(connection, deadline):
                    yield connection
            else:
                with connection.begin():
                    yield connection

    @contextmanager
    def write(self, *, is_durable: bool = True) -> Generator[Connection]:
        """A transaction that is alone in writing; durable when the block has ended, or, where it
        need not be, when `sync` has returned."""
        with _translated(), self._writer, self._taken(), self.engine.connect() as pooled:
            connection = pooled.execution_options(**{_WRITE_OPTION: True})
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_WRITER_LOCK}
                    )
                yield connection
        if is_durable:
            self.sync()

    def sync(self) -> None:
        """Wait until all that can be read is on disk, whoever wrote it. Raises Unavailable."""
        if self._log is not None:
            self._log.sync()

    @contextmanager
    def _ending(self, connection: Connection, deadline: Deadline) -> Generator[None]:
        """A transaction that is interrupted when its deadline is over."""
        connection.execution_options(**{_DEADLINE_OPTION: deadline})
        driver: Any = connection.connection.driver_connection
        if self.is_sqlite:
            driver.set_progress_handler(lambda: deadline.is_over, _STEPS)
            try:
                with connection.begin():
                    yield
            finally:
                driver.set_progress_handler(None, 0)
            return
        try:
            with deadline.interrupting(driver.cancel_safe), connection.begin():
                # A little later than our own clock, which so has the word on why it ended.
                timeout_ms = int(deadline.remaining_s * 1000) + 20
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout_ms}")
                yield
        except OperationalError:
            # A cancellation may still be on its way; it must not meet another's question.
            connection.invalidate()
            raise

    def checkpoint(self) -> None:
        """Copy SQLite's log into its file, as far as no reader needs the log; nobody waits."""
        connection = self.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()

    def close(self) -> None:
        self.engine.dispose()
        if self._turn is not None:
            self._turn.close()
        if self._log is not None:
            self._log.close()

    def _taken(self) -> AbstractContextManager[None]:
        return self._turn.taken() if self._turn is not None else nullcontext()


@contextmanager
def _translated(deadline: Deadline | None = None) -> Generator[None]:
    """A database that is away, busy or full is a reason to come back, not a fault of the caller."""
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        if deadline is not None and deadline.is_over:
            raise deadline.error() from error
        said = str(getattr(error, "orig", error)).split()
        raise Unavailable(f"the store does not answer: {' '.join(said)}") from error


def next_numbers(connection: Connection, counter: str, count: int) -> int:
    """Reserve `count` numbers in a write transaction; the first of them. Numbers start at 1."""
    told: list[ColumnElement[Any]] = [counters.c.value]
    if counter == SEQUENCE and connection.dialect.name == "postgresql":
        told.append(func.pg_notify(CHANGES_CHANNEL, cast(counters.c.value, Text)))
    last: int = connection.execute(
        update(counters)
        .where(counters.c.name == counter)
        .values(value=counters.c.value + count)
        .returning(*told)
    ).scalar_one()
    return last - count + 1


def next_traces(connection: Connection, changes: int, new: int) -> tuple[int, int]:
    """The first of so many change numbers and of so many new trace keys, in one statement."""
    is_sqlite = connection.dialect.name == "sqlite"
    found = connection.exec_driver_sql(_NEXT_TRACES[is_sqlite], (changes, new))
    last: dict[str, int] = {row[0]: row[1] for row in found}
    return last[SEQUENCE] - changes + 1, last[TRACE_KEYS] - new + 1


_ADVANCE: Final = (
    "UPDATE counters SET value = value + CASE name WHEN '{0}' THEN {2} ELSE {2} END "
    "WHERE name IN ('{0}', '{1}') RETURNING name, value"
)
_NEXT_TRACES: Final = {
    True: _ADVANCE.format(SEQUENCE, TRACE_KEYS, "?"),
    # Who listens wakes with the commit; the key's row tells nobody.
    False: _ADVANCE.format(SEQUENCE, TRACE_KEYS, "%s")
    + f", CASE name WHEN '{SEQUENCE}' THEN pg_notify('{CHANGES_CHANNEL}', value::text) END",
}


def last_seq(connection: Connection) -> int:
    """The number of the latest change, also where its trace has been deleted since."""
    query = select(counters.c.value).where(counters.c.name == SEQUENCE)
    return connection.execute(query).scalar_one()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _open_engine(url: str, pool_size: int) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(
            f"{url!r} is no store URL: use sqlite:////path/file.db or postgresql://user@host/db"
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise InvalidInput("the store needs a file: sqlite:////path/to/tracelake.db")
            folder = Path(parsed.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InvalidInput(
                    f"the store's folder {folder} cannot be made: {error.strerror}. "
                    "Name another file with --store-url."
                ) from error
            engine = create_engine(
                parsed.set(drivername="sqlite"),
                json_serializer=_json,
                pool_size=pool_size,
                max_overflow=pool_size,
                connect_args={
                    "timeout": 60,
                    "check_same_thread": False,
                    "cached_statements": _CACHED_STATEMENTS,
                },
            )
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        case "postgresql" | "postgres":
            return create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=True,
            )
        case other:
            raise InvalidInput(f"store URL begins with {other!r}: use sqlite:/// or postgresql://")


def _json(value: Any) -> str:
    """SQLite's JSON paths do not find a key that was written with \\u escapes."""
    return storable(json.dumps(value, ensure_ascii=False))


# The driver asks every value that is no number or text whether it adapts itself, and asks in vain
# at the price of two exceptions. For bytes and None, of which every row has many, that took a third
# of the time of an insert.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(type(None), {None: None}.get)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, and too late; `_begin_sqlite` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        # A file keeps what it was made with. To say it again is to write: it would wait for
        # whoever is writing, and a full disk could not be read.
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for pragma in (
        "journal_mode=WAL",
        # A commit writes to the log; `Database.sync` waits for the disk when the turn to write is
        # another's already.
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "wal_autocheckpoint=4000",
        "journal_size_limit=67108864",  # a log that a long read made grow is cut afterwards
        # Some builds write zeros over every page that is freed, which makes deletion write as much
        # as it deletes. What is freed is used again, or given back by deletion.py.
        "secure_delete=FAST",
        "cache_size=-16384",
        "case_sensitive_like=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: object) -> object:
    """SQLite's own lower() knows ASCII only; ILIKE must agree with PostgreSQL."""
    return value.lower() if isinstance(value, str) else value


def _check_deadline(connection: Connection, *_: Any) -> None:
    """Between two statements, which may each be too short to be interrupted."""
    deadline: Deadline | None = connection.get_execution_options().get(_DEADLINE_OPTION)
    if deadline is not None:
        deadline.check()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
