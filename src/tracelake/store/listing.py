"""Lists of whatever is not a trace: what a filter on them may name, their order, their pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, not_, or_

from tracelake.model.errors import InvalidFilter, InvalidInput
from tracelake.model.filters.fields import Kind, Part, Vocabulary, nearest
from tracelake.model.filters.parse import parse_conjunction, parse_order
from tracelake.model.filters.tree import Clause, Entity, Op
from tracelake.store.api import ListQuery
from tracelake.store.comparisons import (
    Comparisons,
    Condition,
    compare_decimal,
    compare_integer,
    json_text,
)
from tracelake.store.keyset import Keyset, OrderKey
from tracelake.store.rows import AnyRow, AnySelect

_MOST_KEYS: Final = 10
_TAGS: Final = {"tag": Entity.TAG, "tags": Entity.TAG}


@dataclass(frozen=True, slots=True)
class Field:
    """What every item has one of."""

    column: ColumnElement[Any]
    kind: Kind = Kind.LABEL
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Keyed:
    """What an item has any number of, each under a key of its own."""

    column: Callable[[str], ColumnElement[Any] | None]
    """None for a key that cannot be looked for."""
    kind: Kind = Kind.LABEL
    absent_differs: frozenset[str] = frozenset()
    """Keys for which `!=` and NOT IN hold also where there is no such key."""
    within: Callable[[str, Condition], Condition] | None = None
    """Of an item that has several of a key: whether the condition holds for one of them."""
    order: Callable[[str], ColumnElement[Any]] | None = None
    """Which of several an item is ordered by."""


@dataclass(frozen=True, slots=True)
class Noun:
    """What is listed."""

    name: str
    key: OrderKey
    """Tells any two items apart."""
    fields: Mapping[str, Field]
    default_order: Sequence[str]
    """As `order_by`."""
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    keyed: Mapping[Entity, Keyed] = field(default_factory=dict[Entity, Keyed])
    prefixes: Mapping[str, Entity] = field(default_factory=lambda: dict(_TAGS))
    """Before the dot of keyed ones; those of fields are `attribute` and `attributes`."""


def keyed_text(column: Any, absent_differs: Iterable[str] = ()) -> Keyed:
    """The texts of a JSON object in a column."""
    return Keyed(lambda key: json_text(column, key), absent_differs=frozenset(absent_differs))


class Listing:
    """Pages of one noun on one engine."""

    def __init__(self, noun: Noun, *, is_sqlite: bool) -> None:
        self._noun = noun
        self._comparisons = Comparisons(is_sqlite=is_sqlite)
        self._vocabulary = Vocabulary(self._resolve, self._kind_of)

    def page(
        self, connection: Connection, query: AnySelect, asked: ListQuery, scope: str = ""
    ) -> tuple[Sequence[AnyRow], str | None]:
        """One page of what `query` selects, and the token of the next.

        `scope` names what the query itself depends on. Raises InvalidFilter, InvalidInput.
        """
        if asked.max_results < 1:
            raise InvalidInput("max_results must be at least 1")
        for clause in parse_conjunction(asked.filter, self._vocabulary):
            query = query.where(self._condition(clause))
        order = self._order(asked.order_by)
        scope = f"{self._noun.name}:{scope}:{asked.filter}:"
        if asked.page_token:
            query = query.where(order.after(asked.page_token, scope))
        query = query.add_columns(*order.columns()).order_by(*order.order_by())
        rows = connection.execute(query.limit(asked.max_results + 1)).all()
        has_more = len(rows) > asked.max_results
        rows = rows[: asked.max_results]
        return rows, order.token(rows[-1], scope) if has_more else None

    def _order(self, order_by: Sequence[str]) -> Keyset:
        if len(order_by) > _MOST_KEYS:
            raise InvalidInput(f"order_by has {len(order_by)} keys; it may have {_MOST_KEYS}")
        keys: dict[str, OrderKey] = {}
        for item in (*order_by, *self._noun.default_order):
            key = self._order_key(item)
            # What was ordered by already decides nothing more.
            keys.setdefault(key.name, key)
            if key.name == self._noun.key.name:
                return Keyset(list(keys.values()))
        return Keyset([*keys.values(), self._noun.key])

    def _order_key(self, item: str) -> OrderKey:
        entity, name, descending = parse_order(item, self._vocabulary)
        if entity is Entity.ATTRIBUTE and name == self._noun.key.name:
            return replace(self._noun.key, descending=descending)
        kind = self._kind_of(entity, name)
        keyed = self._noun.keyed.get(entity)
        if keyed is not None and keyed.order is not None:
            column = keyed.order(name)
        else:
            column = self._column(entity, name, 1)
        nullable = entity is not Entity.ATTRIBUTE or self._noun.fields[name].nullable
        told = name if entity is Entity.ATTRIBUTE else f"{entity}.{name}"
        if kind is Kind.LABEL:
            return OrderKey.text(told, column, descending, nullable=nullable)
        return OrderKey.number(told, column, descending, nullable=nullable)

    def _condition(self, clause: Clause) -> Condition:
        keyed = self._noun.keyed.get(clause.entity)
        if keyed is not None and keyed.within is not None:
            if clause.op is Op.IS_NULL:
                some = self._comparison(replace(clause, op=Op.IS_NOT_NULL))
                return not_(keyed.within(clause.key, some))
            return keyed.within(clause.key, self._comparison(clause))
        condition = self._comparison(clause)
        if (
            keyed is not None
            and clause.key in keyed.absent_differs
            and clause.op in (Op.NE, Op.NOT_IN)
        ):
            column = self._column(clause.entity, clause.key, clause.column)
            return or_(column.is_(None), condition)
        return condition

    def _comparison(self, clause: Clause) -> Condition:
        column = self._column(clause.entity, clause.key, clause.column)
        match self._kind_of(clause.entity, clause.key):
            case Kind.INTEGER:
                return compare_integer(column, clause)
            case Kind.DECIMAL:
                return compare_decimal(column, clause)
            case _:
                condition = self._comparisons.label(column, clause.op, clause.value)
        if condition is None:
            raise InvalidFilter("no text holds a NUL character", clause.column)
        return condition

    def _column(self, entity: Entity, key: str, at: int) -> ColumnElement[Any]:
        if entity is Entity.ATTRIBUTE:
            return self._noun.fields[key].column
        column = self._noun.keyed[entity].column(key)
        if column is None:
            raise InvalidFilter(f"no {entity} {key!r} can be searched for", at)
        return column

    def _kind_of(self, entity: Entity, key: str) -> Kind:
        if entity is Entity.ATTRIBUTE:
            return self._noun.fields[key].kind
        return self._noun.keyed[entity].kind

    def _resolve(self, parts: Sequence[Part]) -> tuple[Entity, str]:
        first = parts[0]
        rest = ".".join(part.text for part in parts[1:])
        prefix = first.text.lower()
        entity = self._noun.prefixes.get(prefix)
        if rest and entity is not None:
            return entity, rest
        if rest and prefix not in ("attribute", "attributes"):
            known = [*self._noun.prefixes, "attributes"]
            raise InvalidFilter(
                f"{first.text!r} has no fields{nearest(first.text, known)}; use one of "
                f"{', '.join(known)}",
                first.column,
            )
        name = (rest or first.text).lower()
        name = self._noun.aliases.get(name, name)
        if name not in self._noun.fields:
            raise InvalidFilter(
                f"{rest or first.text!r} cannot be searched for"
                f"{nearest(name, self._noun.fields)}; use one of {', '.join(self._noun.fields)}"
                + "".join(f", {entity}.<key>" for entity in self._noun.keyed),
                first.column,
            )
        return Entity.ATTRIBUTE, name
