"""What a cut part of a term stands for: read from a trace that has it still."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from tracelake.store.index.terms import is_cut, shorten
from tracelake.store.rows import AnyRow
from tracelake.store.schema import spans, traces

_LOOK_UP: Final = 500
SPAN_PARTS: Final = (
    spans.c.name, spans.c.span_type, spans.c.status, spans.c.model, spans.c.provider, spans.c.tool,
)  # fmt: skip
"""The columns that the parts of a shape are cut from."""

Read = Callable[[AnyRow], Iterable[str | None]]
"""From a row of traces, all texts one of which may be the one that was cut."""


def whole(connection: Connection, part: str, seqs: Sequence[int], read: Read) -> str:
    """The text that a part was before it was cut, given the versions of traces that have it.

    The part as it is where none of these is its trace's latest any more.
    """
    if not is_cut(part):
        return part
    for at in range(0, len(seqs), _LOOK_UP):
        query = select(traces).where(traces.c.seq.in_(seqs[at : at + _LOOK_UP])).limit(1)
        row = connection.execute(query).first()
        if row is not None:
            return next((text for text in read(row) if text and shorten(text) == part), part)
    return part


def of_spans(connection: Connection, column: Any) -> Read:
    """Reads what the spans of a trace have in a column."""

    def read(row: AnyRow) -> Iterable[str | None]:
        query = select(column).where(spans.c.trace_key == row.trace_key)
        return connection.scalars(query.distinct())

    return read
