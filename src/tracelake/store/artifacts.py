"""Files of runs, models and traces: the tables, what each method promises, and the SQL behind it.

They are kept where everything else is, so that several servers see the same ones, and a backup has
them. A file is pieces of a megabyte, each written in a turn of its own; it appears, or takes the
place of one with the same path, whole, when its last piece is there.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
)

from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.text import is_storable
from tracelake.store.database import Database, next_numbers, now_ms
from tracelake.store.rows import AnyRow
from tracelake.store.schema import Key, metadata, traces

artifact_files = Table(
    "artifact_files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("file_id", Key, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("modified_ms", BigInteger, nullable=False),
)

artifact_pieces = Table(
    "artifact_pieces",
    metadata,
    Column("file_id", Key, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("written_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("file_id", "number", name="pk_artifact_pieces"),
)

artifact_uploads = Table(
    "artifact_uploads",
    metadata,
    Column("file_id", Key, primary_key=True),
    Column("path", Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
)

artifact_parts = Table(
    "artifact_parts",
    metadata,
    Column(
        "file_id",
        Key,
        ForeignKey(
            "artifact_uploads.file_id", name="fk_artifact_parts_file_id", ondelete="CASCADE"
        ),
        nullable=False,
    ),
    Column("number", Integer, nullable=False),
    Column("attempt", Text, nullable=False),
    Column("size_bytes", BigInteger),
    PrimaryKeyConstraint("file_id", "number", name="pk_artifact_parts"),
)

COUNTER: Final = "artifact_file"
PIECE_BYTES: Final = 1024 * 1024
_PATH_CHARS: Final = 2000
_ABANDONED_MS: Final = 24 * 3600 * 1000
_LOOK_UP: Final = 500
_OF_TRACE: Final = re.compile(r"\d+/traces/tr-([0-9a-f]{32})/")


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    path: str
    size_bytes: int
    modified_ms: int


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """What is in a folder."""

    name: str
    is_folder: bool
    size_bytes: int
    modified_ms: int


class Upload(Protocol):
    """A file on its way. One caller at a time."""

    def add(self, content: bytes) -> None:
        """The next bytes. They are kept a piece at a time."""
        ...

    def finish(self) -> ArtifactFile:
        """Put it in its place. Durable when this returns."""
        ...

    def abandon(self) -> None:
        """Let go of what has come."""
        ...


class Artifacts(Protocol):
    """Paths are names joined by slashes. All methods raise InvalidInput for any other."""

    def upload(self, path: str) -> Upload: ...

    def get(self, path: str) -> ArtifactFile:
        """Raises NotFound."""
        ...

    def read(self, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, or all, in pieces. Raises NotFound, also when
        the file is replaced meanwhile."""
        ...

    def entries(self, folder: str) -> list[ArtifactEntry]:
        """What is in a folder, by name; nothing where there is no such folder."""
        ...

    def delete(self, path: str) -> None:
        """A file, or a folder with all that is in it. What is not there is no error."""
        ...

    def sweep(self) -> int:
        """Remove what was never finished, a day later, and files of traces that are gone; how
        many pieces."""
        ...


def checked_path(path: str) -> str:
    """The path without slashes around it. Raises InvalidInput for one that leaves its folder."""
    clean = path.strip("/")
    names = clean.split("/")
    if (
        not is_storable(clean)
        or len(clean) > _PATH_CHARS
        or "\\" in clean
        or (clean and any(name in ("", ".", "..") for name in names))
    ):
        raise InvalidInput(f"Invalid path: {path[:200]!r}")
    return clean


