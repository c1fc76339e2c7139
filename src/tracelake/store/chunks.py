"""Chunks in and out of their table: the spans of a trace, and pieces of its large values."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from sqlalchemy import Connection, delete, func, select

from tracelake.model.errors import InvalidInput, NotFound
from tracelake.store.api import Chunk
from tracelake.store.bulk import Row
from tracelake.store.large import StoredValue, decode_places, encode_places, put_back
from tracelake.store.payload import spans_in_order, unpack, unpack_piece
from tracelake.store.rows import AnyRow
from tracelake.store.schema import CHUNK_BITS, FIRST_PIECE, chunks, spans

_LOOK_UP: Final = 20
"""Chunks held in memory at a time."""


_SLICE_BYTES: Final = 1996
"""Of PostgreSQL's TOAST, with its usual pages of 8 KB:
https://www.postgresql.org/docs/current/storage-toast.html"""
_MOST_IN_ROW: Final = 1900
"""A row of more than 2 KB would be sliced itself."""


def fill_slices(row: Row) -> Row:
    """A row of a chunk with all that fills whole slices of PostgreSQL apart.

    Four whole slices fill a page. Payloads of 4.3 KB, two slices and a short one each, had left
    a fifth of the pages empty.
    """
    chunk_id, payload, _, places = row
    in_row = len(payload) % _SLICE_BYTES
    if in_row == len(payload) or in_row > _MOST_IN_ROW:
        return row
    return chunk_id, payload[:in_row], payload[in_row:], places


def payload_of(row: AnyRow) -> bytes:
    """The payload of a row of `chunks`."""
    return row.payload if row.payload_slices is None else row.payload + row.payload_slices


@dataclass(slots=True)
class StoredChunk:
    """Spans as they came, but for the large values, which are empty in `data`."""

    chunk_id: int
    data: TracesData
    large: list[StoredValue]

    def large_of(self, position: int) -> list[StoredValue]:
        return [value for value in self.large if value.position == position]


class ChunkRows:
    """Gathers the rows of new chunks of one trace, and gives them their numbers."""

    def __init__(self, trace_key: int, chunk_count: int) -> None:
        self._first = trace_key << CHUNK_BITS
        self.chunk_count = chunk_count
        self.rows: list[Row] = []
        self._next_piece: int | None = None

    def add(self, connection: Connection, chunk: Chunk) -> int:
        """The number of the chunk. Raises InvalidInput when the trace can take no more."""
        if self.chunk_count >= FIRST_PIECE:
            raise InvalidInput(f"the trace has come in {FIRST_PIECE} batches, and takes no more")
        chunk_id = self._first + self.chunk_count
        self.chunk_count += 1
        places = self._add_pieces(connection, chunk) if chunk.large else None
        self.rows.append((chunk_id, chunk.payload, None, places))
        return chunk_id

    def _add_pieces(self, connection: Connection, chunk: Chunk) -> bytes:
        if self._next_piece is None:
            self._next_piece = _next_piece(connection, self._first)
        places: list[StoredValue] = []
        for value in chunk.large:
            told = asdict(value)
            pieces: list[bytes] = told.pop("pieces")
            places.append(
                StoredValue(**told, first_piece=self._next_piece, piece_count=len(pieces))
            )
            for piece in pieces:
                self.rows.append((self._next_piece, piece, None, None))
                self._next_piece += 1
        return encode_places(places)


def read_chunks(connection: Connection, chunk_ids: Sequence[int]) -> Iterator[StoredChunk]:
    """Those of these chunks that are there."""
    for at in range(0, len(chunk_ids), _LOOK_UP):
        query = select(chunks).where(chunks.c.chunk_id.in_(chunk_ids[at : at + _LOOK_UP]))
        for row in connection.execute(query):
            large = decode_places(row.large_values)
            yield StoredChunk(row.chunk_id, unpack(payload_of(row)), large)


def read_whole(
    connection: Connection, chunk_ids: Sequence[int]
) -> Iterator[tuple[int, TracesData]]:
    """Chunks with their large values in them, after the number of each."""
    for chunk in read_chunks(connection, chunk_ids):
        if chunk.large:
            for position, (_, _, span) in enumerate(spans_in_order(chunk.data)):
                restore(connection, span, chunk.large_of(position))
        yield chunk.chunk_id, chunk.data


def restore(connection: Connection, span: Span, values: Iterable[StoredValue]) -> None:
    """Put the large values of a span back into it."""
    for value in values:
        numbers = range(value.first_piece, value.first_piece + value.piece_count)
        put_back(span, value, b"".join(read_piece(connection, number) for number in numbers))


def read_piece(connection: Connection, number: int) -> bytes:
    """One piece of a large value. Raises NotFound when its trace was deleted meanwhile."""
    row = connection.execute(select(chunks).where(chunks.c.chunk_id == number)).one_or_none()
    if row is None:
        raise NotFound("the value is not there any more")
    return unpack_piece(payload_of(row))


def delete_unused(connection: Connection, trace_key: int, chunk_ids: set[int]) -> None:
    """Delete those of these chunks that no span is in any more, and the pieces of their values."""
    in_use = select(spans.c.chunk_id).where(
        spans.c.trace_key == trace_key, spans.c.chunk_id.in_(chunk_ids)
    )
    for chunk_id in chunk_ids.difference(connection.scalars(in_use.distinct())):
        found = select(chunks.c.large_values).where(chunks.c.chunk_id == chunk_id)
        for value in decode_places(connection.execute(found).scalar_one_or_none()):
            last_piece = value.first_piece + value.piece_count - 1
            pieces = chunks.c.chunk_id.between(value.first_piece, last_piece)
            connection.execute(delete(chunks).where(pieces))
        connection.execute(delete(chunks).where(chunks.c.chunk_id == chunk_id))


def _next_piece(connection: Connection, first_chunk: int) -> int:
    first = first_chunk + FIRST_PIECE
    last = select(func.max(chunks.c.chunk_id)).where(
        chunks.c.chunk_id.between(first, first_chunk + (1 << CHUNK_BITS) - 1)
    )
    found: int | None = connection.execute(last).scalar_one()
    return first if found is None else found + 1
