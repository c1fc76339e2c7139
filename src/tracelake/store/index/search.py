"""A filter on the whole index: which traces may match, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracelake.model.deadline import check_deadline
from tracelake.model.filters.tree import And, Clause, Entity, Node, Op
from tracelake.store.index.docs import Mask
from tracelake.store.index.hits import TextHits
from tracelake.store.index.plan import Bounds, SegmentPlan
from tracelake.store.index.sessions import SessionAssessments
from tracelake.store.index.view import IndexView, Segment

_MOST_SORTED: Final = 6000
"""Hits put in order for one page: more than a page ever looks at."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Versions that may match, by position; `surely` are those that do."""

    seqs: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    surely: Mask

    def newest(self, up_to_ns: int | None) -> "Hits":
        """The newest of those that start no later than `up_to_ns`, in order."""
        chosen = self if up_to_ns is None else self._where(self.start_ns <= up_to_ns)
        if len(chosen.seqs) > _MOST_SORTED:
            at = len(chosen.seqs) - _MOST_SORTED
            edge = np.partition(chosen.start_ns, at)[at]
            # With all that start at the very moment of the last one: the page breaks ties by id.
            chosen = chosen._where(chosen.start_ns >= edge)
        return chosen._where(np.argsort(-chosen.start_ns, kind="stable"))

    def _where(self, chosen: Any) -> "Hits":
        return Hits(self.seqs[chosen], self.start_ns[chosen], self.surely[chosen])


def is_for_index(tree: Node) -> bool:
    """Whether the index answers this better than the tables do: not for all, nor for single ids."""
    clauses = tree.items if isinstance(tree, And) else (tree,)
    return bool(clauses) and not any(
        isinstance(clause, Clause)
        and clause.entity is Entity.ATTRIBUTE
        and clause.key == "request_id"
        and clause.op in (Op.EQ, Op.IN)
        for clause in clauses
    )


def find(view: IndexView, tree: Node, experiment_ids: Sequence[int] | None) -> Hits:
    """All indexed traces that may match."""
    seqs: list[NDArray[np.int64]] = []
    starts: list[NDArray[np.int64]] = []
    sure: list[Mask] = []
    for segment, bounds in matches_by_segment(view, tree, experiment_ids):
        seqs.append(segment.column("seq")[bounds.maybe])
        starts.append(segment.column("start_ns")[bounds.maybe])
        sure.append(bounds.surely[bounds.maybe])
    if not seqs:
        none = np.empty(0, dtype=np.int64)
        return Hits(none, none, np.empty(0, dtype=np.bool_))
    return Hits(np.concatenate(seqs), np.concatenate(starts), np.concatenate(sure))


def matches_by_segment(
    view: IndexView, tree: Node, experiment_ids: Sequence[int] | None
) -> Iterator[tuple[Segment, Bounds]]:
    """Each segment of facts with the documents that may match and are still alive."""
    text, told = TextHits(view), SessionAssessments(view.connection, view)
    for segment in view.facts:
        check_deadline()
        inside = in_experiments_mask(segment, experiment_ids) & view.alive(segment)
        bounds = SegmentPlan(segment, text, told).bounds(tree)
        yield segment, Bounds(bounds.maybe & inside, bounds.surely & inside)


def in_experiments_mask(segment: Segment, experiment_ids: Sequence[int] | None) -> Mask:
    """The documents of some experiments; None means all."""
    if experiment_ids is None:
        return np.ones(segment.doc_count, dtype=np.bool_)
    found = np.zeros(segment.doc_count, dtype=np.bool_)
    for number in experiment_ids:
        found |= segment.experiment_mask(number)
    return found
