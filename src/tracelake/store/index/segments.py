"""Segments into the store: written invisible and in small transactions, then published in one.

Only the holder of the index lease writes, and what a crash leaves behind is swept by the next one.
One that stood still for longer than its lease may go on beside the next: so a segment is published
only where nobody has indexed the same or swept its blocks, and no block of a visible one is swept.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from tracelake.model.errors import Conflict
from tracelake.store.bulk import BulkInsert, Row
from tracelake.store.database import Database, next_numbers
from tracelake.store.index.blocks import BLOCK_BYTES, Posting, pack_blocks
from tracelake.store.index.columns import Column, pack_column, pack_words
from tracelake.store.index.terms import Field
from tracelake.store.schema import counters, index_blocks, index_columns, index_segments

SEGMENT_NUMBERS: Final = "index_segment"
WORD_PREFIX: Final = Field.WORD.value + b"\0"
_BLOCKS_A_TRANSACTION: Final = 200
"""Ingest waits for no more writing than this at a time."""


@dataclass(slots=True)
class NewSegment:
    index_name: str
    level: int
    first_seq: int
    last_seq: int
    seqs: Column
    """The version that each position stands for, ascending."""
    columns: Mapping[str, bytes]
    """What else is known of each, packed, by name."""
    postings: Iterable[Posting]
    """By term, ascending."""
    replaces: list[int] = field(default_factory=list[int])
    """Segments that end when this one begins to be seen."""

    @property
    def doc_count(self) -> int:
        return len(self.seqs)


class SegmentWriter:
    """Writes segments of both indexes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._blocks = BulkInsert(database, index_blocks)

    def write(self, new: NewSegment) -> int:
        """Store a segment and publish it; its id. `indexed_<name>` moves up to its last change.

        Raises Conflict where another process has indexed or joined the same meanwhile, or swept
        it; then nothing of it is seen.
        """
        with self._database.write() as connection:
            segment_id = next_numbers(connection, SEGMENT_NUMBERS, 1)
        words = bytearray()
        blocks = pack_blocks(_noting_words(new.postings, words), BLOCK_BYTES)
        rows: Iterator[Row] = ((segment_id, *block) for block in blocks)
        first_block: Row | None = None
        while some := list(islice(rows, _BLOCKS_A_TRANSACTION)):
            first_block = first_block or some[0]
            with self._database.write() as connection:
                self._blocks.execute(connection, some)
        # Before the transaction: ingest need not wait until they are compressed.
        contents = _contents(new, words) if new.doc_count else {}
        with self._database.write() as connection:
            if first_block is not None and not _is_there(connection, first_block):
                raise Conflict("another process has swept this segment")
            self._publish(connection, segment_id, new, contents)
        return segment_id

    def sweep(self) -> None:
        """Delete what belongs to no visible segment. Not while one is being written."""
        with self._database.read() as connection:
            unseen = _unseen_segments(connection)
        for segment_id in unseen:
            self.remove(segment_id)

    def remove(self, segment_id: int) -> None:
        """Delete the terms of a segment that is not visible, in small transactions."""
        while self._remove_some(segment_id):
            pass

    def _publish(
        self, connection: Connection, segment_id: int, new: NewSegment, contents: dict[str, bytes]
    ) -> None:
        if new.replaces:
            gone = connection.execute(
                delete(index_segments).where(index_segments.c.segment_id.in_(new.replaces))
            )
            is_next = gone.rowcount == len(new.replaces)
            connection.execute(
                delete(index_columns).where(index_columns.c.segment_id.in_(new.replaces))
            )
        else:
            is_next = indexed(connection, new.index_name) == new.first_seq - 1
        if not is_next:
            raise Conflict("another process has indexed the same meanwhile")
        advance(connection, new.index_name, new.last_seq)
        if not contents:
            return
        connection.execute(
            index_columns.insert(),
            [
                {"segment_id": segment_id, "name": name, "content": content}
                for name, content in contents.items()
            ],
        )
        connection.execute(
            index_segments.insert().values(
                segment_id=segment_id,
                index_name=new.index_name,
                level=new.level,
                first_seq=new.first_seq,
                last_seq=new.last_seq,
                doc_count=new.doc_count,
            )
        )

    def _remove_some(self, segment_id: int) -> bool:
        some = (
            select(index_blocks.c.last_term)
            .where(index_blocks.c.segment_id == segment_id)
            .order_by(index_blocks.c.last_term)
            .limit(_BLOCKS_A_TRANSACTION)
        ).subquery()
        # PostgreSQL knows no max() of bytes before its version 18.
        greatest = select(some).order_by(some.c.last_term.desc()).limit(1)
        with self._database.write() as connection:
            seen = select(index_segments.c.segment_id)
            if connection.scalar(seen.where(index_segments.c.segment_id == segment_id)):
                return False
            last = connection.scalar(greatest)
            if last is None:
                return False
            connection.execute(
                delete(index_blocks).where(
                    index_blocks.c.segment_id == segment_id, index_blocks.c.last_term <= last
                )
            )
        return True


def _noting_words(postings: Iterable[Posting], words: bytearray) -> Iterator[Posting]:
    """The postings; on their way the words among them are added, one a line."""
    for posting in postings:
        if posting[0].startswith(WORD_PREFIX):
            words += posting[0][len(WORD_PREFIX) :] + b"\n"
        yield posting


def _contents(new: NewSegment, words: bytearray) -> dict[str, bytes]:
    contents = {"seq": pack_column(new.seqs), **new.columns}
    if words:
        contents["words"] = pack_words(words)
    return contents


def _is_there(connection: Connection, block: Row) -> bool:
    """Whether a block was not swept. The first of a segment goes first."""
    segment_id, last_term, _ = block
    query = select(index_blocks.c.segment_id).where(
        index_blocks.c.segment_id == segment_id, index_blocks.c.last_term == last_term
    )
    return connection.scalar(query) is not None


def indexed(connection: Connection, index_name: str) -> int:
    """The last change that an index knows."""
    query = select(counters.c.value).where(counters.c.name == f"indexed_{index_name}")
    return connection.execute(query).scalar_one()


def advance(connection: Connection, index_name: str, seq: int) -> None:
    """Say that an index knows every change up to `seq`. It never moves back."""
    connection.execute(
        update(counters)
        .where(counters.c.name == f"indexed_{index_name}", counters.c.value < seq)
        .values(value=seq)
    )


def _unseen_segments(connection: Connection) -> list[int]:
    visible = set(connection.scalars(select(index_segments.c.segment_id)))
    unseen: list[int] = []
    at: int | None = -1
    # One step down the index a segment, instead of a walk over all its blocks.
    while True:
        at = connection.execute(
            select(func.min(index_blocks.c.segment_id)).where(index_blocks.c.segment_id > at)
        ).scalar()
        if at is None:
            return unseen
        if at not in visible:
            unseen.append(at)
