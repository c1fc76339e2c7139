"""The order of a trace list and where a page of it begins: keyset paging over any allowed keys."""

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, and_, false, func, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from tracelake.model.errors import InvalidInput
from tracelake.model.filters.fields import nearest, trace_field
from tracelake.model.text import is_storable
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.rows import AnyRow
from tracelake.store.schema import traces

_ITEM: Final = re.compile(
    r"\s*(?:(?P<entity>tags?|metadata|request_metadata|attributes?|trace)\.)?"
    r"(?:`(?P<quoted>[^`]+)`|\"(?P<in_quotes>[^\"]+)\"|(?P<key>[\w.\-/:]+))(?:\s+(?P<way>ASC|DESC))?\s*\Z",
    re.IGNORECASE,
)


class _ByCodePoint(FunctionElement[str]):
    """A text that both engines order alike: PostgreSQL would follow the database's locale."""

    type = Text()
    inherit_cache = True


@compiles(_ByCodePoint)
def _plain(element: Any, compiler: Any, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_ByCodePoint, "postgresql")
def _in_c(element: Any, compiler: Any, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


_MOST_KEYS: Final = 10
"""A page begins at a condition that grows with their square."""
_NUMBERS: Final[dict[str, ColumnElement[Any]]] = {
    "experiment_id": traces.c.experiment_id,
    "timestamp_ms": traces.c.start_ns,
    "execution_time_ms": traces.c.end_ns - traces.c.start_ns,
    "end_time_ms": func.coalesce(traces.c.end_ns, traces.c.start_ns),
    "tokens": traces.c.total_tokens,
    "input_tokens": traces.c.input_tokens,
    "output_tokens": traces.c.output_tokens,
    "cost": traces.c.total_cost,
}
_TEXTS: Final[dict[str, ColumnElement[Any]]] = {
    "status": traces.c.state,
    "name": traces.c.name,
    "run_id": traces.c.trace_metadata["mlflow.sourceRun"].as_string(),
    "client_request_id": traces.c.client_request_id,
    "user": traces.c.user_id,
    "session": traces.c.session_id,
}
_NEVER_NULL: Final = frozenset({"experiment_id", "timestamp_ms", "end_time_ms", "status"})
_RESERVED: Final = frozenset({"mlflow.trace.tokenUsage", "mlflow.trace.cost"})
_COLUMN_METADATA: Final = {
    "mlflow.trace.session": "session",
    "mlflow.trace.user": "user",
    "mlflow.sourceRun": "run_id",
}


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    column: ColumnElement[Any]
    descending: bool
    nullable: bool
    values: type | tuple[type, ...]
    """What a page token may hold for this key."""


class TraceOrder:
    """Parsed `order_by`; default newest first. Ties end at the trace id, nulls come last."""

    def __init__(self, order_by: tuple[str, ...]) -> None:
        """Raises InvalidInput for a key that cannot be ordered by, and for too many."""
        if len(order_by) > _MOST_KEYS:
            raise InvalidInput(f"order_by has {len(order_by)} keys; it may have {_MOST_KEYS}")
        keys = [_parse(item) for item in order_by] or [_number("timestamp_ms", True)]
        self._keys = [*keys, _Key("request_id", traces.c.trace_id, False, False, str)]
        self.name = ",".join(f"{key.name}{' DESC' if key.descending else ''}" for key in keys)

    def columns(self) -> list[ColumnElement[Any]]:
        """The key columns, labelled `order_0` and on, to select beside the trace."""
        return [key.column.label(f"order_{n}") for n, key in enumerate(self._keys)]

    def order_by(self) -> list[ColumnElement[Any]]:
        ordered: list[ColumnElement[Any]] = []
        for key in self._keys:
            way = key.column.desc() if key.descending else key.column.asc()
            ordered.append(way.nulls_last() if key.nullable else way)
        return ordered

    def token(self, row: AnyRow, scope: str) -> str:
        """The token of a page that ended at `row`."""
        values = [getattr(row, f"order_{n}") for n in range(len(self._keys))]
        return encode_token(scope + self.name, [_to_json(value) for value in values])

    @property
    def is_newest_first(self) -> bool:
        """Whether this is the default order."""
        return self.name == "timestamp_ms DESC"

    def place(self, token: str, scope: str) -> tuple[int, bytes]:
        """Start and trace id where a page of the default order ended. Raises InvalidInput."""
        start_ns, trace_id = decode_token(token, scope + self.name, (int, str))
        return start_ns, _from_json(trace_id, self._keys[-1])

    def after(self, token: str, scope: str) -> ColumnElement[bool]:
        """The condition of rows that come after a token. Raises InvalidInput."""
        told = decode_token(token, scope + self.name, [key.values for key in self._keys])
        values = [_from_json(value, key) for value, key in zip(told, self._keys, strict=True)]
        alternatives: list[ColumnElement[bool]] = []
        for n, key in enumerate(self._keys):
            same = [_same(k, v) for k, v in zip(self._keys[:n], values[:n], strict=True)]
            alternatives.append(and_(*same, _beyond(key, values[n])))
        first, value = self._keys[0], values[0]
        condition = or_(*alternatives)
        if not first.nullable:
            # Implied by the alternatives, and a range that an index can start at.
            bound = first.column <= value if first.descending else first.column >= value
            return and_(bound, condition)
        return condition


def _parse(item: str) -> _Key:
    match = _ITEM.match(item)
    if match is None:
        raise InvalidInput(f"order_by {item!r}: write a key, then ASC or DESC")
    descending = (match["way"] or "ASC").upper() == "DESC"
    key = match["quoted"] or match["in_quotes"] or match["key"]
    entity = (match["entity"] or "").lower().removeprefix("request_").rstrip("s")
    if entity in ("tag", "metadata"):
        return _stored_key(item, entity, key, descending)
    name = key if key == "experiment_id" else trace_field(key)
    if name == "request_id":
        return _Key(name, traces.c.trace_id, descending, False, str)
    if name in _NUMBERS:
        return _number(name, descending)
    if name in _TEXTS:
        return _text(name, _TEXTS[name], descending)
    known = [*_NUMBERS, *_TEXTS, "request_id"]
    raise InvalidInput(
        f"order_by {item!r}: not a key to order by{nearest(key, known)}; "
        f"use one of {', '.join(known)}, tags.<key>, metadata.<key>"
    )


def _stored_key(item: str, entity: str, key: str, descending: bool) -> _Key:
    if '"' in key or "\\" in key or not is_storable(key):
        raise InvalidInput(f"order_by {item!r}: a quote or backslash in a key is not supported")
    if entity == "tag":
        column = traces.c.name if key == "mlflow.traceName" else traces.c.tags[key].as_string()
        return _text(f"tag.{key}", column, descending)
    if key in _RESERVED:
        raise InvalidInput(f"order_by {item!r}: this is a JSON text; order by tokens or cost")
    if key in _COLUMN_METADATA:
        return _text(f"metadata.{key}", _TEXTS[_COLUMN_METADATA[key]], descending)
    return _text(f"metadata.{key}", traces.c.trace_metadata[key].as_string(), descending)


def _number(name: str, descending: bool) -> _Key:
    nullable = name not in _NEVER_NULL
    values = (int, float, type(None)) if nullable else int
    return _Key(name, _NUMBERS[name], descending, nullable, values)


def _text(name: str, column: ColumnElement[Any], descending: bool) -> _Key:
    nullable = name not in _NEVER_NULL
    return _Key(
        name, _ByCodePoint(column), descending, nullable, (str, type(None)) if nullable else str
    )


def _same(key: _Key, value: Any) -> ColumnElement[bool]:
    return key.column.is_(None) if value is None else key.column == value


def _beyond(key: _Key, value: Any) -> ColumnElement[bool]:
    if value is None:
        return false()
    further = key.column < value if key.descending else key.column > value
    return or_(further, key.column.is_(None)) if key.nullable else further


def _to_json(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _from_json(value: Any, key: _Key) -> Any:
    if key.name == "request_id":
        try:
            return bytes.fromhex(value)
        except ValueError as error:
            raise InvalidInput("page_token is not one that this server gave out") from error
    return value
