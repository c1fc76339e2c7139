"""A quick look at payloads for the texts that a filter asks for.

To decode a trace into spans and read their content costs milliseconds. Whether a text stands in
one of its strings, or in none of its bytes, shows in a tenth of one, and decides nearly always.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from sqlalchemy import Connection, select

from tracelake.model.entities import SpanType
from tracelake.model.filters.patterns import literal_pieces
from tracelake.model.filters.tree import And, Clause, Entity, Node, OnSpan, Op, clauses_of
from tracelake.store.chunks import payload_of
from tracelake.store.payload import spans_in_order, unpack_piece
from tracelake.store.rows import AnyRow
from tracelake.store.schema import CHUNK_BITS, chunks

_LOOK_UP: Final = 100
# Only what every JSON writer leaves as it is, or writes as \u and its code. Besides these, letters
# that have no case.
_PLAIN_ASCII: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,:;!?()@#*-"
)
_IN_NUMBERS: Final = re.compile(r"[A-Za-z0-9.-]*")
"""Numbers are written in other digits by a reader of JSON, and bytes as base64."""
_MADE_UP: Final = " ".join([*SpanType, "messages role"]).lower()
"""What reading a span adds to its payload."""
# Characters that fold to plain letters.
_DECEIVERS: Final = (b"\xe2\x84\xaa", b"\xc4\xb0")
_ESCAPES: Final = re.compile(rb"(?:\\+u[0-9a-f]{4})+")
"""JSON in a text of JSON has its backslashes doubled."""

Known = Mapping[Clause, bool]
"""Clauses that a look has decided: for a clause on spans, that no span of the trace meets it."""
NOTHING_KNOWN: Final[Known] = {}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a look can see of a clause. Bytes are in lower case."""

    clause: Clause
    needles: frozenset[bytes]
    """A payload that lacks one of them, escapes undone, does not match."""
    literal: str | None
    """A string of a span that has it in it meets the clause; in lower case for ILIKE."""
    hint: bytes
    """What lacks it is not worth looking through for such a string."""


@dataclass(slots=True)
class _Seen:
    """What was seen of one trace so far."""

    missing: dict[Clause, set[bytes]]
    is_split: bool
    said: set[Clause] = field(default_factory=set[Clause])
    span_count: int = 0
    has_unseen: bool = False
    """Values that lie elsewhere may hold any text."""


class TextProbe:
    """Looks for the texts of one tree."""

    def __init__(self, tree: Node) -> None:
        self._wanted = [
            wanted for clause in dict.fromkeys(clauses_of(tree)) if (wanted := _wanted_by(clause))
        ]
        self._demanded = frozenset(_demanded(tree))

    def known(self, connection: Connection, rows: Sequence[AnyRow]) -> dict[int, Known]:
        """What is known of some traces, by key, without those that surely do not match."""
        if not self._wanted:
            return {row.trace_key: NOTHING_KNOWN for row in rows}
        by_key = {
            row.trace_key: _Seen(
                {want.clause: set(want.needles) for want in self._wanted}, row.chunk_count > 1
            )
            for row in rows
        }
        ids = [(row.trace_key << CHUNK_BITS) + n for row in rows for n in range(row.chunk_count)]
        for at in range(0, len(ids), _LOOK_UP):
            query = select(chunks).where(chunks.c.chunk_id.in_(ids[at : at + _LOOK_UP]))
            for chunk in connection.execute(query):
                seen = by_key[chunk.chunk_id >> CHUNK_BITS]
                seen.has_unseen |= chunk.large_values is not None
                self._look(seen, unpack_piece(payload_of(chunk)))
        concluded = ((row.trace_key, self._conclude(by_key[row.trace_key], row)) for row in rows)
        return {key: known for key, known in concluded if known is not None}

    def _look(self, seen: _Seen, content: bytes) -> None:
        folded = content.lower()
        unescaped: bytes | None = None
        for want in self._wanted:
            missing = seen.missing[want.clause]
            missing -= {needle for needle in missing if needle in folded}
            if missing and any(deceiver in content for deceiver in _DECEIVERS):
                missing.clear()
            if missing and b"\\u" in folded:
                unescaped = _unescaped(folded) if unescaped is None else unescaped
                missing -= {needle for needle in missing if needle in unescaped}
        hopeful = [
            want
            for want in self._wanted
            if want.literal is not None and want.clause not in seen.said and want.hint in folded
        ]
        if hopeful or seen.is_split:
            for _, _, span in spans_in_order(TracesData.FromString(content)):
                seen.span_count += 1
                seen.said.update(want.clause for want in hopeful if _says(span, want))

    def _conclude(self, seen: _Seen, row: AnyRow) -> Known | None:
        known: dict[Clause, bool] = {}
        for want in self._wanted:
            # A span that came again leaves its old text in an old chunk.
            if want.clause in seen.said and seen.span_count == row.span_count:
                known[want.clause] = True
            elif seen.missing[want.clause] and not seen.has_unseen:
                if want.clause in self._demanded:
                    return None
                known[want.clause] = False
        return known


