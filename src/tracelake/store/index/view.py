"""The index as one read transaction sees it: its visible segments, and where each index ends."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Text, cast, func, select

from tracelake.store.index.cache import ColumnCache
from tracelake.store.index.columns import Column, unpack_column, unpack_words
from tracelake.store.index.docs import Docs, Mask, Positions
from tracelake.store.index.facts import ASSESSMENT_FIELDS
from tracelake.store.index.lookup import SegmentTerms
from tracelake.store.index.terms import NOTHING, Field, parts_of, range_of, term
from tracelake.store.rows import AnyRow
from tracelake.store.schema import counters, index_columns, index_segments, stale_versions

Shape = tuple[str | None, ...]
"""Name, type, status, model, provider and tool of spans."""

_TERM_BYTES = 100
"""What a decoded shape is taken to weigh in memory."""


class IndexView:
    """Segments by index, newest last, and the change up to which each index knows."""

    def __init__(self, connection: Connection, cache: ColumnCache) -> None:
        self.connection = connection
        names = ("indexed_facts", "indexed_text")
        known = dict(
            connection.execute(
                select(counters.c.name, counters.c.value).where(counters.c.name.in_(names))
            ).all()
        )
        self.facts_seq: int = known["indexed_facts"]
        """Versions above it are in the tables only."""
        self.text_seq: int = known["indexed_text"]
        rows = connection.execute(select(index_segments).order_by(index_segments.c.first_seq))
        self._segments: dict[str, list[Segment]] = {"facts": [], "text": []}
        for row in rows:
            self._segments[row.index_name].append(Segment(connection, cache, row))
        self._stale: NDArray[np.int64] | None = None
        self._alive: dict[int, Mask] = {}

    @property
    def facts(self) -> "list[Segment]":
        return self._segments["facts"]

    @property
    def text(self) -> "list[Segment]":
        return self._segments["text"]

    def segments(self, name: str) -> "list[Segment]":
        """Those of an index, by change number."""
        return self._segments[name]

    def alive(self, segment: "Segment") -> Mask:
        """Which documents of a facts segment are still the versions that their traces have."""
        known = self._alive.get(segment.segment_id)
        if known is None:
            known = self._alive[segment.segment_id] = self._compute_alive(segment)
        return known

    def _compute_alive(self, segment: "Segment") -> Mask:
        if self._stale is None:
            self._stale = self._read_stale()
        mask = np.ones(segment.doc_count, dtype=np.bool_)
        first, end = np.searchsorted(self._stale, [segment.first_seq, segment.last_seq + 1])
        mask[segment.positions_of(self._stale[first:end])] = False
        return mask

    def _read_stale(self) -> NDArray[np.int64]:
        # In one text: every search asks, and as rows they took most of the time of a quick one.
        each = cast(stale_versions.c.seq, Text)
        query = select(func.aggregate_strings(each, ",")).where(
            stale_versions.c.seq <= self.facts_seq
        )
        told = self.connection.scalar(query) or ""
        return np.sort(np.fromstring(told, dtype=np.int64, sep=","))


class Segment:
    """One immutable piece of an index. Positions are 0 to `doc_count` - 1, by change number."""

    def __init__(self, connection: Connection, cache: ColumnCache, row: AnyRow) -> None:
        self._connection = connection
        self._cache = cache
        self.segment_id: int = row.segment_id
        self.first_seq: int = row.first_seq
        self.last_seq: int = row.last_seq
        self.doc_count: int = row.doc_count
        self.level: int = row.level
        self.terms = SegmentTerms(connection, row.segment_id)

    def column(self, name: str) -> Column:
        """The numbers of every document. `seq` is the version each position stands for."""

        def load() -> tuple[Column, int]:
            column = unpack_column(self._content(name))
            if column.dtype.kind == "i":
                column = column.astype(np.int64)
            return column, column.nbytes

        return self._cache.get((self.segment_id, name), load)

    @property
    def starts(self) -> tuple[int, int]:
        """When the first and the last trace of a segment of facts start, in nanoseconds."""

        def load() -> tuple[tuple[int, int], int]:
            column = self.column("start_ns")
            return (int(column.min()), int(column.max())), _TERM_BYTES

        return self._cache.get((self.segment_id, "starts"), load)

    def span_column(self, name: str) -> Column | None:
        """The numbers of every span, or of sums of spans; see `spans.py`. None: not kept."""

        def load() -> tuple[Column | None, int]:
            stored = self._content(name)
            column = unpack_column(stored) if stored else None
            return column, 0 if column is None else column.nbytes

        return self._cache.get((self.segment_id, name), load)

    def spans_of_gone(self, gone: Mask) -> NDArray[np.int64]:
        """Where in the columns of spans those of some documents are that are gone. Documents do not
        come back, so how many they are says which."""

        def load() -> tuple[NDArray[np.int64], int]:
            docs = self.span_column("span_doc")
            found = np.empty(0, np.int64) if docs is None else np.flatnonzero(gone[docs])
            return found, found.nbytes + _TERM_BYTES

        return self._cache.get((self.segment_id, f"gone:{np.count_nonzero(gone)}"), load)

    def codes(self, present: bytes) -> tuple[NDArray[np.int32], list[str]]:
        """For every document which value of a field it has, from 1, or 0; and the values, as kept
        in terms. `present` is the field's term without a value."""

        def load() -> tuple[Any, int]:
            codes = np.zeros(self.doc_count, dtype=np.int32)
            values: list[str] = []
            for each, docs in self.terms.between(*range_of(present)):
                values.append(parts_of(each)[-1])
                codes[docs] = len(values)
            return (codes, values), codes.nbytes + _TERM_BYTES * len(values)

        return self._cache.get((self.segment_id, f"codes:{present.hex()}"), load)

    def words(self) -> bytes:
        """Every word of the segment, one a line, line ends first and last."""

        def load() -> tuple[bytes, int]:
            stored = self._content("words")
            lines = unpack_words(stored) if stored else b"\n"
            return lines, len(lines)

        return self._cache.get((self.segment_id, "words"), load)

    def shapes(self) -> list[tuple[Shape, Positions]]:
        """The shapes of spans in the segment, as kept in terms, and who has them."""

        def load() -> tuple[list[tuple[Shape, Positions]], int]:
            found = [
                (shape_of(term), docs)
                for term, docs in self.terms.between(*range_of(Field.SHAPE.value))
            ]
            return found, sum(_TERM_BYTES + docs.nbytes for _, docs in found)

        return self._cache.get((self.segment_id, "shapes"), load)

    def shape_groups(self, parts: tuple[int, ...]) -> list[tuple[Shape, Docs]]:
        """The different values that spans have in some parts of a shape, together, and who has
        such a span."""

        def load() -> tuple[list[tuple[Shape, Docs]], int]:
            grouped: dict[Shape, list[Positions]] = {}
            for shape, docs in self.shapes():
                grouped.setdefault(tuple(shape[part] for part in parts), []).append(docs)
            found = [(values, self._docs_of(some)) for values, some in grouped.items()]
            return found, sum(_TERM_BYTES + docs.nbytes for _, docs in found)

        return self._cache.get((self.segment_id, f"groups:{parts}"), load)

    def _docs_of(self, some: list[Positions]) -> Docs:
        docs = np.unique(np.concatenate(some))
        return docs if docs.nbytes < self.doc_count else self.mask_of(docs)

    def assessments(self) -> list[tuple[list[str], Positions]]:
        """The name, value, source, kind and number of assessments that are alike, and who has
        them."""

        def load() -> tuple[list[tuple[list[str], Positions]], int]:
            found = [
                ([name, value, source, kind, count], docs)
                for kind, (field, _) in ASSESSMENT_FIELDS.items()
                for each, docs in self.terms.between(*range_of(field.value))
                if each.count(b"\0") > 1
                for name, value, source, count in [parts_of(each)]
            ]
            return found, sum(_TERM_BYTES + docs.nbytes for _, docs in found)

        return self._cache.get((self.segment_id, "assessments"), load)

    def session_assessments(self, field: Field) -> dict[str, list[tuple[list[str], Positions]]]:
        """By name, those that speak of whole sessions: value, session and experiment, and on which
        documents they stand."""

        def load() -> tuple[dict[str, list[tuple[list[str], Positions]]], int]:
            by_name: dict[str, list[tuple[list[str], Positions]]] = {}
            size = _TERM_BYTES
            for each, docs in self.terms.between(*range_of(field.value)):
                name, *parts = parts_of(each)
                by_name.setdefault(name, []).append((parts, docs))
                size += _TERM_BYTES + docs.nbytes
            return by_name, size

        return self._cache.get((self.segment_id, f"sessions:{field.value.hex()}"), load)

    def mask(self, term: bytes) -> Mask:
        """The same as a mask over the segment."""
        return self.mask_of(self.terms.docs(term))

    def experiment_mask(self, number: int) -> Mask:
        """The documents of an experiment, which nearly every search asks for. Not to be changed."""

        def load() -> tuple[Mask, int]:
            mask = self.mask(term(Field.EXPERIMENT, str(number)))
            return mask, mask.nbytes

        return self._cache.get((self.segment_id, f"experiment:{number}"), load)

    def mask_of(self, *positions: Docs) -> Mask:
        found = np.zeros(self.doc_count, dtype=np.bool_)
        for some in positions:
            found[some] = True
        return found

    def values(self, present: bytes) -> list[tuple[str, Positions]]:
        """The values of a field and who has them. `present` is its term without a value."""

        def load() -> tuple[list[tuple[str, Positions]], int]:
            found = [
                (parts_of(term)[-1], docs) for term, docs in self.terms.between(*range_of(present))
            ]
            return found, sum(_TERM_BYTES + docs.nbytes for _, docs in found)

        return self._cache.get((self.segment_id, f"values:{present.hex()}"), load)

    def positions_of(self, seqs: NDArray[np.int64]) -> Positions:
        """Where these versions, ascending, are; those that are not here are left out."""
        own = self.column("seq")
        low, high = np.searchsorted(seqs, (self.first_seq, self.last_seq + 1))
        seqs = seqs[low:high]
        if not len(own) or not len(seqs):
            return np.empty(0, dtype=np.uint32)
        at = np.searchsorted(own, seqs)
        inside = at < len(own)
        at = at[inside]
        return at[own[at] == seqs[inside]].astype(np.uint32)

    def _content(self, name: str) -> bytes:
        query = select(index_columns.c.content).where(
            index_columns.c.segment_id == self.segment_id, index_columns.c.name == name
        )
        return self._connection.execute(query).scalar() or b""


def shape_of(term: bytes) -> Shape:
    """The shape that a term stands for, its parts as `terms.shorten` left them."""
    return tuple(None if part == NOTHING else part for part in parts_of(term))
