"""Which values a field has among the traces that match, and how many traces have each."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, func, select

from tracelake.model.errors import InvalidInput
from tracelake.model.filters.parse import parse_filter
from tracelake.model.ids import parse_experiment_ids
from tracelake.model.text import is_storable
from tracelake.store.api import Facet, FacetQuery, FacetValue, Total
from tracelake.store.compile import Compiled, Compiler
from tracelake.store.database import Database
from tracelake.store.finder import beyond_index, matching_rows
from tracelake.store.index.cache import ColumnCache
from tracelake.store.index.docs import Docs, Mask
from tracelake.store.index.facts import Facts
from tracelake.store.index.search import matches_by_segment
from tracelake.store.index.terms import Field, is_cut, parts_of, term
from tracelake.store.index.view import IndexView, Segment, shape_of
from tracelake.store.index.whole import SPAN_PARTS, Read, of_spans, whole
from tracelake.store.rows import AnyRow, AnySelect, trace_of
from tracelake.store.schema import assessments, spans, traces

_MOST_IN_TAIL: Final = 5000
"""So many traces newer than the index are looked at. With more, counts are not exact."""
_MS: Final = 1_000_000
_VALUES: Final = {
    "status": Field.STATE,
    "name": Field.NAME,
    "user": Field.USER,
    "session": Field.SESSION,
    "experiment": Field.EXPERIMENT,
}
_KEYS: Final = {
    "tags": Field.TAG,
    "metadata": Field.METADATA,
    "feedback": Field.FEEDBACK,
    "expectation": Field.EXPECTATION,
}
_SHAPE: Final = {
    "span.name": 0,
    "span.type": 1,
    "span.status": 2,
    "model": 3,
    "provider": 4,
    "tool": 5,
}
_KEYED: Final = {"tags.": Field.TAG, "metadata.": Field.METADATA}
_COLUMN_KEYS: Final = {
    "tags.mlflow.traceName": Field.NAME,
    "metadata.mlflow.trace.session": Field.SESSION,
    "metadata.mlflow.trace.user": Field.USER,
}
_ERROR: Final = "error"
_COLUMNS: Final = {
    "status": "state",
    "name": "name",
    "user": "user_id",
    "session": "session_id",
    "experiment": "experiment_id",
}
_JSON_COLUMNS: Final = {"tags": "tags", "metadata": "trace_metadata"}


class SqlFacets:
    """Implements `Facets`."""

    def __init__(self, database: Database, compiler: Compiler, cache: ColumnCache) -> None:
        self._database = database
        self._compiler = compiler
        self._cache = cache

    def find(self, query: FacetQuery) -> list[Facet]:
        counters = [_Counting(name, query.prefix) for name in query.fields]
        with self._database.read() as connection:
            is_exact = True
            for piece in self._pieces(connection, query):
                is_exact &= piece.is_exact
                for counting in counters:
                    counting.add(piece)
            return [counting.facet(connection, query.max_values, is_exact) for counting in counters]

    def count(self, query: FacetQuery) -> Total:
        with self._database.read() as connection:
            pieces = list(self._pieces(connection, query))
        return Total(sum(piece.at_most for piece in pieces), all(p.is_exact for p in pieces))

    def _pieces(self, connection: Connection, query: FacetQuery) -> Iterator["_Piece"]:
        tree = parse_filter(query.filter)
        numbers = parse_experiment_ids(query.experiment_ids)
        view = IndexView(connection, self._cache)
        for segment, bounds in matches_by_segment(view, tree, numbers):
            chosen = bounds.maybe & _in_range(segment, query)
            is_exact = bool((chosen == (bounds.surely & chosen)).all())
            yield _SegmentPiece(segment, chosen, is_exact)
        compiled = self._compiler.compile(tree)
        tail = _tail(view.facts_seq, compiled, numbers, query)
        newest = tail.order_by(traces.c.seq.desc()).limit(_MOST_IN_TAIL)
        rows: Sequence[Any] = connection.execute(newest).all()
        is_exact = len(rows) < _MOST_IN_TAIL
        at_most = 0
        if not is_exact:
            at_most = connection.execute(tail.with_only_columns(func.count())).scalar_one()
        if not compiled.exact:
            rows = matching_rows(connection, tree, rows)
        yield _TailPiece(Facts(connection, rows), rows, max(at_most, len(rows)), is_exact)


Found = tuple[str, int, Callable[[], list[int]]]
"""A value as terms have it, how many of the chosen traces have it, and which versions do."""


@dataclass(frozen=True, slots=True)
class _SegmentPiece:
    segment: Segment
    chosen: Mask
    is_exact: bool

    @property
    def at_most(self) -> int:
        return int(self.chosen.sum())

    def values(self, present: bytes) -> Iterator[Found]:
        """Values of a field that a trace has once, with how many chosen traces have each."""
        codes, values = self.segment.codes(present)
        counts = np.bincount(codes[self.chosen], minlength=len(values) + 1).tolist()
        for code, (value, count) in enumerate(zip(values, counts[1:], strict=True), 1):
            if count:
                yield value, count, partial(self._seqs_of_code, codes, code)

    def keys(self, field: Field) -> Iterator[Found]:
        for found, docs in self.segment.terms.keys(field.value):
            yield self._found(parts_of(found)[0], docs)

    def many(self, present: bytes) -> Iterator[Found]:
        """Values of a field that a trace may have several of."""
        for found, docs in self.segment.values(present):
            yield self._found(found, docs)

    def shapes(self, part: int) -> Iterator[Found]:
        for (value,), docs in self.segment.shape_groups((part,)):
            if value is not None:
                yield self._found(value, docs)

    def _found(self, value: str, docs: Docs) -> Found:
        is_mask = docs.dtype == np.bool_
        chosen = self.chosen & docs if is_mask else self.chosen[docs]
        return value, int(np.count_nonzero(chosen)), partial(self._seqs, docs)

    def _seqs_of_code(self, codes: Any, code: int) -> list[int]:
        return self._seqs(codes == code)

    def _seqs(self, docs: Any) -> list[int]:
        return self.segment.column("seq")[docs].tolist()


@dataclass(frozen=True, slots=True)
class _TailPiece:
    """Traces that the index does not know yet, by the terms it will give them."""

    facts: Facts
    rows: Sequence[AnyRow]
    at_most: int
    is_exact: bool

    def values(self, present: bytes) -> Iterator[Found]:
        low, high = present + b"\0", present + b"\x01"
        for found, positions in self.facts.positions().items():
            if low <= found < high:
                yield self._found(parts_of(found)[-1], positions)

    many = values

    def keys(self, field: Field) -> Iterator[Found]:
        for found, positions in self.facts.positions().items():
            if found[:2] == field.value + b"\0" and found.count(b"\0") == 1:
                yield self._found(parts_of(found)[0], positions)

    def shapes(self, part: int) -> Iterator[Found]:
        by_value: dict[str, list[list[int]]] = {}
        for found, positions in self.facts.positions().items():
            if found[:2] == Field.SHAPE.value + b"\0":
                value = shape_of(found)[part]
                if value is not None:
                    by_value.setdefault(value, []).append(positions)
        for value, positions in by_value.items():
            yield self._found(value, [position for some in positions for position in some])

    def _found(self, value: str, positions: Sequence[int]) -> Found:
        found = set(positions)
        return value, len(found), lambda: [self.rows[position].seq for position in found]


_Piece = _SegmentPiece | _TailPiece


class _Counting:
    """The values of one field, over all pieces."""

    def __init__(self, name: str, prefix: str) -> None:
        self._name = name
        self._prefix = prefix
        self._source = _source_of(name)
        self._counts: Counter[str] = Counter()
        self._seqs: dict[str, list[Callable[[], list[int]]]] = defaultdict(list)
        """Of values that are cut, who has them."""

    def add(self, piece: _Piece) -> None:
        counts, prefix = self._counts, self._prefix.lower()
        for value, count, seqs in self._source(piece):
            if count and value.lower().startswith(prefix):
                counts[value] += count
                if is_cut(value):
                    self._seqs[value].append(seqs)

    def facet(self, connection: Connection, max_values: int, is_exact: bool) -> Facet:
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        values = [
            FacetValue(self._whole(connection, value), count)
            for value, count in islice(ordered, max_values)
        ]
        return Facet(self._name, values, len(ordered), is_exact)

    def _whole(self, connection: Connection, value: str) -> str:
        read = _reader_of(self._name, connection)
        for seqs in self._seqs.get(value, ()):
            value = whole(connection, value, seqs(), read)
        return value


def _source_of(name: str) -> Callable[[_Piece], Iterable[Found]]:
    """What reads the values of a field from a piece. Raises InvalidInput."""
    if name in _KEYS:
        return lambda piece: piece.keys(_KEYS[name])
    if name in _SHAPE:
        return lambda piece: piece.shapes(_SHAPE[name])
    if name == _ERROR:
        return lambda piece: piece.many(term(Field.ERROR))
    field = _VALUES.get(name) or _COLUMN_KEYS.get(name)
    if field is not None:
        return lambda piece: piece.values(term(field))
    for beginning, keyed in _KEYED.items():
        if name.startswith(beginning) and len(name) > len(beginning) and is_storable(name):
            present = term(keyed, name.removeprefix(beginning))
            return lambda piece: piece.values(present)
    words = ", ".join([*_VALUES, *_KEYS, *_SHAPE, _ERROR])
    raise InvalidInput(f"field {name!r}: use one of {words}, tags.<key>, metadata.<key>")


def _reader_of(name: str, connection: Connection) -> Read:
    """What reads the values of a field from a row of traces."""
    if name in _SHAPE:
        return of_spans(connection, SPAN_PARTS[_SHAPE[name]])
    if name == _ERROR:
        return of_spans(connection, spans.c.error)
    if name in ("tags", "metadata"):
        return lambda row: getattr(row, _JSON_COLUMNS[name])
    if name in _KEYS:

        def names(row: AnyRow) -> Iterable[str]:
            query = select(assessments.c.name).where(assessments.c.trace_key == row.trace_key)
            return connection.scalars(query)

        return names
    if name in _VALUES:
        return lambda row: [getattr(row, _COLUMNS[name])]
    kind, _, key = name.partition(".")
    if kind == "tags":
        return lambda row: [trace_of(row).tags.get(key)]
    return lambda row: [trace_of(row).trace_metadata.get(key)]


def _in_range(segment: Segment, query: FacetQuery) -> Mask:
    chosen = np.ones(segment.doc_count, dtype=np.bool_)
    if query.start_time_ms is not None:
        chosen &= segment.column("start_ns") >= query.start_time_ms * _MS
    if query.end_time_ms is not None:
        chosen &= segment.column("start_ns") < query.end_time_ms * _MS
    return chosen


def _tail(
    facts_seq: int, compiled: Compiled, numbers: Sequence[int] | None, query: FacetQuery
) -> AnySelect:
    chosen = beyond_index(facts_seq, compiled.condition, numbers)
    if query.start_time_ms is not None:
        chosen = chosen.where(traces.c.start_ns + 0 >= query.start_time_ms * _MS)
    if query.end_time_ms is not None:
        chosen = chosen.where(traces.c.start_ns + 0 < query.end_time_ms * _MS)
    return chosen
