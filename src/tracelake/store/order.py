"""The order of a trace list and where a page of it begins: keyset paging over any allowed keys."""

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, false, or_

from tracelake.model.errors import InvalidInput
from tracelake.model.filters.fields import NUMERIC_ATTRIBUTES, STRING_ATTRIBUTES
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.rows import AnyRow
from tracelake.store.schema import traces

_ITEM: Final = re.compile(
    r"\s*(?:(?P<entity>tags?|metadata|request_metadata|attributes?|trace)\.)?"
    r"(?:`(?P<quoted>[^`]+)`|(?P<key>[\w.\-/:]+))(?:\s+(?P<way>ASC|DESC))?\s*\Z",
    re.IGNORECASE,
)
_DURATION: Final = traces.c.end_ns - traces.c.start_ns
_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    "experiment_id": traces.c.experiment_id,
    "timestamp_ms": traces.c.start_ns,
    "execution_time_ms": _DURATION,
    "end_time_ms": traces.c.end_ns,
    "status": traces.c.state,
    "name": traces.c.name,
    "request_id": traces.c.trace_id,
    "run_id": traces.c.trace_metadata["mlflow.sourceRun"].as_string(),
    "client_request_id": traces.c.client_request_id,
    "user": traces.c.user_id,
    "session": traces.c.session_id,
}
_NEVER_NULL: Final = frozenset({"experiment_id", "timestamp_ms", "status", "request_id"})


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    column: ColumnElement[Any]
    descending: bool
    nullable: bool


class TraceOrder:
    """Parsed `order_by`; default newest first. Ties end at the trace id, nulls come last."""

    def __init__(self, order_by: tuple[str, ...]) -> None:
        """Raises InvalidInput for a key that cannot be ordered by."""
        keys = [_parse(item) for item in order_by] or [
            _Key("timestamp_ms", traces.c.start_ns, True, False)
        ]
        self._keys = [*keys, _Key("request_id", traces.c.trace_id, False, False)]
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
        types = [(str, int, float, type(None))] * len(self._keys)
        told = decode_token(token, scope + self.name, types)
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
    key = match["quoted"] or match["key"]
    entity = (match["entity"] or "").lower().removeprefix("request_").rstrip("s")
    if entity in ("tag", "metadata"):
        if '"' in key or "\\" in key:
            raise InvalidInput(f"order_by {item!r}: a quote or backslash in a key is not supported")
        source = traces.c.tags if entity == "tag" else traces.c.trace_metadata
        return _Key(f"{entity}.{key}", source[key].as_string(), descending, True)
    name = NUMERIC_ATTRIBUTES.get(key) or STRING_ATTRIBUTES.get(key) or key
    column = _COLUMNS.get(name)
    if column is None:
        raise InvalidInput(
            f"order_by {item!r}: use one of {', '.join(_COLUMNS)}, tag.<key>, metadata.<key>"
        )
    return _Key(name, column, descending, name not in _NEVER_NULL)


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
        except (TypeError, ValueError) as error:
            raise InvalidInput("page_token is not one that this server gave out") from error
    if value is None and not key.nullable:
        raise InvalidInput("page_token is not one that this server gave out")
    return value
