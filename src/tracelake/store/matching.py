"""All traces that match a filter, where a page of them is not enough: from the index what it
knows, from the tables the rest."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from sqlalchemy import BigInteger, Connection, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from tracelake.model.filters.tree import Node
from tracelake.store.comparisons import Condition
from tracelake.store.compile import Compiled
from tracelake.store.finder import beyond_index, matching_rows
from tracelake.store.index.docs import Mask
from tracelake.store.index.search import matches_by_segment
from tracelake.store.index.view import IndexView, Segment
from tracelake.store.rows import AnyRow
from tracelake.store.schema import traces

_BATCH: Final = 2000


@dataclass(slots=True)
class Matching:
    """One filter, within a read transaction of the caller, looked at once for all that is asked."""

    connection: Connection
    view: IndexView
    tree: Node
    compiled: Compiled
    experiments: Sequence[int] | None
    _chosen: list[tuple[Segment, Mask]] | None = field(default=None, init=False)

    def by_segment(self) -> Iterator[tuple[Segment, Mask]]:
        """Each segment of the index with its documents that match."""
        if self._chosen is None:
            self._chosen = [
                (segment, bounds.surely | self._checked(segment, bounds.maybe & ~bounds.surely))
                for segment, bounds in matches_by_segment(self.view, self.tree, self.experiments)
            ]
        return iter(self._chosen)

    def beyond_index(self) -> Iterator[Sequence[AnyRow]]:
        """The rows of the traces that match and that the index does not know yet, in batches."""
        facts_seq = self.view.facts_seq
        query = beyond_index(facts_seq, self.compiled.condition, self.experiments)
        query = query.order_by(traces.c.seq)
        after = 0
        while True:
            page = query.where(traces.c.seq > after).limit(_BATCH)
            rows: Sequence[Any] = self.connection.execute(page).all()
            yield rows if self.compiled.exact else matching_rows(self.connection, self.tree, rows)
            if len(rows) < _BATCH:
                return
            after = rows[-1].seq

    def condition(self) -> Condition:
        """What says in SQL that a trace is one of them, in this transaction."""
        seqs: list[int] = []
        for segment, chosen in self.by_segment():
            seqs += segment.column("seq")[chosen].tolist()
        for rows in self.beyond_index():
            seqs += [row.seq for row in rows]
        # One parameter, however many they are: an engine takes some ten thousand.
        if self.connection.dialect.name == "sqlite":
            each = func.json_each(json.dumps(seqs)).table_valued("value")
            return traces.c.seq.in_(select(each.c.value))
        return traces.c.seq == any_(literal(seqs, ARRAY(BigInteger)))

    def _checked(self, segment: Segment, unsure: Mask) -> Mask:
        """Those of some documents that do match, looked at one by one."""
        found = np.zeros(segment.doc_count, dtype=np.bool_)
        at = np.flatnonzero(unsure)
        for first in range(0, len(at), _BATCH):
            seqs = segment.column("seq")[at[first : first + _BATCH]]
            query = select(traces).where(traces.c.seq.in_(seqs.tolist()))
            rows = matching_rows(self.connection, self.tree, self.connection.execute(query).all())
            numbers = np.sort(np.array([row.seq for row in rows], dtype=np.int64))
            found[segment.positions_of(numbers)] = True
        return found
