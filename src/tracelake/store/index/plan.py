"""A filter's tree on one segment: which documents may match, and which surely do.

What the index cannot tell widens the first set and narrows the second; `evaluate` then looks at the
documents between the two.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tracelake.model.filters.evaluate import compare, value_matches
from tracelake.model.filters.tree import And, Clause, Entity, Node, Not, OnSpan, Op, Or
from tracelake.store.index.columns import NO_NUMBER, Column
from tracelake.store.index.docs import Mask, Positions
from tracelake.store.index.facts import ASSESSMENT_FIELDS, value_of_part
from tracelake.store.index.hits import TextHits
from tracelake.store.index.sessions import SessionAssessment, SessionAssessments
from tracelake.store.index.terms import (
    Field,
    is_cut,
    parts_of,
    range_of,
    shorten,
    term,
    term_of_parts,
)
from tracelake.store.index.view import Segment, Shape
from tracelake.store.rows import SCHEMA_VERSION

_MS: Final = 1_000_000
_TEXT_FIELDS: Final = {
    "status": Field.STATE,
    "name": Field.NAME,
    "user": Field.USER,
    "session": Field.SESSION,
    "client_request_id": Field.CLIENT_REQUEST_ID,
}
_NUMBERS: Final = {
    "tokens": "tokens",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cost": "cost",
}
_SHAPE_PARTS: Final = {"name": 0, "type": 1, "status": 2, "model": 3, "provider": 4, "tool": 5}
_SHAPE_SETS: Final = ("model", "provider", "tool")
_COMPUTED_METADATA: Final = {"mlflow.trace.tokenUsage": "tokens", "mlflow.trace.cost": "cost"}
_METADATA_FIELDS: Final = {
    "mlflow.trace.session": Field.SESSION,
    "mlflow.trace.user": Field.USER,
}
_NUMPY: Final[dict[Op, Callable[[Column, float], Mask]]] = {
    Op.EQ: np.equal,
    Op.NE: np.not_equal,
    Op.GT: np.greater,
    Op.GE: np.greater_equal,
    Op.LT: np.less,
    Op.LE: np.less_equal,
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Every document that matches is in `maybe`; every one in `surely` matches."""

    maybe: Mask
    surely: Mask

    @classmethod
    def exactly(cls, mask: Mask) -> "Bounds":
        return cls(mask, mask)

    def __and__(self, other: "Bounds") -> "Bounds":
        return Bounds(self.maybe & other.maybe, self.surely & other.surely)

    def __or__(self, other: "Bounds") -> "Bounds":
        return Bounds(self.maybe | other.maybe, self.surely | other.surely)

    def __invert__(self) -> "Bounds":
        return Bounds(~self.surely, ~self.maybe)


