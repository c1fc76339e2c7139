"""Joining neighbouring segments into one, without the versions that are gone."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray
from sqlalchemy import select

from tracelake.store.database import Database
from tracelake.store.index.blocks import Block, Posting
from tracelake.store.index.columns import Column, NamedColumn, pack_columns
from tracelake.store.index.docs import Mask
from tracelake.store.index.facts import FACTS
from tracelake.store.index.segments import NewSegment
from tracelake.store.index.span_numbers import arranged
from tracelake.store.index.terms import Field, range_of
from tracelake.store.index.view import IndexView, Segment
from tracelake.store.schema import index_blocks

WIDTH: Final = 8
"""So many segments of about one size become one."""
# Larger segments than the last are not joined any more.
_TIERS: Final = (512, 4096, 16_384)
_BLOCKS_A_READ: Final = 64


def due(segments: Sequence[Segment]) -> list[Segment]:
    """The neighbours to join next, oldest first; empty while none need it."""
    for limit in _TIERS:
        run: list[Segment] = []
        for segment in segments:
            if segment.doc_count <= limit:
                run.append(segment)
                if len(run) == WIDTH:
                    return run
            elif len(run) < WIDTH:
                # A small one between larger ones waits for the larger ones' turn.
                run = []
    return []


def worn(view: IndexView, name: str) -> list[Segment]:
    """A segment of which less than half is still there, alone; empty while there is none."""
    for segment in view.segments(name):
        if 2 * int(_alive(view, name, segment).sum()) < segment.doc_count:
            return [segment]
    return []


def _alive(view: IndexView, name: str, segment: Segment) -> Mask:
    """Which documents are still there. Text asks the facts: they know what has gone."""
    if name == FACTS:
        return view.alive(segment)
    there = [
        facts.column("seq")[view.alive(facts)]
        for facts in view.segments(FACTS)
        if facts.first_seq <= segment.last_seq and segment.first_seq <= facts.last_seq
    ]
    if not there:
        return np.zeros(segment.doc_count, dtype=np.bool_)
    return np.isin(segment.column("seq"), np.concatenate(there), assume_unique=True)


@dataclass(frozen=True, slots=True)
class _Source:
    """A segment to be joined, and where its documents go: -1 for those that are gone."""

    segment_id: int
    new_positions: NDArray[np.int64]
    all_stay: bool


def merged(database: Database, view: IndexView, name: str, run: Sequence[Segment]) -> NewSegment:
    """The segment that takes the place of `run`. Its postings are read as they are asked for."""
    masks = [_alive(view, name, segment) for segment in run]
    sources: list[_Source] = []
    offset = 0
    for segment, mask in zip(run, masks, strict=True):
        moved = np.where(mask, offset + np.cumsum(mask) - 1, -1)
        sources.append(_Source(segment.segment_id, moved, bool(mask.all())))
        offset += int(mask.sum())
    return NewSegment(
        index_name=name,
        level=max(segment.level for segment in run) + (len(run) > 1),
        first_seq=run[0].first_seq,
        last_seq=run[-1].last_seq,
        seqs=_column(run, masks, "seq"),
        columns=pack_columns(_fact_columns(run, masks, sources)) if name == FACTS else {},
        postings=_postings(database, sources),
        replaces=[segment.segment_id for segment in run],
    )


COLUMNS: Final = (
    "start_ns",
    "duration_ns",
    "input_tokens",
    "output_tokens",
    "tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cost",
)


def _fact_columns(
    run: Sequence[Segment], masks: Sequence[Mask], sources: Sequence[_Source]
) -> Iterator[NamedColumn]:
    for name in COLUMNS:
        yield name, _column(run, masks, name)
    yield from _span_columns(run, sources)


def _column(run: Sequence[Segment], masks: Sequence[Mask], name: str) -> Column:
    return np.concatenate([s.column(name)[m] for s, m in zip(run, masks, strict=True)])


def _span_columns(run: Sequence[Segment], sources: Sequence[_Source]) -> Iterator[NamedColumn]:
    """The spans of all sources, with the places their traces and shapes have now."""
    kept: list[dict[bytes, int]] = []
    shape_counts: list[int] = []
    for segment, source in zip(run, sources, strict=True):
        shapes = list(segment.terms.between(*range_of(Field.SHAPE.value)))
        shape_counts.append(len(shapes))
        kept.append(
            {
                term: n
                for n, (term, docs) in enumerate(shapes)
                if bool((source.new_positions[docs] >= 0).any())
            }
        )
    code_of = {term: n for n, term in enumerate(sorted({t for terms in kept for t in terms}))}
    codes: list[Column] = []
    for terms, count in zip(kept, shape_counts, strict=True):
        new_codes = np.full(count, -1, dtype=np.int32)
        for term, old in terms.items():
            new_codes[old] = code_of[term]
        codes.append(new_codes)
    # Narrow: these are kept while one column after the other is read.
    docs = [
        source.new_positions[_span(segment, "doc")].astype(np.int32)
        for segment, source in zip(run, sources, strict=True)
    ]

    def column_of(name: str) -> Column:
        if name == "doc":
            return np.concatenate([new[new >= 0] for new in docs])
        parts: list[Column] = []
        for segment, new, new_codes in zip(run, docs, codes, strict=True):
            column = _span(segment, name)[new >= 0]
            parts.append(new_codes[column] if name == "shape" else column)
        return np.concatenate(parts)

    return arranged(column_of)


def _span(segment: Segment, name: str) -> Column:
    column = segment.span_column(f"span_{name}")
    assert column is not None, "every segment of facts has the columns of its spans"
    return column


def _postings(database: Database, sources: Sequence[_Source]) -> Iterator[Posting]:
    merging = heapq.merge(*(_moved(database, source) for source in sources), key=itemgetter(0))
    for term, postings in groupby(merging, key=itemgetter(0)):
        # Sources come in order of their numbers, so what they give ascends when it is joined.
        gathered = [docs for _, docs in postings]
        yield term, gathered[0] if len(gathered) == 1 else np.concatenate(gathered)


def _moved(database: Database, source: _Source) -> Iterator[Posting]:
    """The terms of a segment with the new positions of its documents, leaving out empty ones."""
    for block in _blocks(database, source.segment_id):
        few = source.new_positions[block.few].tolist()
        for number in range(len(block)):
            begin, end = block.few_range(number)
            if begin < end:
                docs = few[begin:end]
                if not source.all_stay:
                    docs = [doc for doc in docs if doc >= 0]
            else:
                docs = source.new_positions[block.docs(number)]
                docs = docs[docs >= 0].astype(np.uint32)
            if len(docs):
                yield block.term(number), docs


def _blocks(database: Database, segment_id: int) -> Iterator[Block]:
    """All blocks, in reads of their own: a long one would keep SQLite's log from being emptied."""
    decompressor = zstandard.ZstdDecompressor()
    after = b""
    while True:
        query: Any = (
            select(index_blocks.c.last_term, index_blocks.c.content)
            .where(index_blocks.c.segment_id == segment_id, index_blocks.c.last_term > after)
            .order_by(index_blocks.c.last_term)
            .limit(_BLOCKS_A_READ)
        )
        with database.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield Block(row.content, decompressor)
        if len(rows) < _BLOCKS_A_READ:
            return
        after = rows[-1].last_term
