"""The tree of a filter.

Clauses on spans stand under `OnSpan`: some one span must satisfy all of them. A conjunction puts
its span clauses, and those alternatives made of span clauses alone, under one `OnSpan`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Entity(StrEnum):
    ATTRIBUTE = "attribute"
    TAG = "tag"
    METADATA = "metadata"
    SPAN = "span"
    SPAN_ATTRIBUTE = "span.attributes"
    FEEDBACK = "feedback"
    EXPECTATION = "expectation"
    ISSUE = "issue"
    PARAM = "param"
    METRIC = "metric"
    DATASET = "dataset"


class Op(StrEnum):
    EQ = "="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    IN = "IN"
    NOT_IN = "NOT IN"
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    RLIKE = "RLIKE"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


Value = str | int | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Clause:
    entity: Entity
    key: str
    """Canonical: `timestamp_ms`, not `timestamp`."""
    op: Op
    value: Value
    column: int
    """Where the clause begins in the text, from 1."""


@dataclass(frozen=True, slots=True)
class And:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: "Node"


@dataclass(frozen=True, slots=True)
class OnSpan:
    """Some one span of the trace satisfies `item`, which is made of span clauses, And and Or."""

    item: "Node"


Node = Clause | And | Or | Not | OnSpan

EVERYTHING = And(())
"""What an empty filter means."""


def clauses_of(node: Node) -> Iterator[Clause]:
    """Every clause of a tree, from left to right."""
    match node:
        case And(items) | Or(items):
            for item in items:
                yield from clauses_of(item)
        case Not(item) | OnSpan(item):
            yield from clauses_of(item)
        case Clause():
            yield node