def _demanded(tree: Node) -> Iterator[Clause]:
    """Clauses that hold for every match."""
    match tree:
        case And(items):
            for item in items:
                yield from _demanded(item)
        case OnSpan(item):
            yield from _demanded(item)
        case Clause():
            yield tree
        case _:
            pass


def _wanted_by(clause: Clause) -> _Wanted | None:
    is_text = clause.entity is Entity.ATTRIBUTE and clause.key == "text"
    is_content = clause.entity is Entity.SPAN and clause.key == "content"
    if not (is_text or is_content) or clause.op not in (Op.LIKE, Op.ILIKE):
        return None
    pattern = str(clause.value)
    pieces = literal_pieces(pattern)
    needles = frozenset(piece.lower().encode() for piece in pieces if _is_needle(piece))
    literal, hint = None, b""
    # A line end may be that between two strings; what is stored has no NUL.
    if is_text and len(pieces) == 1 and pattern == f"%{pieces[0]}%" and pieces[0].isprintable():
        literal = pieces[0]
        hint = literal.encode().lower()
        if clause.op is Op.ILIKE:
            literal = literal.lower()
            hint = hint if literal.isascii() else b""
    return _Wanted(clause, needles, literal, hint) if needles or literal else None


def _is_needle(piece: str) -> bool:
    """Whether what has this piece in its content has it in its payload, save case and escapes."""
    return (
        all(char in _PLAIN_ASCII or unicodedata.category(char) == "Lo" for char in piece)
        and not _IN_NUMBERS.fullmatch(piece)
        and piece.lower() not in _MADE_UP
    )


def _says(span: Span, want: _Wanted) -> bool:
    return _is_said_in(span.attributes, want) or any(
        _is_said_in(event.attributes, want) for event in span.events
    )


def _is_said_in(pairs: Sequence[KeyValue], want: _Wanted) -> bool:
    literal = want.literal
    assert literal is not None
    is_folded = want.clause.op is Op.ILIKE
    for n, pair in enumerate(pairs):
        text = pair.value.string_value
        if literal in (text.lower() if is_folded else text):
            # Of two equal keys only the later one is content.
            return all(pair.key != later.key for later in pairs[n + 1 :])
    return False


def _unescaped(folded: bytes) -> bytes:
    """The codes in JSON texts as the characters they stand for, also where a backslash was meant:
    what is there is only looked for what is missing."""
    return _ESCAPES.sub(_characters, folded)


def _characters(escapes: re.Match[bytes]) -> bytes:
    units = escapes.group().replace(b"\\", b"").replace(b"u", b"")
    text = bytes.fromhex(units.decode()).decode("utf-16-be", "replace")
    return text.encode().lower()
