"""Keyset paging over any keys: the order of a list, and where a page of it begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, false, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from tracelake.model.errors import InvalidInput
from tracelake.store.pages import decode_token, encode_token
from tracelake.store.rows import AnyRow


class ByCodePoint(FunctionElement[str]):
    """A text that both engines order alike: PostgreSQL would follow the database's locale."""

    type = Text()
    inherit_cache = True


@compiles(ByCodePoint)
def _plain(element: Any, compiler: Any, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(ByCodePoint, "postgresql")
def _in_c(element: Any, compiler: Any, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


@dataclass(frozen=True, slots=True)
class OrderKey:
    name: str
    column: ColumnElement[Any]
    descending: bool
    nullable: bool
    values: type | tuple[type, ...]
    """What a page token may hold for this key."""
    is_bytes: bool = False
    """Written as hex digits in a token."""

    @classmethod
    def number(
        cls, name: str, column: ColumnElement[Any], descending: bool, *, nullable: bool
    ) -> "OrderKey":
        values = (int, float, type(None)) if nullable else int
        return cls(name, column, descending, nullable, values)

    @classmethod
    def text(
        cls, name: str, column: ColumnElement[Any], descending: bool, *, nullable: bool
    ) -> "OrderKey":
        values = (str, type(None)) if nullable else str
        return cls(name, ByCodePoint(column), descending, nullable, values)


class Keyset:
    """An order by some keys, of which the last makes it total. Nulls come last."""

    def __init__(self, keys: Sequence[OrderKey]) -> None:
        self.keys = list(keys)
        self.name = ",".join(
            f"{key.name}{' DESC' if key.descending else ''}" for key in self.keys[:-1]
        )

    def columns(self) -> list[ColumnElement[Any]]:
        """The key columns, labelled `order_0` and on, to select beside the row."""
        return [key.column.label(f"order_{n}") for n, key in enumerate(self.keys)]

    def order_by(self) -> list[ColumnElement[Any]]:
        ordered: list[ColumnElement[Any]] = []
        for key in self.keys:
            way = key.column.desc() if key.descending else key.column.asc()
            ordered.append(way.nulls_last() if key.nullable else way)
        return ordered

    def token(self, row: AnyRow, scope: str) -> str:
        """The token of a page that ended at `row`."""
        values = [getattr(row, f"order_{n}") for n in range(len(self.keys))]
        return encode_token(scope + self.name, [_to_json(value) for value in values])

    def values(self, token: str, scope: str) -> list[Any]:
        """Of the keys, where a page ended. Raises InvalidInput."""
        told = decode_token(token, scope + self.name, [key.values for key in self.keys])
        return [_from_json(value, key) for value, key in zip(told, self.keys, strict=True)]

    def after(self, token: str, scope: str) -> ColumnElement[bool]:
        """The condition of rows that come after a token. Raises InvalidInput."""
        values = self.values(token, scope)
        alternatives: list[ColumnElement[bool]] = []
        for n, key in enumerate(self.keys):
            same = [_same(k, v) for k, v in zip(self.keys[:n], values[:n], strict=True)]
            alternatives.append(and_(*same, _beyond(key, values[n])))
        first, value = self.keys[0], values[0]
        condition = or_(*alternatives)
        if not first.nullable:
            # Implied by the alternatives, and a range that an index can start at.
            bound = first.column <= value if first.descending else first.column >= value
            return and_(bound, condition)
        return condition


def _same(key: OrderKey, value: Any) -> ColumnElement[bool]:
    return key.column.is_(None) if value is None else key.column == value


def _beyond(key: OrderKey, value: Any) -> ColumnElement[bool]:
    if value is None:
        return false()
    further = key.column < value if key.descending else key.column > value
    return or_(further, key.column.is_(None)) if key.nullable else further


def _to_json(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _from_json(value: Any, key: OrderKey) -> Any:
    if not key.is_bytes:
        return value
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise InvalidInput("page_token is not one that this server gave out") from error
