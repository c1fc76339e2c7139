"""The short form of a filter, as people type it: `failed user:yara* span(tool:search error)`.

query   := or
or      := and ("or" and)*
and     := unary (["and"] unary)*
unary   := ("-" | "not") unary | "(" or ")" | "span(" or ")" | term
term    := field ":" value ("," value)* | "has:" field | keyword | word | '"' text '"'
value   := [">" | ">=" | "<" | "<="] text | [text] ".." [text] | text with * for anything
         | "/" regular expression "/"

Every error names the column it is about.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.links import with_links
from tracelake.model.filters.patterns import regular
from tracelake.model.filters.short_fields import (
    Reads,
    ShortField,
    is_whole_number,
    resolve,
)
from tracelake.model.filters.short_values import (
    DAY_MS,
    containing,
    is_day,
    pattern,
    read_number,
    whole,
)
from tracelake.model.filters.tree import (
    EVERYTHING,
    And,
    Clause,
    Entity,
    Node,
    Not,
    OnSpan,
    Op,
    Or,
    Value,
)

_MOST_CHARS: Final = 10_000
_MOST_CLAUSES: Final = 100
_MOST_DEPTH: Final = 10
_NAME: Final = re.compile(r"[A-Za-z_][\w\-/]*(?:\.(?:\"[^\"]+\"|[\w\-./]+))?")
_WORD: Final = re.compile(r"[^\s()\"]+")
_VALUE: Final = re.compile(r"[^\s(),]+")
_REGULAR: Final = re.compile(r"/((?:[^/\\]|\\.)+)/(?=[\s,)]|\Z)", re.DOTALL)
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_OPERATORS: Final = {">=": Op.GE, "<=": Op.LE, ">": Op.GT, "<": Op.LT}
_STATES: Final = {
    "failed": "ERROR",
    "error": "ERROR",
    "ok": "OK",
    "running": "IN_PROGRESS",
    "in_progress": "IN_PROGRESS",
}
_SPAN_STATES: Final = {
    "error": "ERROR",
    "errors": "ERROR",
    "failed": "ERROR",
    "ok": "OK",
    "unset": "UNSET",
}
_WITH_ERRORS: Final = ("errors", "has_errors")
_OPPOSITES: Final = {
    Op.EQ: Op.NE,
    Op.NE: Op.EQ,
    Op.IN: Op.NOT_IN,
    Op.NOT_IN: Op.IN,
    Op.GT: Op.LE,
    Op.LE: Op.GT,
    Op.GE: Op.LT,
    Op.LT: Op.GE,
}


def parse_short(text: str) -> Node:
    """The tree of a filter in the short form; `EVERYTHING` for an empty one.

    Raises InvalidFilter.
    """
    return with_links(read_short(text))


def read_short(text: str) -> Node:
    """As `parse_short`, with runs as they are written. Raises InvalidFilter."""
    if not text.strip():
        return EVERYTHING
    if len(text) > _MOST_CHARS:
        raise InvalidFilter(f"longer than {_MOST_CHARS} characters", _MOST_CHARS)
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._clauses = 0
        self._in_span = False

    def whole(self) -> Node:
        node = self._or(0)
        if self._at < len(self._text):
            raise InvalidFilter("a closing parenthesis that opens nowhere", self._at + 1)
        return node

    def _or(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise InvalidFilter(f"nested deeper than {_MOST_DEPTH}", self._at + 1)
        items = [self._and(depth)]
        while self._took("or"):
            items.append(self._and(depth))
        return items[0] if len(items) == 1 else Or(tuple(items))

    def _and(self, depth: int) -> Node:
        items = [self._unary(depth)]
        while not self._ends() and not self._sees("or"):
            self._took("and")
            items.append(self._unary(depth))
        return items[0] if len(items) == 1 else And(tuple(items))

    def _unary(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise InvalidFilter(f"nested deeper than {_MOST_DEPTH}", self._at + 1)
        self._skip_space()
        column = self._at + 1
        if self._ends() or self._sees("or") or self._sees("and"):
            raise InvalidFilter("a condition is missing here", column)
        if self._took("not") or self._took_minus():
            return self._negated(self._unary(depth + 1), column)
        if self._took_text("("):
            return self._closed(column, lambda: self._or(depth + 1))
        if self._took_text("span("):
            if self._in_span:
                raise InvalidFilter("span( ) inside of span( )", column)
            self._in_span = True
            node = self._closed(column, lambda: self._or(depth + 1))
            self._in_span = False
            return OnSpan(node)
        return self._term()

    def _closed(self, column: int, inside: Callable[[], Node]) -> Node:
        node = inside()
        if not self._took_text(")"):
            raise InvalidFilter("a parenthesis that is not closed", column)
        return node

    def _negated(self, node: Node, column: int) -> Node:
        return _opposite(node, column) if self._in_span else Not(node)

    def _term(self) -> Node:
        column = self._at + 1
        if self._peek() == '"':
            return self._contains(self._quoted(), column)
        match = _NAME.match(self._text, self._at)
        if match is not None and self._is_field(match.end()):
            self._at = match.end() + 1
            name = match[0].replace('"', "")
            if name.lower() == "has":
                return self._has(column)
            return self._on_field(resolve(name, column, in_span=self._in_span), column)
        match = _WORD.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return self._keyword(match[0], column) or self._contains(match[0], column)

    def _is_field(self, end: int) -> bool:
        """Whether a colon follows, and it is none of an address."""
        return self._text.startswith(":", end) and not self._text.startswith("://", end)

    def _has(self, column: int) -> Node:
        at = self._at + 1
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise InvalidFilter("has: needs a field, as has:cost", at)
        self._at = match.end()
        field = resolve(match[0].replace('"', ""), at, in_span=self._in_span)
        return self._on(field, Op.IS_NOT_NULL, None, column)

    def _on_field(self, field: ShortField, column: int) -> Node:
        nodes: list[Node] = []
        exact: list[tuple[str, int]] = []
        while True:
            self._value(field, nodes, exact)
            if self._peek() != ",":
                break
            self._at += 1
        if len(exact) > 1 and field.reads is Reads.TEXT:
            nodes.append(self._on(field, Op.IN, tuple(text for text, _ in exact), column))
        else:
            nodes += [self._equal(field, text, at) for text, at in exact]
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _value(self, field: ShortField, nodes: list[Node], exact: list[tuple[str, int]]) -> None:
        """One value: what it is equal to is gathered with its column, all else becomes a node."""
        column = self._at + 1
        if self._peek() == '"':
            text = self._quoted()
            if field.reads is Reads.ASSESSED:
                nodes.append(self._on(field, Op.EQ, text, column))
            else:
                exact.append((text, column))
            return
        if self._took_regular(field, nodes):
            return
        match = _VALUE.match(self._text, self._at)
        if match is None:
            raise InvalidFilter('a value is missing here; an empty one is written ""', column)
        self._at = match.end()
        told = match[0]
        op = next((sign for sign in _OPERATORS if told.startswith(sign)), None)
        if op is not None:
            nodes.append(self._compared(field, _OPERATORS[op], told[len(op) :], column + len(op)))
        elif field.reads is Reads.STATUS:
            nodes.append(self._status(field, told, column))
        elif ".." in told and field.reads is not Reads.TEXT:
            low, _, high = told.partition("..")
            sides = [
                self._compared(field, side, text, column)
                for side, text in ((Op.GE, low), (Op.LE, high))
                if text
            ]
            if not sides:
                raise InvalidFilter("a range needs an end: 1..5, 1.. or ..5", column)
            nodes.append(sides[0] if len(sides) == 1 else And(tuple(sides)))
        elif field.reads in (Reads.TEXT, Reads.ASSESSED) and (like := pattern(told)) is not None:
            nodes.append(self._on(field, Op.ILIKE, like, column))
        else:
            exact.append((told, column))

    def _took_regular(self, field: ShortField, nodes: list[Node]) -> bool:
        column = self._at + 1
        match = _REGULAR.match(self._text, self._at)
        if match is None or field.reads is not Reads.TEXT:
            return False
        self._at = match.end()
        expression = match[1].replace("\\/", "/")
        try:
            regular(expression)
        except ValueError as error:
            raise InvalidFilter(f"not a regular expression: {error}", column) from error
        nodes.append(self._on(field, Op.RLIKE, expression, column))
        return True

    def _compared(self, field: ShortField, op: Op, text: str, column: int) -> Node:
        if field.reads in (Reads.TEXT, Reads.STATUS):
            raise InvalidFilter(f"{field.name} is text: it is neither more nor less", column)
        if not text:
            raise InvalidFilter("a number is missing here", column)
        if field.reads is Reads.TIME and is_day(text):
            return self._of_day(field, op, text, column)
        return self._on(field, op, _number(field, text, column), column)

    def _equal(self, field: ShortField, text: str, column: int) -> Node:
        match field.reads:
            case Reads.STATUS:
                return self._status(field, text, column)
            case Reads.TIME if is_day(text):
                return self._of_day(field, Op.EQ, text, column)
            case Reads.NUMBER | Reads.DURATION | Reads.TIME:
                return self._on(field, Op.EQ, _number(field, text, column), column)
            case Reads.ASSESSED:
                return self._on(field, Op.EQ, _assessed(text), column)
            case _:
                return self._on(field, Op.EQ, text, column)

    def _of_day(self, field: ShortField, op: Op, text: str, column: int) -> Node:
        """A day is all of it, to the last moment."""
        begins = whole(read_number(text, field.reads, column), column)
        ends = begins + DAY_MS
        match op:
            case Op.EQ:
                first, last = (Op.GE, begins), (Op.LT, ends)
                return And(tuple(self._on(field, sign, at, column) for sign, at in (first, last)))
            case Op.LE:
                return self._on(field, Op.LT, ends, column)
            case Op.GT:
                return self._on(field, Op.GE, ends, column)
            case _:
                return self._on(field, op, begins, column)

    def _status(self, field: ShortField, text: str, column: int) -> Node:
        word = text.lower()
        if not self._in_span and word in _WITH_ERRORS:
            return self._with_errors(column)
        states = _SPAN_STATES if self._in_span else _STATES
        if word not in states:
            words = "error, ok or unset" if self._in_span else "failed, errors, ok or running"
            raise InvalidFilter(f"{text!r} is no status: use {words}", column)
        return self._on(field, Op.EQ, states[word], column)

    def _with_errors(self, column: int) -> Node:
        self._count(column)
        return OnSpan(Clause(Entity.SPAN, "status", Op.EQ, "ERROR", column))

    def _keyword(self, word: str, column: int) -> Node | None:
        """What some words mean where they stand alone."""
        match word.lower(), self._in_span:
            case "failed", False:
                return self._status(resolve("status", column, in_span=False), word, column)
            case ("errors", False):
                return self._with_errors(column)
            case (("ok" | "running"), False):
                return self._status(resolve("status", column, in_span=False), word, column)
            case (("error" | "errors" | "failed" | "ok"), True):
                return self._status(resolve("status", column, in_span=True), word, column)
            case _:
                return None

    def _contains(self, text: str, column: int) -> Node:
        if not text.strip():
            raise InvalidFilter("quotes with nothing in them", column)
        self._count(column)
        like = containing(text)
        if self._in_span:
            return Clause(Entity.SPAN, "content", Op.ILIKE, like, column)
        return Clause(Entity.ATTRIBUTE, "text", Op.ILIKE, like, column)

    def _on(self, field: ShortField, op: Op, value: Value, column: int) -> Node:
        self._count(column)
        clause = Clause(field.entity, field.key, op, value, column)
        is_of_span = field.entity in (Entity.SPAN, Entity.SPAN_ATTRIBUTE)
        return OnSpan(clause) if is_of_span and not self._in_span else clause

    def _count(self, column: int) -> None:
        self._clauses += 1
        if self._clauses > _MOST_CLAUSES:
            raise InvalidFilter(f"more than {_MOST_CLAUSES} conditions", column)

    def _quoted(self) -> str:
        """A text in quotes, in which a quote is doubled."""
        column = self._at + 1
        pieces: list[str] = []
        while True:
            end = self._text.find('"', self._at + 1)
            if end < 0:
                raise InvalidFilter("a quote that is not closed", column)
            pieces.append(self._text[self._at + 1 : end])
            self._at = end
            if not self._text.startswith('""', end):
                self._at += 1
                return '"'.join(pieces)
            self._at += 1

    def _skip_space(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _ends(self) -> bool:
        self._skip_space()
        return self._peek() in ("", ")")

    def _sees(self, word: str) -> bool:
        self._skip_space()
        match = _WORD.match(self._text, self._at)
        return match is not None and match[0].lower() == word

    def _took(self, word: str) -> bool:
        if not self._sees(word):
            return False
        self._at += len(word)
        return True

    def _took_text(self, text: str) -> bool:
        self._skip_space()
        if self._text[self._at : self._at + len(text)].lower() != text:
            return False
        self._at += len(text)
        return True

    def _took_minus(self) -> bool:
        """A minus before a condition; one that stands alone is text."""
        after = self._text[self._at + 1 : self._at + 2]
        if self._peek() != "-" or not after or after.isspace():
            return False
        self._at += 1
        return True


def _number(field: ShortField, text: str, column: int) -> int | float:
    number = read_number(text, field.reads, column)
    return whole(number, column) if is_whole_number(field) else number


def _assessed(text: str) -> str | int | float:
    """As the grammar reads it: a bare number is one, and so true and false."""
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text.lower() if text.lower() in ("true", "false") else text


def _opposite(node: Node, column: int) -> Node:
    """What a span is that is not so: of a span, a tree knows no NOT."""
    match node:
        case And(items):
            return Or(tuple(_opposite(item, column) for item in items))
        case Or(items):
            return And(tuple(_opposite(item, column) for item in items))
        case Clause(op=Op.IS_NOT_NULL):
            return replace(node, op=Op.IS_NULL)
        case Clause(op=Op.IS_NULL):
            return replace(node, op=Op.IS_NOT_NULL)
        case Clause(op=op) if op in _OPPOSITES:
            missing = replace(node, op=Op.IS_NULL, value=None)
            return Or((replace(node, op=_OPPOSITES[op]), missing))
        case _:
            raise InvalidFilter(
                "inside of span( ), text and wildcards cannot be excluded; write -span( ) for "
                "traces without such a span",
                column,
            )
