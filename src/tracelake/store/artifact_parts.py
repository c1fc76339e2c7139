"""Files in parts that come side by side, in any order: S3's multipart upload, as clients know it.

The pieces of a part are numbered from a place of its own, so that a file is put together without
moving a byte.
"""

from collections.abc import Sequence
from typing import Final, Protocol
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from tracelake.model.errors import Conflict, InvalidInput, NotFound
from tracelake.store.artifacts import (
    COUNTER,
    ArtifactFile,
    PieceWriter,
    artifact_parts,
    artifact_pieces,
    artifact_uploads,
    forget_pieces,
    named_path,
    put_in_place,
)
from tracelake.store.database import Database, next_numbers, now_ms

MOST_PARTS: Final = 10_000
"""Of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
_PART_BITS: Final = 16
"""Of the number of a piece, for its place in its part: 64 GB a part."""


class PartUpload(Protocol):
    """One attempt at a part. One caller at a time.

    The attempt that began last counts: a client that was not answered sends a part again, while
    the first request may still be on its way.
    """

    def add(self, content: bytes) -> None:
        """The next bytes. Raises NotFound when the upload has ended, Conflict when another attempt
        has begun."""
        ...

    def finish(self) -> None:
        """Durable when this returns. Raises NotFound, Conflict."""
        ...

    def abandon(self) -> None:
        """Let go of what has come by this attempt."""
        ...


class ArtifactParts(Protocol):
    def begin(self, path: str) -> str:
        """The id of a new upload of the file. Raises InvalidInput."""
        ...

    def part(self, upload_id: str, number: int) -> PartUpload:
        """A part, numbered from 1; sent again, it counts once. Raises InvalidInput."""
        ...

    def complete(self, upload_id: str, path: str, numbers: Sequence[int]) -> ArtifactFile:
        """Make the file of these parts, in the order of their numbers. Durable when this returns.

        Raises NotFound for an upload that is not open, InvalidInput for a part that has not come.
        """
        ...

    def abort(self, upload_id: str, path: str) -> None:
        """Let go of all parts. An upload that is not open is no error."""
        ...


class SqlArtifactParts:
    """Implements `ArtifactParts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, path: str) -> str:
        clean = named_path(path)
        with self._database.write() as connection:
            file_id = next_numbers(connection, COUNTER, 1)
            connection.execute(
                insert(artifact_uploads).values(file_id=file_id, path=clean, started_ms=now_ms())
            )
        return str(file_id)

    def part(self, upload_id: str, number: int) -> "SqlPartUpload":
        if not 1 <= number <= MOST_PARTS:
            raise InvalidInput(f"part_number: {number}; 1 to {MOST_PARTS} are possible")
        return SqlPartUpload(self._database, _number(upload_id), number)

    def complete(self, upload_id: str, path: str, numbers: Sequence[int]) -> ArtifactFile:
        file_id, clean, wanted = _number(upload_id), named_path(path), set(numbers)
        part, pieces = artifact_parts.c, artifact_pieces.c
        query = select(part.number, part.size_bytes).where(
            part.file_id == file_id, part.size_bytes.is_not(None)
        )
        with self._database.write() as connection:
            if _path(connection, file_id) != clean:
                raise NotFound(f"There is no open upload {upload_id!r} of {clean!r}")
            sizes = {row.number: row.size_bytes for row in connection.execute(query)}
            missing = sorted(wanted - set(sizes))
            if missing or not wanted:
                raise InvalidInput(f"parts: {missing or 'none'} of them; send what is missing")
            others = (pieces.number // (1 << _PART_BITS)).not_in(wanted)
            connection.execute(delete(artifact_pieces).where(pieces.file_id == file_id, others))
            _end(connection, file_id)
            size_bytes = sum(sizes[number] for number in wanted)
            return put_in_place(connection, clean, file_id, size_bytes)

    def abort(self, upload_id: str, path: str) -> None:
        file_id = _number(upload_id)
        with self._database.write() as connection:
            if _path(connection, file_id) == named_path(path):
                _end(connection, file_id)
                forget_pieces(connection, [file_id])


class SqlPartUpload(PieceWriter):
    """Implements `PartUpload`."""

    def __init__(self, database: Database, file_id: int, number: int) -> None:
        first = number << _PART_BITS
        super().__init__(database, first)
        self._file_id = file_id
        self._number = number
        self._attempt = uuid4().hex
        self._has_begun = False
        part, pieces = artifact_parts.c, artifact_pieces.c
        self._part = (part.file_id == file_id) & (part.number == number)
        self._pieces = (pieces.file_id == file_id) & pieces.number.between(
            first, first + (1 << _PART_BITS) - 1
        )

    def _file(self, connection: Connection) -> int:
        if _path(connection, self._file_id) is None:
            raise NotFound("the upload of this part has ended")
        if not self._has_begun:
            self._begin(connection)
        elif not self._counts(connection):
            raise Conflict(f"part {self._number} is being sent again")
        return self._file_id

    def _begin(self, connection: Connection) -> None:
        self._forget(connection)
        connection.execute(
            insert(artifact_parts).values(
                file_id=self._file_id, number=self._number, attempt=self._attempt
            )
        )
        self._has_begun = True

    def _counts(self, connection: Connection) -> bool:
        attempt = connection.scalar(select(artifact_parts.c.attempt).where(self._part))
        return attempt == self._attempt

    def _forget(self, connection: Connection) -> None:
        connection.execute(delete(artifact_pieces).where(self._pieces))
        connection.execute(delete(artifact_parts).where(self._part))

    def finish(self) -> None:
        with self._database.write() as connection:
            self._write_rest(connection)
            connection.execute(
                update(artifact_parts).where(self._part).values(size_bytes=self._size_bytes)
            )

    def abandon(self) -> None:
        with self._database.write() as connection:
            # The parts of a file that is whole are not let go of any more: then none counts.
            if self._counts(connection):
                self._forget(connection)


def _number(upload_id: str) -> int:
    if not upload_id.isdecimal() or len(upload_id) > 18:
        raise NotFound(f"There is no open upload {upload_id!r}")
    return int(upload_id)


def _path(connection: Connection, file_id: int) -> str | None:
    """The path of the file of an open upload."""
    uploads = artifact_uploads.c
    return connection.scalar(select(uploads.path).where(uploads.file_id == file_id))


def _end(connection: Connection, file_id: int) -> None:
    connection.execute(delete(artifact_uploads).where(artifact_uploads.c.file_id == file_id))