class SegmentPlan:
    """Evaluates trees on one segment."""

    def __init__(self, segment: Segment, text: TextHits, told: SessionAssessments) -> None:
        self._segment = segment
        self._text = text
        self._told = told

    def bounds(self, node: Node) -> Bounds:
        match node:
            case And(items):
                found = self._everything()
                for item in sorted(items, key=_is_dear):
                    found &= self.bounds(item)
                    if not found.maybe.any():
                        break
                return found
            case Or(items):
                found = self._nothing()
                for item in items:
                    found |= self.bounds(item)
                return found
            case Not(item):
                return ~self.bounds(item)
            case OnSpan(item):
                return self._on_span(item)
            case Clause():
                return self._clause(node)

    def _everything(self) -> Bounds:
        return Bounds.exactly(np.ones(self._segment.doc_count, dtype=np.bool_))

    def _nothing(self) -> Bounds:
        return Bounds.exactly(np.zeros(self._segment.doc_count, dtype=np.bool_))

    def _open(self, maybe: Mask | None = None) -> Bounds:
        """Nothing is sure, and no more than `maybe` is possible."""
        if maybe is None:
            maybe = self._everything().maybe
        return Bounds(maybe, self._nothing().surely)

    def _clause(self, clause: Clause) -> Bounds:
        key = clause.key
        match clause.entity:
            case Entity.ATTRIBUTE if key in _TEXT_FIELDS:
                return self._values(clause, _TEXT_FIELDS[key])
            case Entity.ATTRIBUTE if key in _SHAPE_SETS:
                return self._shape_set(clause, _SHAPE_PARTS[key])
            case Entity.ATTRIBUTE if key == "error":
                return self._values(clause, Field.ERROR, many=True)
            case Entity.ATTRIBUTE if key == "run_id":
                return self._values(clause, Field.METADATA, "mlflow.sourceRun")
            case Entity.ATTRIBUTE if key == "text":
                return self._open(self._text_mask(clause))
            case Entity.ATTRIBUTE if key == "prompt":
                return self._open(self._segment.mask(term(Field.TAG, "mlflow.linkedPrompts")))
            case Entity.ATTRIBUTE:
                return self._number(clause)
            case Entity.TAG if key == "mlflow.traceName":
                return self._values(clause, Field.NAME)
            case Entity.TAG:
                return self._values(clause, Field.TAG, key)
            case Entity.METADATA if key in _COMPUTED_METADATA:
                return self._computed(clause, _COMPUTED_METADATA[key])
            case Entity.METADATA if key == "mlflow.trace_schema.version":
                holds = compare(clause.op, SCHEMA_VERSION, clause.value)
                return self._everything() if holds else self._nothing()
            case Entity.METADATA if key in _METADATA_FIELDS:
                return self._values(clause, _METADATA_FIELDS[key])
            case Entity.METADATA:
                return self._values(clause, Field.METADATA, key)
            case Entity.FEEDBACK | Entity.EXPECTATION:
                return self._assessed(clause)
            case Entity.ISSUE:
                return Bounds.exactly(self._segment.mask(term(Field.ISSUE, str(clause.value))))
            case _:
                return self._open()

    def _assessed(self, clause: Clause) -> Bounds:
        field, of_session = ASSESSMENT_FIELDS[str(clause.entity)]
        assert of_session is not None
        if clause.op is Op.IS_NULL:
            some = Clause(clause.entity, clause.key, Op.IS_NOT_NULL, None, clause.column)
            return ~self._assessed(some)
        present = term(field, clause.key)
        if clause.op is Op.IS_NOT_NULL:
            found = Bounds.exactly(self._segment.mask(present))
        else:
            found = self._where(present, lambda part: _judge_value(clause, part), 1)
        for told in self._told.of_sessions(of_session, clause.key):
            always = clause.op is Op.IS_NOT_NULL
            verdict = True if always else _judge_value(clause, told.value_part)
            if verdict is not False:
                mask = self._session(told)
                found |= Bounds.exactly(mask) if verdict else self._open(mask)
        return found

    def _session(self, told: SessionAssessment) -> Mask:
        """The traces of the session that an assessment speaks of."""
        inside = self._segment.mask(term(Field.EXPERIMENT, told.experiment))
        return inside & self._segment.mask(term_of_parts(Field.SESSION, told.session_part))

    def _values(self, clause: Clause, field: Field, *parts: str, many: bool = False) -> Bounds:
        """A comparison with the value of a field; with `many`, a document may have several."""
        present = term(field, *parts)
        match clause.op:
            case Op.IS_NOT_NULL:
                return Bounds.exactly(self._segment.mask(present))
            case Op.IS_NULL:
                return Bounds.exactly(~self._segment.mask(present))
            case Op.EQ | Op.NE | Op.IN | Op.NOT_IN:
                wanted: Any = clause.value
                words = (wanted,) if isinstance(wanted, str) else wanted
                mask = self._segment.mask_of(
                    *(self._segment.terms.docs(term(field, *parts, word)) for word in words)
                )
                if clause.op in (Op.NE, Op.NOT_IN):
                    mask = self._segment.mask(present) & ~mask
                return Bounds.exactly(mask)
            case _:
                return self._where(present, lambda part: _judge(clause, part))

    def _where(
        self, present: bytes, verdict_of: Callable[[str], bool | None], part: int = -1
    ) -> Bounds:
        """A question that every value there is, as a part of terms, answers for itself."""
        found: list[Positions] = []
        unsure: list[Positions] = []
        for each, docs in self._segment.terms.between(*range_of(present)):
            verdict = verdict_of(parts_of(each)[part])
            if verdict is None:
                unsure.append(docs)
            elif verdict:
                found.append(docs)
        return Bounds(self._segment.mask_of(*found, *unsure), self._segment.mask_of(*found))

    def _shape_set(self, clause: Clause, part: int) -> Bounds:
        """A comparison with the set of models, providers or tools of a trace."""
        shapes = self._segment.shapes()
        present = self._segment.mask_of(
            *(docs for shape, docs in shapes if shape[part] is not None)
        )
        match clause.op:
            case Op.IS_NOT_NULL:
                return Bounds.exactly(present)
            case Op.IS_NULL:
                return Bounds.exactly(~present)
            case Op.NE | Op.NOT_IN:
                opposite = Op.EQ if clause.op is Op.NE else Op.IN
                other = Clause(clause.entity, clause.key, opposite, clause.value, clause.column)
                return Bounds.exactly(present) & ~self._shape_set(other, part)
            case _:
                return self._shapes_where(lambda shape: _judge(clause, shape[part]))

    def _on_span(self, node: Node) -> Bounds:
        found = self._shapes_where(lambda shape: _judge_shape(node, shape))
        narrowed = self._text_of_spans(node)
        return found if narrowed is None else found & self._open(narrowed)

    def _shapes_where(self, verdict_of: Callable[[Shape], bool | None]) -> Bounds:
        found: list[Positions] = []
        unsure: list[Positions] = []
        for shape, docs in self._segment.shapes():
            verdict = verdict_of(shape)
            if verdict is None:
                unsure.append(docs)
            elif verdict:
                found.append(docs)
        surely = self._segment.mask_of(*found)
        return Bounds(surely | self._segment.mask_of(*unsure) if unsure else surely, surely)

    def _text_of_spans(self, node: Node) -> Mask | None:
        """Documents whose text may have what every conjunct on payloads asks for."""
        clauses = node.items if isinstance(node, And) else (node,)
        found: Mask | None = None
        for clause in clauses:
            mask = self._text_mask(clause) if isinstance(clause, Clause) else None
            if mask is not None:
                found = mask if found is None else found & mask
        return found

    def _text_mask(self, clause: Clause) -> Mask | None:
        segment = self._segment
        seqs = self._text.candidates(clause, segment.first_seq, segment.last_seq)
        if seqs is None:
            return None
        # What the text index has not read yet may match too.
        unread = self._segment.column("seq") > self._text.known_seq
        return self._segment.mask_of(self._segment.positions_of(seqs)) | unread

    def _computed(self, clause: Clause, name: str) -> Bounds:
        """Metadata that is written from numbers: only whether it is there is known here."""
        there = self._is_there(name)
        match clause.op:
            case Op.IS_NULL:
                return Bounds.exactly(~there)
            case Op.IS_NOT_NULL:
                return Bounds.exactly(there)
            case _:
                return self._open(there)

    def _is_there(self, name: str) -> Mask:
        column = self._segment.column(name)
        return ~np.isnan(column) if column.dtype.kind == "f" else column != NO_NUMBER

    def _number(self, clause: Clause) -> Bounds:
        match clause.key:
            case "timestamp_ms":
                return self._started(clause)
            case "execution_time_ms":
                duration = self._segment.column("duration_ns")
                return self._compared(clause, duration // _MS, duration != NO_NUMBER)
            case "end_time_ms":
                duration = self._segment.column("duration_ns")
                start_ms = self._segment.column("start_ns") // _MS
                lasted_ms = np.where(duration == NO_NUMBER, 0, duration // _MS)
                return self._compared(clause, start_ms + lasted_ms, None)
            case key if key in _NUMBERS:
                name = _NUMBERS[key]
                return self._compared(clause, self._segment.column(name), self._is_there(name))
            case _:
                return self._open()

    def _started(self, clause: Clause) -> Bounds:
        first, last = (start_ns // _MS for start_ns in self._segment.starts)
        if clause.op in (Op.GT, Op.GE, Op.LT, Op.LE):
            verdicts = {compare(clause.op, start_ms, clause.value) for start_ms in (first, last)}
            if len(verdicts) == 1:
                return self._everything() if verdicts.pop() else self._nothing()
        return self._compared(clause, self._segment.column("start_ns") // _MS, None)

    def _compared(self, clause: Clause, column: Column, is_there: Mask | None) -> Bounds:
        present = self._everything().maybe if is_there is None else is_there
        match clause.op:
            case Op.IS_NULL:
                return Bounds.exactly(~present)
            case Op.IS_NOT_NULL:
                return Bounds.exactly(present)
            case _:
                mask = _compare_column(clause.op, column, clause.value)
                return Bounds.exactly(mask & present)


def _is_dear(node: Node) -> bool:
    """Whether something is read to answer it. A time is known of the whole segment."""
    return not (isinstance(node, Clause) and node.key == "timestamp_ms")


def _compare_column(op: Op, column: Column, wanted: Any) -> Mask:
    if isinstance(wanted, int) and abs(wanted) >= 2**63:
        above = wanted > 0
        holds = op is Op.NE or (op in (Op.LT, Op.LE) if above else op in (Op.GT, Op.GE))
        return np.full(len(column), holds, dtype=np.bool_)
    return _NUMPY[op](column, wanted)


def _judge(clause: Clause, part: str | None) -> bool | None:
    """One comparison with a part of a term; None where the part is cut and that matters."""
    if part is None or not is_cut(part):
        return compare(clause.op, part, clause.value)
    wanted: Any = clause.value
    match clause.op:
        case Op.EQ | Op.NE:
            return compare(clause.op, part, shorten(wanted))
        case Op.IN | Op.NOT_IN:
            return compare(clause.op, part, tuple(shorten(word) for word in wanted))
        case Op.IS_NULL | Op.IS_NOT_NULL:
            return clause.op is Op.IS_NOT_NULL
        case _:
            return None


def _judge_value(clause: Clause, part: str) -> bool | None:
    """One comparison with an assessment's value, as a part of its term."""
    return None if is_cut(part) else value_matches(clause, value_of_part(part))


def _judge_shape(node: Node, shape: Shape) -> bool | None:
    """What a span's shape says of a tree of span clauses; None where it does not say."""
    match node:
        case And(items):
            return _all(_judge_shape(item, shape) for item in items)
        case Or(items):
            return _any(_judge_shape(item, shape) for item in items)
        case Not(item):
            inside = _judge_shape(item, shape)
            return None if inside is None else not inside
        case Clause(entity=Entity.SPAN, key=key) if key in _SHAPE_PARTS:
            return _judge(node, shape[_SHAPE_PARTS[key]])
        case _:
            return None


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    sure = True
    for verdict in verdicts:
        if verdict is False:
            return False
        sure = sure and verdict is True
    return True if sure else None


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    sure = True
    for verdict in verdicts:
        if verdict is True:
            return True
        sure = sure and verdict is False
    return False if sure else None
