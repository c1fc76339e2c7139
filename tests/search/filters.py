"""Filters at random, as trees of our own and as their text: the whole grammar of search."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.search import world

COMPARE: Final = ("=", "!=", ">", ">=", "<", "<=")
TEXT: Final = ("=", "!=", "IN", "NOT IN", "LIKE", "ILIKE", "RLIKE", "IS NULL", "IS NOT NULL")
NULL: Final = ("IS NULL", "IS NOT NULL")
PATTERNS: Final = ("^o", "o+", "[a-m]+$", "größe|ok", "(?i)PROD", "^[0-9]$", "", "日", "a.b", "^$")
STATUSES: Final = ("OK", "ERROR", "IN_PROGRESS")


@dataclass(frozen=True)
class Is:
    """One comparison. `entity` and `key` are canonical; `text` is one way to write it."""

    entity: str
    key: str
    op: str
    value: Any
    text: str


@dataclass(frozen=True)
class AllOf:
    items: "tuple[Tree, ...]"


@dataclass(frozen=True)
class AnyOf:
    items: "tuple[Tree, ...]"


@dataclass(frozen=True)
class NotOf:
    item: "Tree"


Tree = Is | AllOf | AnyOf | NotOf


class Generator:
    """Filters and orders about a world; the same for the same seed."""

    def __init__(self, seed: int, traces: Sequence[world.Trace]) -> None:
        self._chance = random.Random(seed)
        self._traces = traces

    def tree(self, depth: int = 0) -> Tree:
        roll = self._chance.random()
        if depth > 3 or roll < (0.4 if depth == 0 else 0.55):
            return self._clause()
        if roll < 0.65:
            return NotOf(self.tree(depth + 1))
        items = tuple(self.tree(depth + 1) for _ in range(self._chance.choice((2, 2, 3))))
        return AllOf(items) if roll < 0.85 else AnyOf(items)

    def text(self, tree: Tree) -> str:
        match tree:
            case Is():
                return f"({tree.text})" if self._chance.random() < 0.05 else tree.text
            case NotOf(item):
                inside = self.text(item)
                if not isinstance(item, Is) or self._chance.random() < 0.5:
                    inside = f"({inside})"
                return f"{self._pick('NOT', 'not')} {inside}"
            case AllOf(items):
                return f" {self._pick('AND', 'and')} ".join(
                    f"({self.text(item)})" if isinstance(item, AllOf | AnyOf) else self.text(item)
                    for item in items
                )
            case AnyOf(items):
                # AND binds tighter than OR, so a conjunction needs no parentheses here.
                return f" {self._pick('OR', 'Or')} ".join(
                    f"({self.text(item)})"
                    if isinstance(item, AnyOf) or (isinstance(item, AllOf) and self._half())
                    else self.text(item)
                    for item in items
                )

    def order_by(self) -> list[tuple[str, bool]]:
        """Keys to order by, each with whether it descends; mostly none."""
        if self._chance.random() < 0.6:
            return []
        count = self._chance.choice((1, 1, 2, 3))
        return [(self._pick(*ORDER_KEYS), self._half()) for _ in range(count)]

    def page_size(self) -> int:
        return self._chance.choice((500,) * 12 + (100,) * 4 + (41, 41, 7))

    def _clause(self) -> Is:
        kinds = (
            self._number, self._number, self._word, self._word, self._values, self._stored,
            self._stored, self._assessed, self._assessed, self._on_span, self._on_span,
            self._on_span,
        )  # fmt: skip
        roll = self._chance.random()
        if roll < 0.03:
            return self._content()
        if roll < 0.06:
            return self._attribute()
        if roll < 0.08:
            return self._prompt_or_issue()
        return self._chance.choice(kinds)()

    def _number(self) -> Is:
        key = self._pick(*NUMBERS)
        trace = self._chance.choice(self._traces)
        found = NUMBERS[key](trace)
        return self._compared("trace", key, self._around(found), TRACE_NAMES)

    def _word(self) -> Is:
        key = self._pick("name", "status", "user", "session", "client_request_id", "run_id",
                         "request_id")  # fmt: skip
        trace = self._chance.choice(self._traces)
        if key == "status":
            return self._status("trace", STATUSES)
        if key == "request_id":
            ids = (trace["id"], trace["id"][3:], "tr-none", self._chance.choice(self._traces)["id"])
            return self._texts("trace", key, ids, TRACE_NAMES)
        known = {
            "name": world.NAMES, "user": world.USERS, "session": world.SESSIONS,
            "client_request_id": world.WORDS, "run_id": world.WORDS,
        }[key]  # fmt: skip
        return self._texts("trace", key, known, TRACE_NAMES)

    def _values(self) -> Is:
        key = self._pick(*VALUES)
        return self._texts("trace", key, VALUES[key], TRACE_NAMES)

    def _stored(self) -> Is:
        entity = self._pick("tag", "metadata")
        keys = world.TAG_KEYS if entity == "tag" else world.METADATA_KEYS
        more = {
            "tag": ("mlflow.traceName", "mlflow.linkedPrompts"),
            "metadata": ("mlflow.trace.session", "mlflow.trace.user", "mlflow.trace.cost",
                         "mlflow.trace.tokenUsage", "mlflow.trace_schema.version"),
        }[entity]  # fmt: skip
        key = self._pick(*keys, *keys, *more)
        known = world.NAMES if key == "mlflow.traceName" else (*world.WORDS, "3", "s1")
        return self._texts(entity, key, known, {})

    def _assessed(self) -> Is:
        entity = self._pick("feedback", "feedback", "expectation")
        key = self._pick("score", "correct", "größe", "odd name", "none")
        op = self._pick(*COMPARE, "=", "!=", "LIKE", "ILIKE", "RLIKE", *NULL)
        name = self._name(entity, key, {})
        if op in NULL:
            return Is(entity, key, op, None, f"{name} {op}")
        if op in (">", ">=", "<", "<="):
            number = self._around(self._pick(0, 1, 5, 0.5, -2))
            return Is(entity, key, op, number, f"{name} {op} {number}")
        if op in ("=", "!=") and self._half():
            value = self._pick(0, 1, 5, 0.5, 1.0, True, False)
            text = str(value).lower()
            return Is(entity, key, op, text if isinstance(value, bool) else value,
                      f"{name} {op} {text}")  # fmt: skip
        words = [word for word in world.FEEDBACK_VALUES if isinstance(word, str)]
        return self._texts(entity, key, (*words, '[1, "ok"]', "1.0", "0.5"), {}, (op,))

    def _on_span(self) -> Is:
        key = self._pick("name", "type", "type", "status", "status", *VALUES, *SPAN_NUMBERS)
        if key in SPAN_NUMBERS:
            span = self._chance.choice(self._chance.choice(self._traces)["spans"])
            return self._compared("span", key, self._around(SPAN_NUMBERS[key](span)), SPAN_NAMES)
        if key == "status":
            return self._status("span", ("OK", "ERROR", "UNSET"))
        known = {"name": world.NAMES, "type": ("TOOL", "CHAT_MODEL", "my own", "UNKNOWN")} | VALUES
        return self._texts("span", key, known[key], SPAN_NAMES)

    def _attribute(self) -> Is:
        key = self._pick(*world.ATTRIBUTES, "mlflow.llm.model", "none")
        known = (*world.WORDS, "5", "0.5", "true", '["a", "b"]', "1e-07", "10000000000000000000000")
        return self._texts("span.attributes", key, known, {})

    def _content(self) -> Is:
        entity, key = self._pick(("trace", "text"), ("span", "content"))
        pieces = ("refund", "REFUND", "Zürich", "退票", "استرداد", "100\\%", "a\\_b", "ki",
                  "größe", "no such city",
                  "two_lines", "acme%large", "colour", "it broke", "1.5")  # fmt: skip
        pattern = f"%{self._pick(*pieces)}%"
        op = self._pick("LIKE", "ILIKE")
        return Is(entity, key, op, pattern, f"{entity}.{key} {op} {self._quoted(pattern)}")

    def _prompt_or_issue(self) -> Is:
        if self._half():
            return Is("issue", "id", "=", "i-1", "issue.id = 'i-1'")
        value = self._pick("qa/1", "qa/2", "qa/9", "other/1", "qa")
        return Is("trace", "prompt", "=", value, f"prompt = '{value}'")

    def _status(self, entity: str, words: Sequence[str]) -> Is:
        written = [self._pick(word, word.lower(), word.capitalize()) for word in words]
        name = self._name(entity, "status", {})
        op = self._pick("=", "!=", "IN", "NOT IN", "LIKE")
        if op == "LIKE":
            return Is(entity, "status", op, "%R%", f"{name} LIKE '%r%'")
        if op in ("=", "!="):
            one = self._pick(*written)
            return Is(entity, "status", op, one.upper(), f"{name} {op} {self._quoted(one)}")
        some = self._chance.sample(written, 2)
        value = tuple(word.upper() for word in some)
        return Is(entity, "status", op, value, f"{name} {op} {self._listed(some)}")

    def _texts(
        self,
        entity: str,
        key: str,
        known: Sequence[str],
        names: dict[str, tuple[str, ...]],
        operators: Sequence[str] = TEXT,
    ) -> Is:
        op, name = self._pick(*operators), self._name(entity, key, names)
        match op:
            case "IS NULL" | "IS NOT NULL":
                return Is(entity, key, op, None, f"{name} {op.lower() if self._half() else op}")
            case "IN" | "NOT IN":
                some = self._chance.choices(known, k=self._chance.choice((1, 2, 3)))
                return Is(entity, key, op, tuple(some), f"{name} {op} {self._listed(some)}")
            case "LIKE" | "ILIKE":
                word = self._pick(*known)
                wild = ("", "%", "_", "\\%", "\\_", "\\")
                begin, end = self._pick(0, 0, 1), self._pick(None, None, -1)
                value = self._pick(*wild) + word[begin:end] + self._pick(*wild)
                if op == "ILIKE" and self._half():
                    value = value.upper()
            case "RLIKE":
                value = self._pick(*PATTERNS)
            case _:
                value = self._pick(*known)
        return Is(entity, key, op, value, f"{name} {op} {self._quoted(value)}")

    def _compared(
        self, entity: str, key: str, value: float, names: dict[str, tuple[str, ...]]
    ) -> Is:
        name, op = self._name(entity, key, names), self._pick(*COMPARE, *COMPARE, *NULL)
        if op in NULL:
            return Is(entity, key, op, None, f"{name} {op}")
        space = self._pick("", " ")
        return Is(entity, key, op, value, f"{name}{space}{op}{space}{value!r}")

    def _around(self, found: float | None) -> float:
        """A number that divides the world: one that occurs, or one beside it."""
        number = found or 0
        return self._pick(
            number, number, number + 1, number - 1, number + 0.5, 0, 10**20, -(10**20)
        )

    def _name(self, entity: str, key: str, names: dict[str, tuple[str, ...]]) -> str:
        shown = self._pick(key, *names.get(key, ()))
        if entity == "trace":
            return self._pick("", "", "trace.", "attributes.", "attribute.") + shown
        plain = all(char.isalnum() or char in "._" for char in shown)
        if not plain or self._chance.random() < 0.2:
            doubled = shown.replace('"', '""')
            shown = f"`{shown}`" if self._half() else f'"{doubled}"'
        prefixes = {"tag": ("tag", "tags"), "metadata": ("metadata", "request_metadata")}
        return f"{self._pick(*prefixes.get(entity, (entity,)))}.{shown}"

    def _quoted(self, text: str) -> str:
        quote = self._pick("'", '"')
        return quote + text.replace(quote, quote * 2) + quote

    def _listed(self, texts: Sequence[str]) -> str:
        return f"({', '.join(map(self._quoted, texts))})"

    def _half(self) -> bool:
        return self._chance.random() < 0.5

    def _pick(self, *choices: Any) -> Any:
        return self._chance.choice(choices)


def _start_ms(trace: world.Trace) -> int:
    return trace["start_ns"] // 1_000_000


def _duration_ms(trace: world.Trace) -> int | None:
    return None if trace["end_ns"] is None else (trace["end_ns"] - trace["start_ns"]) // 1_000_000


def _tokens(at: int | None) -> Any:
    def found(told: dict[str, Any]) -> int | None:
        tokens = told["tokens"]
        return tokens and (sum(tokens) if at is None else tokens[at])

    return found


def _end_ms(trace: world.Trace) -> int:
    return _start_ms(trace) + (_duration_ms(trace) or 0)


def _cost(told: dict[str, Any]) -> float | None:
    return told["cost"]


def _span_duration_ms(span: dict[str, Any]) -> float | None:
    return None if span["end_ns"] is None else (span["end_ns"] - span["start_ns"]) / 1e6


NUMBERS: Final[dict[str, Any]] = {
    "timestamp_ms": _start_ms,
    "execution_time_ms": _duration_ms,
    "end_time_ms": _end_ms,
    "tokens": _tokens(None),
    "input_tokens": _tokens(0),
    "output_tokens": _tokens(1),
    "cost": _cost,
}
SPAN_NUMBERS: Final[dict[str, Any]] = {
    "duration_ms": _span_duration_ms,
    "tokens": _tokens(None),
    "input_tokens": _tokens(0),
    "output_tokens": _tokens(1),
    "cost": _cost,
}
VALUES: Final = {
    "model": world.MODELS,
    "provider": world.PROVIDERS,
    "tool": (*world.TOOLS, *world.NAMES),
    "error": (*(": ".join(failure) for failure in world.FAILURES), "it broke", "error"),
}
TRACE_NAMES: Final = {
    "timestamp_ms": ("timestamp", "Timestamp"),
    "execution_time_ms": ("execution_time", "duration", "duration_ms"),
    "end_time_ms": ("end_time",),
    "tokens": ("total_tokens",),
    "session": ("session_id",),
    "request_id": ("trace_id",),
}
SPAN_NAMES: Final = {"duration_ms": ("duration",), "tokens": ("total_tokens",)}
ORDER_KEYS: Final = (
    "timestamp_ms", "execution_time_ms", "end_time_ms", "tokens", "cost", "status", "name", "user",
    "session", "request_id", "experiment_id", "client_request_id", "tag.env", "tag.größe",
    "metadata.release", "run_id",
)  # fmt: skip
