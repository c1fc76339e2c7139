"""The terms of a segment, looked up in its blocks."""

from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
import zstandard
from sqlalchemy import Connection, TextClause, select, text

from tracelake.store.index.blocks import Block
from tracelake.store.index.docs import Positions
from tracelake.store.index.terms import range_of
from tracelake.store.schema import index_blocks

_TERMS_A_QUERY: Final = 256
_MOST_BLOCKS: Final = 64
"""Read at once."""


class SegmentTerms:
    """The terms of one segment, in a transaction of one thread."""

    def __init__(self, connection: Connection, segment_id: int) -> None:
        self._connection = connection
        self._segment_id = segment_id

    def docs(self, term: bytes) -> Positions:
        """The documents that have a term."""
        block = self._block_from(term)
        found = block.docs_of(term) if block is not None else None
        return np.empty(0, dtype=np.uint32) if found is None else found

    def docs_of(self, terms: Sequence[bytes]) -> Iterator[Positions]:
        """The documents that have each of these terms, in no order. Terms that are not there give
        nothing."""
        ordered = sorted(terms)
        for at in range(0, len(ordered), _TERMS_A_QUERY):
            some = ordered[at : at + _TERMS_A_QUERY]
            next_term = 0
            for last_term, block in self._blocks_with(some):
                while next_term < len(some) and some[next_term] <= last_term:
                    found = block.docs_of(some[next_term])
                    if found is not None:
                        yield found
                    next_term += 1

    def between(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, Positions]]:
        """Terms of a half-open range, ascending, with the documents that have them."""
        after, limit = low, 1
        while True:
            rows = self._blocks_after(after, limit)
            for row in rows:
                block = self._read(row.content)
                for number in range(block.first_at(low), len(block)):
                    term = block.term(number)
                    if term >= high:
                        return
                    yield term, block.docs(number)
            if len(rows) < limit:
                return
            # Most ranges end within a block or two.
            after, limit = rows[-1].last_term + b"\0", min(4 * limit, _MOST_BLOCKS)

    def keys(self, prefix: bytes) -> Iterator[tuple[bytes, Positions]]:
        """Of the terms after a prefix, those of one part more: a field's keys, not their values."""
        low, high = range_of(prefix)
        block = self._block_from(low)
        while block is not None:
            number = block.first_at(low)
            if number == len(block):
                block = self._block_from(low)
                continue
            term = block.term(number)
            if term >= high:
                return
            yield term, block.docs(number)
            # Past all terms that begin with this one, to the next key.
            low = term + b"\x01"

    @cached_property
    def _decompressor(self) -> zstandard.ZstdDecompressor:
        # Making one takes as long as reading twenty blocks.
        return zstandard.ZstdDecompressor()

    def _read(self, content: bytes) -> Block:
        return Block(content, self._decompressor)

    def _block_from(self, term: bytes) -> Block | None:
        """The block with the first term that is not below this one."""
        rows = self._blocks_after(term, 1)
        return self._read(rows[0].content) if rows else None

    def _blocks_after(self, term: bytes, limit: int) -> Sequence[Any]:
        """Of the blocks that end with this term or a later one, the first: `last_term` and
        `content` of each."""
        query = (
            select(index_blocks.c.last_term, index_blocks.c.content)
            .where(index_blocks.c.segment_id == self._segment_id, index_blocks.c.last_term >= term)
            .order_by(index_blocks.c.last_term)
            .limit(limit)
        )
        return self._connection.execute(query).all()

    def _blocks_with(self, terms: Sequence[bytes]) -> Iterator[tuple[bytes, Block]]:
        """The blocks in which these terms are, if anywhere, each after its last term."""
        count = 1 << (len(terms) - 1).bit_length()
        # The last one again and again: so there are few statements, and both engines know them.
        filled = [*terms, *[terms[-1]] * (count - len(terms))]
        parameters = {f"term_{n}": term for n, term in enumerate(filled)}
        found = self._connection.execute(
            _blocks_with(count), {"segment": self._segment_id, **parameters}
        )
        for last_term, content in found:
            yield last_term, self._read(content)


@cache
def _blocks_with(count: int) -> TextClause:
    """One seek a term. SQLAlchemy cannot say VALUES in words that SQLite reads; both engines call
    their column `column1`. PostgreSQL knows no min() of bytes before its version 18."""
    terms = ", ".join(f"(:term_{n})" for n in range(count))
    return text(
        "SELECT last_term, content FROM index_blocks WHERE segment_id = :segment AND last_term IN ("
        "SELECT (SELECT last_term FROM index_blocks"
        " WHERE segment_id = :segment AND last_term >= wanted.column1 ORDER BY last_term LIMIT 1)"
        f" FROM (VALUES {terms}) AS wanted) ORDER BY last_term"
    )
