"""Text of a filter to its tree. Every error names the column it is about.

filter  := or
or      := and ("OR" and)*
and     := not ("AND" not)*
not     := "NOT" not | "(" or ")" | clause
         | "search" "(" string ")"                     what short.py reads
clause  := identifier operator value | identifier "IS" ["NOT"] "NULL"
         | identifier ["NOT"] "IN" "(" string ("," string)* ")"
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tracelake.model.errors import InvalidFilter
from tracelake.model.filters.fields import (
    OPERATORS,
    STATE_UNSPECIFIED,
    STATUS_WORDS,
    TRACES,
    Kind,
    Part,
    Vocabulary,
    nearest,
)
from tracelake.model.filters.links import with_links
from tracelake.model.filters.patterns import regular
from tracelake.model.filters.short import parse_short, read_short
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
    clauses_of,
)

_MAX_CHARS: Final = 20_000
_MAX_DEPTH: Final = 20
"""SQLite's parser has a stack of 100, of which a pair of parentheses takes three."""
_MAX_PATTERN_CHARS: Final = 10_000
"""SQLite takes 50,000 bytes."""
_MAX_CLAUSES: Final = 200
"""SQLite refuses expressions nested deeper than 1000, and nests every AND and OR."""
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<string>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<quoted>`[^`]+`)
      | (?P<word>[^\W\d][\w\-/:]*)
      | (?P<op>!=|<>|>=|<=|=|>|<)
      | (?P<punct>[().,])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATORS: Final = {op.value: op for op in Op} | {"<>": Op.NE}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.upper() == word

    def is_punct(self, mark: str) -> bool:
        return self.kind == "punct" and self.text == mark


def parse_filter(text: str | None) -> Node:
    """The tree of a filter; `EVERYTHING` for an empty one. Raises InvalidFilter."""
    if not text or not text.strip():
        return EVERYTHING
    parser = _parser_of(text, TRACES)
    node = parser.alternatives(0)
    parser.expect_end()
    return _bind_spans(with_links(node))


def quoted(value: str) -> str:
    """A text as a value of a filter."""
    return "'" + value.replace("'", "''") + "'"


def with_short(filter: str | None, q: str | None) -> str:
    """One filter of both forms, which holds where both do. Raises InvalidFilter."""
    long = filter if filter and filter.strip() else ""
    if not q or not q.strip():
        return long
    # Each by itself first: an error points into its own text, and neither ends in the other.
    parse_filter(long)
    parse_short(q)
    search = f"search({quoted(q)})"
    return f"({long}) AND {search}" if long else search


def parse_conjunction(text: str | None, vocabulary: Vocabulary) -> list[Clause]:
    """The clauses of a filter that joins them with AND and knows nothing else.

    Raises InvalidFilter.
    """
    if not text or not text.strip():
        return []
    parser = _parser_of(text, vocabulary)
    clauses = parser.clauses()
    parser.expect_end("AND")
    return clauses


def parse_order(text: str, vocabulary: Vocabulary) -> tuple[Entity, str, bool]:
    """The key that a list is ordered by, and whether it is descending. Raises InvalidFilter."""
    parser = _parser_of(text, vocabulary)
    entity, key = parser.identifier()
    descending = parser.descending()
    parser.expect_end("ASC, DESC")
    return entity, key, descending


def _parser_of(text: str, vocabulary: Vocabulary) -> "_Parser":
    if len(text) > _MAX_CHARS:
        raise InvalidFilter(f"the filter is longer than {_MAX_CHARS} characters", _MAX_CHARS)
    if not text.isascii():
        _refuse_surrogates(text)
    return _Parser(list(_tokens(text)), len(text) + 1, vocabulary)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at] in "'\"`":
                raise InvalidFilter("a quote that is not closed", at + 1)
            if text[at].isdigit():
                raise InvalidFilter("neither a number nor a name: text stands in quotes", at + 1)
            raise InvalidFilter(f"unexpected {text[at]!r}", at + 1)
        kind = match.lastgroup or ""
        if kind != "space":
            yield _Token(kind, match.group(), at + 1)
        at = match.end()


