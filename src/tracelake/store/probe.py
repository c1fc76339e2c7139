"""A quick look at payloads, undecoded, for a text that a match must have.

The index lets through traces that have all words of "give me back", wherever they stand. To decode
one and see costs many times what a look through its bytes costs.
"""

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from tracelake.model.entities import SpanType
from tracelake.model.filters.patterns import literal_pieces
from tracelake.model.filters.tree import And, Clause, Entity, Node, OnSpan, Op
from tracelake.store.payload import unpack_piece
from tracelake.store.rows import AnyRow
from tracelake.store.schema import CHUNK_BITS, chunks

_LOOK_UP: Final = 100
# Only what every JSON writer leaves as it is. A space or a mark is in no number and no base64, so
# the piece can only stand in a text that came as text.
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _.,:;!?()@#*-]*[ _,:;!?()@#*][A-Za-z0-9 _.,:;!?()@#*-]*")
_MADE_UP: Final = " ".join([*SpanType, "messages role"]).lower()
"""What reading a span adds to its payload."""
# Characters that fold to plain letters, and a plain character written as an escape.
_DECEIVERS: Final = (b"\xe2\x84\xaa", b"\xc4\xb0", b"\\u212a", b"\\u0130", b"\\u00")


class TextProbe:
    """Tells traces that cannot match from those that have to be decoded."""

    def __init__(self, needles: Sequence[bytes]) -> None:
        self._needles = needles

    @classmethod
    def of(cls, tree: Node) -> "TextProbe | None":
        """None where no plain text is wanted of every match."""
        needles = [needle for clause in _demanded(tree) for needle in _needles_of(clause)]
        return cls(needles) if needles else None

    def left(self, connection: Connection, rows: Sequence[AnyRow]) -> set[int]:
        """The keys of those of some traces that may match."""
        missing = {row.trace_key: set(self._needles) for row in rows}
        ids = [(row.trace_key << CHUNK_BITS) + n for row in rows for n in range(row.chunk_count)]
        for at in range(0, len(ids), _LOOK_UP):
            query = select(chunks).where(chunks.c.chunk_id.in_(ids[at : at + _LOOK_UP]))
            for row in connection.execute(query):
                wanted = missing[row.chunk_id >> CHUNK_BITS]
                if not wanted:
                    continue
                if row.large_values is not None:
                    wanted.clear()
                    continue
                content = unpack_piece(row.payload).lower()
                if any(deceiver in content for deceiver in _DECEIVERS):
                    wanted.clear()
                else:
                    wanted.difference_update([n for n in wanted if n in content])
        return {key for key, wanted in missing.items() if not wanted}


def _demanded(tree: Node) -> list[Clause]:
    """Clauses that hold for every match."""
    match tree:
        case And(items):
            return [clause for item in items for clause in _demanded(item)]
        case OnSpan(item):
            return _demanded(item)
        case Clause():
            return [tree]
        case _:
            return []


def _needles_of(clause: Clause) -> list[bytes]:
    is_text = clause.entity is Entity.ATTRIBUTE and clause.key == "text"
    is_content = clause.entity is Entity.SPAN and clause.key == "content"
    if not (is_text or is_content) or clause.op not in (Op.LIKE, Op.ILIKE):
        return []
    pieces = [piece.lower() for piece in literal_pieces(str(clause.value))]
    return [piece.encode() for piece in pieces if _PLAIN.fullmatch(piece) and piece not in _MADE_UP]