class SqlArtifacts:
    """Implements `Artifacts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upload(self, path: str) -> "SqlUpload":
        return SqlUpload(self._database, named_path(path))

    def get(self, path: str) -> ArtifactFile:
        with self._database.read() as connection:
            return _file(_row(connection, named_path(path)))

    def read(self, path: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        pieces = artifact_pieces.c
        with self._database.read() as connection:
            row = _row(connection, named_path(path))
            lengths = connection.execute(
                select(pieces.number, func.length(pieces.content).label("length"))
                .where(pieces.file_id == row.file_id)
                .order_by(pieces.number)
            ).all()
        return self._pieces(row, lengths, start, row.size_bytes if end is None else end)

    def _pieces(
        self, row: AnyRow, lengths: Sequence[AnyRow], start: int, end: int
    ) -> Iterator[bytes]:
        at = 0
        for piece in lengths:
            first, at = at, at + piece.length
            if at <= start or first >= end:
                continue
            query = select(artifact_pieces.c.content).where(
                artifact_pieces.c.file_id == row.file_id, artifact_pieces.c.number == piece.number
            )
            # A transaction each: who reads slowly must not hold one open.
            with self._database.read() as connection:
                content: bytes | None = connection.scalar(query)
            if content is None:
                raise NotFound(f"{row.path!r} was replaced while it was read; read it again")
            yield bytes(content[max(start - first, 0) : end - first])

    def entries(self, folder: str) -> list[ArtifactEntry]:
        inside = checked_path(folder)
        query = select(artifact_files).order_by(artifact_files.c.path)
        if inside:
            query = query.where(_below(inside))
        start = len(inside) + 1 if inside else 0
        found: dict[str, ArtifactEntry] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                name, slash, _rest = row.path[start:].partition("/")
                if slash:
                    found.setdefault(name, ArtifactEntry(name, True, 0, row.modified_ms))
                else:
                    found[name] = ArtifactEntry(name, False, row.size_bytes, row.modified_ms)
        return [found[name] for name in sorted(found)]

    def delete(self, path: str) -> None:
        clean = named_path(path)
        while True:
            query = select(artifact_files.c.path, artifact_files.c.file_id).where(
                or_(artifact_files.c.path == clean, _below(clean))
            )
            with self._database.write() as connection:
                row = connection.execute(query.limit(1)).one_or_none()
                if row is None:
                    return
                connection.execute(delete(artifact_files).where(artifact_files.c.path == row.path))
                forget_pieces(connection, [row.file_id])

    def sweep(self) -> int:
        with self._database.read() as connection:
            left, orphans = _left(connection), _of_gone_traces(connection)
        if not left and not orphans:
            return 0
        with self._database.write() as connection:
            # Looked for again: somebody may have gone on with one meanwhile.
            left = _left(connection)
            connection.execute(delete(artifact_uploads).where(artifact_uploads.c.file_id.in_(left)))
            connection.execute(delete(artifact_files).where(artifact_files.c.file_id.in_(orphans)))
            return forget_pieces(connection, [*left, *orphans])


class PieceWriter(ABC):
    """Bytes into the pieces of a file, from one number on."""

    def __init__(self, database: Database, first: int = 0) -> None:
        self._database = database
        self._waiting = bytearray()
        self._next = first
        self._size_bytes = 0

    @abstractmethod
    def _file(self, connection: Connection) -> int:
        """The number of the file. Raises NotFound when it takes no more."""

    def add(self, content: bytes) -> None:
        self._waiting += content
        while len(self._waiting) >= PIECE_BYTES:
            piece = bytes(self._waiting[:PIECE_BYTES])
            del self._waiting[:PIECE_BYTES]
            with self._database.write(is_durable=False) as connection:
                self._write(connection, piece)

    def _write_rest(self, connection: Connection) -> int:
        """The number of the file that has all now."""
        file_id = self._write(connection, bytes(self._waiting))
        self._waiting.clear()
        return file_id

    def _write(self, connection: Connection, piece: bytes) -> int:
        file_id = self._file(connection)
        if piece:
            connection.execute(
                insert(artifact_pieces).values(
                    file_id=file_id, number=self._next, content=piece, written_ms=now_ms()
                )
            )
        self._next += 1
        self._size_bytes += len(piece)
        return file_id


class SqlUpload(PieceWriter):
    """Implements `Upload`."""

    def __init__(self, database: Database, path: str) -> None:
        super().__init__(database)
        self._path = path
        self._file_id: int | None = None

    def _file(self, connection: Connection) -> int:
        if self._file_id is None:
            self._file_id = next_numbers(connection, COUNTER, 1)
        return self._file_id

    def finish(self) -> ArtifactFile:
        with self._database.write() as connection:
            file_id = self._write_rest(connection)
            return put_in_place(connection, self._path, file_id, self._size_bytes)

    def abandon(self) -> None:
        if self._file_id is not None:
            with self._database.write() as connection:
                forget_pieces(connection, [self._file_id])


def put_in_place(connection: Connection, path: str, file_id: int, size_bytes: int) -> ArtifactFile:
    """Let a file of these pieces be at the path, instead of one that was there."""
    here = artifact_files.c.path == path
    before = connection.scalar(select(artifact_files.c.file_id).where(here))
    if before is not None:
        connection.execute(delete(artifact_files).where(here))
        forget_pieces(connection, [before])
    file = ArtifactFile(path, size_bytes, now_ms())
    connection.execute(
        insert(artifact_files).values(
            path=path, file_id=file_id, size_bytes=size_bytes, modified_ms=file.modified_ms
        )
    )
    return file


def _left(connection: Connection) -> list[int]:
    """Files that were begun, and whose bytes, if any, came more than a day ago."""
    before_ms = now_ms() - _ABANDONED_MS
    pieces, uploads = artifact_pieces.c, artifact_uploads.c
    abandoned = (
        select(pieces.file_id)
        .where(pieces.file_id.not_in(select(artifact_files.c.file_id)))
        .group_by(pieces.file_id)
        .having(func.max(pieces.written_ms) < before_ms)
    )
    empty = select(uploads.file_id).where(
        uploads.started_ms < before_ms, uploads.file_id.not_in(select(pieces.file_id))
    )
    return [*connection.scalars(abandoned), *connection.scalars(empty)]


def _of_gone_traces(connection: Connection) -> list[int]:
    """Files of traces that were deleted; not of those whose spans may still be on their way."""
    query = (
        select(artifact_files)
        .where(
            artifact_files.c.path.like("%/traces/tr-%"),
            artifact_files.c.modified_ms < now_ms() - _ABANDONED_MS,
        )
        .order_by(artifact_files.c.path)
        .limit(_LOOK_UP)
    )
    gone: list[int] = []
    rows = connection.execute(query).all()
    while rows:
        files: dict[bytes, list[int]] = {}
        for row in rows:
            match = _OF_TRACE.match(row.path)
            if match is not None:
                files.setdefault(bytes.fromhex(match[1]), []).append(row.file_id)
        there = select(traces.c.trace_id).where(traces.c.trace_id.in_(list(files)))
        for trace_id in connection.scalars(there):
            del files[bytes(trace_id)]
        gone += [file_id for of_trace in files.values() for file_id in of_trace]
        rows = connection.execute(query.where(artifact_files.c.path > rows[-1].path)).all()
    return gone


def named_path(path: str) -> str:
    """The path of a file. Raises InvalidInput."""
    clean = checked_path(path)
    if not clean:
        raise InvalidInput("Invalid path: a file has a name")
    return clean


def _below(folder: str) -> ColumnElement[bool]:
    # "0" comes after the slash.
    return (artifact_files.c.path > folder + "/") & (artifact_files.c.path < folder + "0")


def _row(connection: Connection, path: str) -> AnyRow:
    query = select(artifact_files).where(artifact_files.c.path == path)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no file {path!r}")
    return row


def _file(row: AnyRow) -> ArtifactFile:
    return ArtifactFile(row.path, row.size_bytes, row.modified_ms)


def forget_pieces(connection: Connection, file_ids: Iterable[int]) -> int:
    return connection.execute(
        delete(artifact_pieces).where(artifact_pieces.c.file_id.in_(list(file_ids)))
    ).rowcount
