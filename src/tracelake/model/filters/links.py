"""`run_id` in a filter: the run that a trace was made in, or one that it was linked to."""

import re
from dataclasses import replace
from typing import Final

from tracelake.model.filters.tree import And, Clause, Entity, Node, Not, Op, Or, Value
from tracelake.model.links import LINKED_RUNS

_OPPOSITE: Final = {Op.NE: Op.EQ, Op.NOT_IN: Op.IN}


def with_links(node: Node) -> Node:
    """The tree with every clause on `run_id` spelt out."""
    match node:
        case And(items):
            return And(tuple(map(with_links, items)))
        case Or(items):
            return Or(tuple(map(with_links, items)))
        case Not(item):
            return Not(with_links(item))
        case Clause(entity=Entity.ATTRIBUTE, key="run_id"):
            return _spelt_out(node)
        case _:
            return node


def _spelt_out(clause: Clause) -> Node:
    op, value = clause.op, clause.value
    match op:
        case Op.IS_NULL:
            return And((clause, _linked(clause, op)))
        case Op.IS_NOT_NULL:
            return Or((clause, _linked(clause, op)))
        case Op.NE | Op.NOT_IN:
            # As of every text, only of a trace that has one.
            has_one = _spelt_out(replace(clause, op=Op.IS_NOT_NULL, value=None))
            return And((has_one, Not(_spelt_out(replace(clause, op=_OPPOSITE[op])))))
        case Op.EQ | Op.IN:
            wanted = value if isinstance(value, tuple) else (str(value),)
            linked = [_linked(clause, Op.LIKE, f"% {_literal(each)} %") for each in wanted]
            return Or((clause, *linked))
        case Op.LIKE | Op.ILIKE:
            return Or((clause, _linked(clause, op, f"% {value} %")))
        case _:
            return clause


def _linked(clause: Clause, op: Op, value: Value = None) -> Clause:
    return Clause(Entity.METADATA, LINKED_RUNS, op, value, clause.column)


def _literal(text: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", text)