class _Parser:
    def __init__(self, tokens: list[_Token], end_column: int, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._tokens = tokens
        self._at = 0
        self._clauses = 0
        self._end = _Token("end", "", end_column)

    def alternatives(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise InvalidFilter(f"nested deeper than {_MAX_DEPTH}", self._peek().column)
        items = [self._conjunction(depth)]
        while self._take_word("OR"):
            items.append(self._conjunction(depth))
        return items[0] if len(items) == 1 else Or(tuple(items))

    def clauses(self) -> list[Clause]:
        found = [self._clause()]
        while self._take_word("AND"):
            found.append(self._clause())
        return found

    def identifier(self) -> tuple[Entity, str]:
        return self._vocabulary.resolve(self._identifier())

    def descending(self) -> bool:
        if self._take_word("DESC"):
            return True
        self._take_word("ASC")
        return False

    def expect_end(self, others: str = "AND, OR") -> None:
        token = self._peek()
        if token.kind != "end":
            raise InvalidFilter(f"expected {others} or the end, found {token.text!r}", token.column)

    def _conjunction(self, depth: int) -> Node:
        items = [self._negation(depth)]
        while self._take_word("AND"):
            items.append(self._negation(depth))
        return items[0] if len(items) == 1 else And(tuple(items))

    def _negation(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise InvalidFilter(f"nested deeper than {_MAX_DEPTH}", self._peek().column)
        if self._take_word("NOT"):
            return Not(self._negation(depth + 1))
        if self._take_punct("("):
            node = self.alternatives(depth + 1)
            self._require_punct(")")
            return node
        if self._peek().is_word("SEARCH") and self._peek(1).is_punct("("):
            return self._search()
        return self._clause()

    def _search(self) -> Node:
        self._at += 2
        token = self._next()
        try:
            node = read_short(_quoted(token))
        except InvalidFilter as error:
            raise InvalidFilter(error.reason, token.column + error.column) from error
        self._require_punct(")")
        self._count(token.column, sum(1 for _ in clauses_of(node)))
        return node

    def _clause(self) -> Clause:
        column = self._peek().column
        self._count(column, 1)
        entity, key = self.identifier()
        kind = self._vocabulary.kind_of(entity, key)
        op_token = self._peek()
        op = self._operator()
        allowed = OPERATORS[kind]
        if op not in allowed:
            words = ", ".join(sorted(op.value for op in allowed))
            raise InvalidFilter(
                f"{op.value} does not apply here; use one of {words}", op_token.column
            )
        if op in (Op.IS_NULL, Op.IS_NOT_NULL):
            return Clause(entity, key, op, None, column)
        if op in (Op.IN, Op.NOT_IN):
            return Clause(entity, key, op, self._string_list(entity, kind), column)
        return Clause(entity, key, op, self._value(entity, kind, op), column)

    def _count(self, column: int, more: int) -> None:
        self._clauses += more
        if self._clauses > _MAX_CLAUSES:
            raise InvalidFilter(f"more than {_MAX_CLAUSES} comparisons", column)

    def _identifier(self) -> list[Part]:
        token = self._next()
        if token.kind not in ("word", "quoted"):
            found = repr(token.text) if token.text else "the end"
            raise InvalidFilter(f"expected the name of a field, found {found}", token.column)
        parts = [Part(token.text.strip("`"), token.column)]
        while self._take_punct("."):
            token = self._next()
            match token.kind:
                case "word" | "number":
                    parts.append(Part(token.text, token.column))
                case "quoted":
                    parts.append(Part(token.text[1:-1], token.column))
                case "string":
                    parts.append(Part(_unquote(token.text), token.column))
                case _:
                    raise InvalidFilter("expected a key after the dot", token.column)
        return parts

    def _operator(self) -> Op:
        token = self._next()
        if token.kind == "op":
            return _OPERATORS[token.text]
        if token.is_word("IS"):
            negated = self._take_word("NOT")
            self._require_word("NULL")
            return Op.IS_NOT_NULL if negated else Op.IS_NULL
        if token.is_word("NOT"):
            if not self._take_word("IN"):
                raise InvalidFilter(
                    "expected IN; any other NOT stands before its clause", self._peek().column
                )
            return Op.NOT_IN
        if token.kind == "word" and token.text.upper() in ("IN", "LIKE", "ILIKE", "RLIKE"):
            return Op(token.text.upper())
        raise InvalidFilter(
            f"expected an operator, found {_found(token)}: =, !=, <, <=, >, >=, IN, NOT IN, LIKE, "
            "ILIKE, RLIKE, IS NULL or IS NOT NULL",
            token.column,
        )

    def _value(self, entity: Entity, kind: Kind, op: Op) -> str | int | float:
        token = self._next()
        assessed = kind is Kind.ASSESSED
        ordered = assessed and op in (Op.GT, Op.GE, Op.LT, Op.LE)
        if ordered or kind in (Kind.INTEGER, Kind.DECIMAL):
            if token.kind != "number":
                raise InvalidFilter(
                    f"expected a number without quotes, found {_found(token)}; times are in "
                    "milliseconds",
                    token.column,
                )
            return _number(token) if kind is not Kind.DECIMAL else float(_number(token))
        if assessed and op in (Op.EQ, Op.NE):
            if token.kind == "number":
                return _number(token)
            if token.kind == "word" and token.text.lower() in ("true", "false"):
                return token.text.lower()
        value = _quoted(token)
        if op is Op.RLIKE:
            _check_pattern(value, token.column)
        elif op in (Op.LIKE, Op.ILIKE) and len(value) > _MAX_PATTERN_CHARS:
            raise InvalidFilter(f"longer than {_MAX_PATTERN_CHARS} characters", token.column)
        return _status(entity, op, value, token.column) if kind is Kind.STATUS else value

    def _string_list(self, entity: Entity, kind: Kind) -> tuple[str, ...]:
        self._require_punct("(")
        values: list[str] = []
        while True:
            token = self._next()
            value = _quoted(token)
            if kind is Kind.STATUS:
                value = _status(entity, Op.IN, value, token.column)
            values.append(value)
            if not self._take_punct(","):
                self._require_punct(")")
                return tuple(values)

    def _peek(self, ahead: int = 0) -> _Token:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else self._end

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _take_word(self, word: str) -> bool:
        if self._peek().is_word(word):
            self._at += 1
            return True
        return False

    def _take_punct(self, mark: str) -> bool:
        if self._peek().is_punct(mark):
            self._at += 1
            return True
        return False

    def _require_word(self, word: str) -> None:
        token = self._peek()
        if not self._take_word(word):
            raise InvalidFilter(f"expected {word}", token.column)

    def _require_punct(self, mark: str) -> None:
        token = self._peek()
        if not self._take_punct(mark):
            raise InvalidFilter(f"expected {mark!r}", token.column)


def _found(token: _Token) -> str:
    return repr(token.text) if token.text else "the end"


def _unquote(text: str) -> str:
    """The value of a quoted string; inside, its own quote is doubled."""
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)


def _quoted(token: _Token) -> str:
    if token.kind != "string":
        hint = "; IS NULL finds what is not there" if token.is_word("NULL") else ""
        raise InvalidFilter(
            f"expected a value in quotes, found {_found(token)}{hint}", token.column
        )
    return _unquote(token.text)


def _number(token: _Token) -> int | float:
    value = float(token.text)
    if value in (float("inf"), float("-inf")):
        raise InvalidFilter("the number is too large", token.column)
    try:
        return int(token.text)
    except ValueError:
        return value


def _status(entity: Entity, op: Op, value: str, column: int) -> str:
    """A status is written in any case; what is compared is upper case. Raises InvalidFilter."""
    if op is Op.RLIKE:
        return f"(?i){value}"
    word = value.upper()
    words = STATUS_WORDS[entity]
    if op not in (Op.LIKE, Op.ILIKE) and word not in words:
        told = [each for each in words if each != STATE_UNSPECIFIED]
        hint = nearest(word, told)
        raise InvalidFilter(f"{value!r} is no status{hint}; use one of {', '.join(told)}", column)
    return word


def _check_pattern(pattern: str, column: int) -> None:
    try:
        regular(pattern)
    except ValueError as error:
        raise InvalidFilter(f"not a regular expression: {error}", column) from error


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidFilter(
            "half of a surrogate pair is not a character", error.start + 1
        ) from error


def _bind_spans(node: Node) -> Node:
    """Put span clauses under `OnSpan`: those of one conjunction hold on the same span."""
    node = _flatten(node)
    if _is_span_only(node):
        return OnSpan(node)
    match node:
        case And(items):
            spans = tuple(item for item in items if _is_span_only(item))
            rest = tuple(_bind_spans(item) for item in items if not _is_span_only(item))
            return And((*rest, OnSpan(And(spans)))) if spans else And(rest)
        case Or(items):
            return Or(tuple(_bind_spans(item) for item in items))
        case Not(item):
            return Not(_bind_spans(item))
        case _:
            return node


def _flatten(node: Node) -> Node:
    """A conjunction inside another is part of it, whatever parentheses stand around it."""
    if not isinstance(node, And):
        return node
    items: list[Node] = []
    for item in map(_flatten, node.items):
        items.extend(item.items if isinstance(item, And) else (item,))
    return And(tuple(items))


def _is_span_only(node: Node) -> bool:
    match node:
        case Clause(entity=entity):
            return entity in (Entity.SPAN, Entity.SPAN_ATTRIBUTE)
        case And(items) | Or(items):
            return bool(items) and all(_is_span_only(item) for item in items)
        case _:
            return False
