"""Brings both indexes up to date: one small step at a time, so that the caller may stop between.

One process does this for a database, the holder of the lease; see `follow.py`.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from sqlalchemy import delete, select, update

from tracelake.store.database import Database, last_seq
from tracelake.store.index.blocks import Posting
from tracelake.store.index.cache import ColumnCache
from tracelake.store.index.columns import Column, NamedColumn, pack_columns
from tracelake.store.index.facts import FACTS, Facts, changed_traces
from tracelake.store.index.merge import due, merged, worn
from tracelake.store.index.segments import NewSegment, SegmentWriter, advance, indexed
from tracelake.store.index.text import TEXT, Texts, changed_texts
from tracelake.store.index.view import IndexView, Segment
from tracelake.store.schema import counters, index_columns, index_segments, stale_versions

_FACTS_A_STEP: Final = 1024
_TEXTS_A_STEP: Final = 1024
_TEXTS_AT_ONCE: Final = 128


class _Gathered(Protocol):
    def seqs(self) -> Column: ...
    def columns(self) -> Iterator[NamedColumn]: ...
    def postings(self) -> Iterator[Posting]: ...


class Indexer:
    """Steps of indexing. Not for several processes at once: hold a lease."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = SegmentWriter(database)

    def lag(self, name: str) -> int:
        """How many changes the index of this name does not know yet."""
        with self._database.read() as connection:
            return last_seq(connection) - indexed(connection, name)

    def last_seq(self) -> int:
        """The number of the latest change."""
        with self._database.read() as connection:
            return last_seq(connection)

    def index_facts(self) -> bool:
        """Index the next traces by their facts; whether there may be more."""
        with self._database.read() as connection:
            view = IndexView(connection, ColumnCache())
            last = last_seq(connection)
            if last <= view.facts_seq:
                return False
            rows = changed_traces(connection, view.facts_seq, _FACTS_A_STEP)
            is_full = len(rows) == _FACTS_A_STEP
            last = rows[-1].seq if is_full else last
            facts = Facts(connection, rows)
        self._publish(FACTS, view.facts_seq + 1, last, facts)
        self._forget_unindexed(view.facts_seq, last, {row.seq for row in rows})
        return is_full

    def index_text(self, between: Callable[[], None] = lambda: None) -> bool:
        """Index the text of the next traces; whether there may be more.

        Some are read, then some more; `between` them the caller may rest, in no transaction.
        """
        with self._database.read() as connection:
            # Never ahead of the facts: a search looks for text among what they have found.
            until = indexed(connection, FACTS)
            last = after = indexed(connection, TEXT)
        texts = Texts()
        while last < until and len(texts) < _TEXTS_A_STEP:
            if len(texts):
                between()
            with self._database.read() as connection:
                rows = changed_texts(connection, last, _TEXTS_AT_ONCE, until)
                texts.add(connection, rows)
            last = rows[-1].seq if len(rows) == _TEXTS_AT_ONCE else until
        if last > after:
            self._publish(TEXT, after + 1, last, texts)
        return last < until

    def merge(self, name: str, *, at_least: int = 0) -> bool:
        """Join some segments of an index, if there are too many, and more than `at_least`; whether
        any were."""

        def choose(view: IndexView) -> list[Segment]:
            segments = view.segments(name)
            return due(segments) if len(segments) > at_least else []

        return self._rewrite(name, choose)

    def clean(self, name: str) -> bool:
        """Write a segment again that is mostly of traces that are gone; whether there was one."""
        return self._rewrite(name, lambda view: worn(view, name))

    def _rewrite(self, name: str, choose: Callable[[IndexView], list[Segment]]) -> bool:
        with self._database.read() as connection:
            # Each column is needed once, and those of a million spans would be a lot to keep.
            view = IndexView(connection, ColumnCache(max_bytes=0))
            run = choose(view)
            if not run:
                return False
            new = merged(self._database, view, name, run)
            before = [seq for segment in run for seq in segment.column("seq").tolist()]
        self._writer.write(new)
        if name == FACTS:
            self._forget(set(before).difference(new.seqs.tolist()))
        for segment_id in new.replaces:
            self._writer.remove(segment_id)
        return True

    def forget_everything(self) -> None:
        """Empty both indexes. Until they are built again, searches look at the tables."""
        with self._database.write() as connection:
            connection.execute(delete(index_segments))
            connection.execute(delete(index_columns))
            connection.execute(
                update(counters)
                .where(counters.c.name.in_(["indexed_facts", "indexed_text"]))
                .values(value=0)
            )
        self.sweep()

    def sweep(self) -> None:
        """Remove what an earlier run left half-written."""
        self._writer.sweep()

    def _publish(self, name: str, first_seq: int, last_seq: int, found: _Gathered) -> None:
        seqs = found.seqs()
        if len(seqs):
            columns = pack_columns(found.columns())
            new = NewSegment(name, 0, first_seq, last_seq, seqs, columns, found.postings())
            self._writer.write(new)
        else:
            with self._database.write() as connection:
                advance(connection, name, last_seq)

    def _forget_unindexed(self, after_seq: int, last_seq: int, indexed: set[int]) -> None:
        """Versions that were gone before they were indexed are in no segment to be hidden in."""
        with self._database.read() as connection:
            query = select(stale_versions.c.seq).where(
                stale_versions.c.seq > after_seq, stale_versions.c.seq <= last_seq
            )
            gone = set(connection.scalars(query)).difference(indexed)
        self._forget(gone)

    def _forget(self, gone: set[int]) -> None:
        numbers = sorted(gone)
        for at in range(0, len(numbers), 500):
            with self._database.write() as connection:
                connection.execute(
                    delete(stale_versions).where(stale_versions.c.seq.in_(numbers[at : at + 500]))
                )
