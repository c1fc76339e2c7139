"""The order of a list of traces: `order_by` to keys."""

import re
from typing import Any, Final

from sqlalchemy import ColumnElement, func

from tracelake.model.errors import InvalidInput
from tracelake.model.filters.fields import nearest, trace_field
from tracelake.model.text import is_storable
from tracelake.store.keyset import Keyset, OrderKey
from tracelake.store.schema import traces

_ITEM: Final = re.compile(
    r"\s*(?:(?P<entity>tags?|metadata|request_metadata|attributes?|trace)\.)?"
    r"(?:`(?P<quoted>[^`]+)`|\"(?P<in_quotes>[^\"]+)\"|(?P<key>[\w.\-/:]+))(?:\s+(?P<way>ASC|DESC))?\s*\Z",
    re.IGNORECASE,
)


_MOST_KEYS: Final = 10
"""A page begins at a condition that grows with their square."""
_NUMBERS: Final[dict[str, ColumnElement[Any]]] = {
    "experiment_id": traces.c.experiment_id,
    "timestamp_ms": traces.c.start_ns,
    "execution_time_ms": (traces.c.end_ns - traces.c.start_ns) // 1_000_000,
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


class TraceOrder(Keyset):
    """Parsed `order_by`; default newest first. Ties end at the trace id, nulls come last."""

    def __init__(self, order_by: tuple[str, ...]) -> None:
        """Raises InvalidInput for a key that cannot be ordered by, and for too many."""
        if len(order_by) > _MOST_KEYS:
            raise InvalidInput(f"order_by has {len(order_by)} keys; it may have {_MOST_KEYS}")
        keys = [_parse(item) for item in order_by] or [_number("timestamp_ms", True)]
        super().__init__([*keys, _trace_id(descending=False)])

    @property
    def is_newest_first(self) -> bool:
        """Whether this is the default order."""
        return self.name == "timestamp_ms DESC"

    def place(self, token: str, scope: str) -> tuple[int, bytes]:
        """Start and trace id where a page of the default order ended. Raises InvalidInput."""
        start_ns, trace_id = self.values(token, scope)
        return start_ns, trace_id


def _parse(item: str) -> OrderKey:
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
        return _trace_id(descending=descending)
    if name in _NUMBERS:
        return _number(name, descending)
    if name in _TEXTS:
        return _text(name, _TEXTS[name], descending)
    known = [*_NUMBERS, *_TEXTS, "request_id"]
    raise InvalidInput(
        f"order_by {item!r}: not a key to order by{nearest(key, known)}; "
        f"use one of {', '.join(known)}, tags.<key>, metadata.<key>"
    )


def _stored_key(item: str, entity: str, key: str, descending: bool) -> OrderKey:
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


def _number(name: str, descending: bool) -> OrderKey:
    return OrderKey.number(name, _NUMBERS[name], descending, nullable=name not in _NEVER_NULL)


def _text(name: str, column: ColumnElement[Any], descending: bool) -> OrderKey:
    return OrderKey.text(name, column, descending, nullable=name not in _NEVER_NULL)


def _trace_id(*, descending: bool) -> OrderKey:
    return OrderKey("request_id", traces.c.trace_id, descending, False, str, is_bytes=True)
