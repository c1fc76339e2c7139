"""A filter on the whole index: which traces may match, all of them or the newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from tracelake.model.deadline import check_deadline
from tracelake.model.filters.tree import And, Clause, Entity, Node, Op
from tracelake.store.index.docs import Mask
from tracelake.store.index.hits import TextHits
from tracelake.store.index.plan import Bounds, SegmentPlan
from tracelake.store.index.sessions import SessionAssessments
from tracelake.store.index.view import IndexView, Segment

_SORTED_AT_ONCE: Final = 6000
"""Hits put in order at a time: more than a page looks at."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Versions that may match, by position; `surely` are those that do."""

    seqs: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    surely: Mask

    @classmethod
    def none(cls) -> Self:
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, np.empty(0, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.seqs)

    def __add__(self, other: "Hits") -> "Hits":
        return Hits(
            np.concatenate((self.seqs, other.seqs)),
            np.concatenate((self.start_ns, other.start_ns)),
            np.concatenate((self.surely, other.surely)),
        )

    def where(self, chosen: Any) -> "Hits":
        return Hits(self.seqs[chosen], self.start_ns[chosen], self.surely[chosen])

    def in_order(self) -> Iterator["Hits"]:
        """The newest first, in parts. Those that start at the same moment are in one part."""
        left = self
        while len(left):
            part, left = left, Hits.none()
            if len(part) > _SORTED_AT_ONCE:
                at = len(part) - _SORTED_AT_ONCE
                newest = part.start_ns >= np.partition(part.start_ns, at)[at]
                part, left = part.where(newest), part.where(~newest)
            yield part.where(np.argsort(-part.start_ns, kind="stable"))


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


def newest_first(
    view: IndexView, tree: Node, experiment_ids: Sequence[int] | None, up_to_ns: int | None
) -> Iterator[Hits]:
    """Indexed traces that may match and start no later than `up_to_ns`, the newest first, in parts.

    A part holds all that start at its moments. Traces arrive about when they start, so a page looks
    at a few segments; the next is read when what is known is used up.
    """
    plan = _Plan(view, tree, experiment_ids)
    segments = sorted(view.facts, key=lambda segment: segment.starts[1], reverse=True)
    if up_to_ns is not None:
        segments = [segment for segment in segments if segment.starts[0] <= up_to_ns]
    waiting = Hits.none()
    for number, segment in enumerate(segments):
        bounds = plan.bounds(segment)
        chosen = np.flatnonzero(bounds.maybe)
        if len(chosen):
            waiting += Hits(
                segment.column("seq")[chosen],
                segment.column("start_ns")[chosen],
                bounds.surely[chosen],
            )
            if up_to_ns is not None:
                waiting = waiting.where(waiting.start_ns <= up_to_ns)
        if number + 1 < len(segments):
            # A later segment may have more of those that start at this very moment.
            ready = waiting.start_ns > segments[number + 1].starts[1]
            if ready.any():
                yield from waiting.where(ready).in_order()
                waiting = waiting.where(~ready)
    yield from waiting.in_order()


def matches_by_segment(
    view: IndexView, tree: Node, experiment_ids: Sequence[int] | None
) -> Iterator[tuple[Segment, Bounds]]:
    """Each segment of facts with the documents that may match and are still alive."""
    plan = _Plan(view, tree, experiment_ids)
    for segment in view.facts:
        yield segment, plan.bounds(segment)


class _Plan:
    """One filter in some experiments, asked of one segment after the other."""

    def __init__(self, view: IndexView, tree: Node, experiment_ids: Sequence[int] | None) -> None:
        self._view = view
        self._tree = tree
        self._experiment_ids = experiment_ids
        self._text = TextHits(view)
        self._told = SessionAssessments(view.connection, view)

    def bounds(self, segment: Segment) -> Bounds:
        """The documents that may match and are still alive."""
        check_deadline()
        found = SegmentPlan(segment, self._text, self._told).bounds(self._tree)
        if not found.maybe.any():
            return found
        inside = in_experiments_mask(segment, self._experiment_ids) & self._view.alive(segment)
        return Bounds(found.maybe & inside, found.surely & inside)


def in_experiments_mask(segment: Segment, experiment_ids: Sequence[int] | None) -> Mask:
    """The documents of some experiments; None means all. Not to be changed."""
    if experiment_ids is None:
        return np.ones(segment.doc_count, dtype=np.bool_)
    if len(experiment_ids) == 1:
        return segment.experiment_mask(experiment_ids[0])
    found = np.zeros(segment.doc_count, dtype=np.bool_)
    for number in experiment_ids:
        found |= segment.experiment_mask(number)
    return found
