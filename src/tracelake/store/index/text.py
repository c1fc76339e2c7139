"""The words of a trace, from its payload: of all that `evaluate` calls its content, or more."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from sqlalchemy import Connection, select

from tracelake.model.anyvalue import parse_json_text, to_json_value
from tracelake.model.entities import JsonValue
from tracelake.model.filters.evaluate import as_text, leaves
from tracelake.model.text import storable
from tracelake.store.chunks import read_whole
from tracelake.store.index.blocks import Posting
from tracelake.store.index.columns import Column, NamedColumn
from tracelake.store.index.hits import word_term
from tracelake.store.index.terms import Field
from tracelake.store.index.words import WORD_CHARS, cut_word, words_of
from tracelake.store.rows import AnyRow
from tracelake.store.schema import CHUNK_BITS, spans, traces

TEXT: Final = "text"
_LONG_TEXT: Final = 400
_WORDS_OF_MESSAGES: Final = (b"messages", b"role")
"""Keys that reading indexed messages and message events adds."""
_MAY_HOLD_NUMBERS: Final = re.compile(r'\s*[{\["0-9-]')
"""How JSON begins that is not one bare word."""
# Numbers that JSON readers write back in other digits, each with what it leaves among the words of
# the text, a cheap look at which mostly says that there is none: 1e5 comes back as 100000.0,
# 0.00001 as 1e-05, 1.50 as 1.5. Texts are searched for what begins with a dot at the speed of C.
_REWRITTEN: Final = tuple(
    (re.compile(rb" %b(?= )" % word), re.compile(number))
    for word, number in (
        (rb"\d+e\d*", r"[0-9][eE][+-]?[0-9]"),
        (rb"0000\d*", r"\.0000"),
        (rb"\d+0", r"\.[0-9]+0(?![0-9])"),
        # More digits than a double has, on both sides together.
        (rb"\d{8,}", r"\.(?:(?<=[0-9]{8}\.)[0-9]|[0-9]{8})"),
    )
)


def changed_texts(
    connection: Connection, after_seq: int, limit: int, last_seq: int
) -> Sequence[AnyRow]:
    """Trace key, number and count of chunks of the next versions after a number, to another."""
    query = (
        select(traces.c.trace_key, traces.c.seq, traces.c.chunk_count)
        .where(traces.c.seq > after_seq, traces.c.seq <= last_seq)
        .order_by(traces.c.seq)
        .limit(limit)
    )
    return connection.execute(query).all()


class Texts:
    """Gathers the words of traces, by position."""

    def __init__(self) -> None:
        self._positions: dict[bytes, list[int]] = defaultdict(list)
        self._long: list[int] = []
        self._seqs: list[int] = []

    def __len__(self) -> int:
        """How many traces."""
        return len(self._seqs)

    def add(self, connection: Connection, rows: Sequence[AnyRow]) -> None:
        """The next traces, by number; they are in memory together."""
        by_key = {row.trace_key: TraceWords() for row in rows}
        for key, *heads in _heads(connection, list(by_key)):
            for head in heads:
                if head is not None:
                    by_key[key].add_text(head)
        for key, data in _payloads(connection, rows):
            by_key[key].add(data)
        for row in rows:
            words = by_key.pop(row.trace_key)
            words.add_rewritten_numbers()
            self._add(len(self._seqs), words.found)
            self._seqs.append(row.seq)

    def postings(self) -> Iterator[Posting]:
        if self._long:
            yield Field.LONG_WORD.value, self._long
        for word in sorted(self._positions):
            yield word_term(word), self._positions[word]

    def seqs(self) -> Column:
        return np.array(self._seqs, dtype=np.int64)

    def columns(self) -> Iterator[NamedColumn]:
        return iter(())

    def _add(self, position: int, words: set[bytes]) -> None:
        # Two long words may be one after the cut.
        if long := {word for word in words if len(word) > WORD_CHARS}:
            words = (words - long) | {cut_word(word) for word in long}
            self._long.append(position)
        positions = self._positions
        for word in words:
            positions[word].append(position)


class TraceWords:
    """The words of one trace. What was read once is not read again: every model call of an agent
    repeats the conversation before it."""

    def __init__(self) -> None:
        self.found: set[bytes] = set()
        self._seen: set[str] = set()
        self._latest: dict[str, str] = {}
        self._texts: list[str] = []

    def add(self, data: TracesData) -> None:
        for resource_spans in data.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    self._add_span(span)

    def add_text(self, text: str) -> None:
        """The words of a short text that often comes again."""
        if text not in self._seen:
            self._seen.add(text)
            self.found |= words_of(storable(text))

    def add_rewritten_numbers(self) -> None:
        """The words of numbers as a reader of the JSON in texts writes them, after all is added."""
        words = b" %b " % b" ".join(self.found)
        suspects = [number for word, number in _REWRITTEN if word.search(words)]
        if suspects:
            for text in self._texts:
                if any(number.search(text) for number in suspects):
                    read = _unescaped(text)
                    self._add_leaves(read)
                    self.add_text(as_text(read) or "")

    def _add_span(self, span: Span) -> None:
        self.add_text(span.name)
        if span.status.message:
            self.add_text(span.status.message)
        self._add_pairs(span.attributes)
        for event in span.events:
            self.add_text(event.name)
            self._add_pairs(event.attributes)
        if span.events:
            self.found.update(_WORDS_OF_MESSAGES)

    def _add_pairs(self, pairs: Iterable[KeyValue]) -> None:
        for pair in pairs:
            key = pair.key
            self.add_text(key)
            if "messages." in key or ".prompt." in key or ".completion." in key:
                self.found.update(_WORDS_OF_MESSAGES)
            self._add_value(key, pair.value)

    def _add_value(self, key: str, value: AnyValue) -> None:
        match value.WhichOneof("value"):
            case "string_value":
                text = value.string_value
                if len(text) < _LONG_TEXT:
                    if text not in self._seen:
                        self._seen.add(text)
                        self._add_string(text, text)
                else:
                    self._add_string(text, self._news(key, text))
            case None:
                pass
            case _:
                read = to_json_value(value)
                for leaf in leaves(read):
                    self.add_text(leaf)
                # Filters on attributes compare numbers in other digits: 1e22 with all its zeros.
                self.add_text(as_text(read) or "")

    def _add_string(self, text: str, news: str) -> None:
        self.found |= words_of(storable(news))
        if "\\" in text:
            self._add_leaves(_unescaped(text))
        if _MAY_HOLD_NUMBERS.match(text):
            self._texts.append(text)

    def _add_leaves(self, read: JsonValue) -> None:
        for leaf in leaves(read):
            self.found |= words_of(storable(leaf))

    def _news(self, key: str, text: str) -> str:
        """What a long text says beyond the beginning it shares with the last one under its key."""
        before = self._latest.get(key, "")
        self._latest[key] = text
        shared = _common_prefix(before, text)
        if shared < _LONG_TEXT or "\\" in text:
            return text
        # Back to a space, so that the cut does not halve a word.
        return text[max(text.rfind(" ", 0, shared), 0) :]


def _unescaped(text: str) -> JsonValue:
    """What the text says when it is read as JSON; None where it is not JSON."""
    parsed = parse_json_text(text)
    return None if parsed == text else parsed


def _common_prefix(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _heads(connection: Connection, keys: Sequence[int]) -> Iterator[AnyRow]:
    """What a span's columns add to the words of its payload, after the trace's key."""
    query = (
        select(spans.c.trace_key, spans.c.name, spans.c.span_type, spans.c.model)
        .where(spans.c.trace_key.in_(keys))
        .distinct()
    )
    yield from connection.execute(query)


def _payloads(connection: Connection, rows: Sequence[AnyRow]) -> Iterator[tuple[int, TracesData]]:
    """The payloads of some traces, after the key of each."""
    ids = [(row.trace_key << CHUNK_BITS) + n for row in rows for n in range(row.chunk_count)]
    for chunk_id, data in read_whole(connection, ids):
        yield chunk_id >> CHUNK_BITS, data
