"""What a filter means, told a second time: by plain loops over the dicts of `world.py`.

Nothing of Tracelake is used here, so that a mistake in it cannot hide.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from tests.search.filters import NUMBERS, SPAN_NUMBERS, VALUES, AllOf, AnyOf, Is, NotOf, Tree

Trace = dict[str, Any]


class Twin:
    """Answers filters about one world."""

    def __init__(self, world: Sequence[Trace]) -> None:
        self._world = world
        self._of_session: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for trace in world:
            for told in trace["assessments"]:
                if told["session"] is not None and told["session"] == trace["session"]:
                    place = (trace["experiment"], trace["session"])
                    self._of_session.setdefault(place, []).append(told)

    def find(self, tree: Tree, order_by: Sequence[tuple[str, bool]] = ()) -> list[str]:
        """Ids of the traces that match, in order; the newest first where no order is given."""
        found = sorted(
            (trace for trace in self._world if self._holds(tree, trace)),
            key=lambda trace: trace["id"],
        )
        for key, descending in reversed(order_by or [("timestamp_ms", True)]):
            # Sorting is stable, so the least important key comes first.
            there = [trace for trace in found if _order_value(trace, key) is not None]
            there.sort(key=lambda trace, key=key: _order_value(trace, key), reverse=False)
            if descending:
                there = _reversed_groups(there, key)
            found = there + [trace for trace in found if _order_value(trace, key) is None]
        return [trace["id"] for trace in found]

    def _holds(self, tree: Tree, trace: Trace) -> bool:
        match tree:
            case Is() if _is_about_spans(tree):
                return any(_span_holds(tree, span) for span in trace["spans"])
            case Is():
                return self._clause_holds(tree, trace)
            case NotOf(item):
                return not self._holds(item, trace)
            case AnyOf(items):
                return any(self._holds(item, trace) for item in items)
            case AllOf():
                items = list(_conjuncts(tree))
                about_spans = [item for item in items if _is_about_spans(item)]
                others = [item for item in items if not _is_about_spans(item)]
                return all(self._holds(item, trace) for item in others) and (
                    not about_spans
                    or any(
                        all(_span_holds(item, span) for item in about_spans)
                        for span in trace["spans"]
                    )
                )

    def _clause_holds(self, clause: Is, trace: Trace) -> bool:
        match clause.entity:
            case "tag":
                return _holds(clause, _tags(trace).get(clause.key))
            case "metadata":
                return _holds(clause, _metadata(trace).get(clause.key))
            case "feedback" | "expectation":
                return self._assessed(clause, trace)
            case "issue":
                return False
            case _:
                return _field_holds(clause, trace)

    def _assessed(self, clause: Is, trace: Trace) -> bool:
        place = (trace["experiment"], trace["session"])
        about = [*trace["assessments"], *self._of_session.get(place, [])]
        values = [
            told["value"]
            for told in about
            if told["valid"] and told["kind"] == clause.entity and told["name"] == clause.key
        ]
        if clause.op == "IS NULL":
            return not values
        if clause.op == "IS NOT NULL":
            return bool(values)
        return any(_value_holds(clause, value) for value in values)


def _field_holds(clause: Is, trace: Trace) -> bool:
    key = clause.key
    if key in VALUES:
        said = {span[key] for span in trace["spans"]} - {None}
        if clause.op == "IS NULL":
            return not said
        if clause.op in ("!=", "NOT IN"):
            return bool(said) and all(_holds(clause, word) for word in said)
        return any(_holds(clause, word) for word in said)
    if key == "text":
        return any(_holds(clause, _content(span)) for span in trace["spans"])
    if key == "prompt":
        linked = json.loads(trace["set_tags"].get("mlflow.linkedPrompts", "[]"))
        return clause.value in [f"{prompt['name']}/{prompt['version']}" for prompt in linked]
    if key in NUMBERS:
        return _holds(clause, NUMBERS[key](trace))
    if key == "run_id":
        return _holds(clause, trace["metadata"].get("mlflow.sourceRun"))
    if key == "request_id":
        return _id_holds(clause, trace["id"])
    return _holds(clause, trace[key])


def _span_holds(tree: Tree, span: dict[str, Any]) -> bool:
    match tree:
        case AllOf(items):
            return all(_span_holds(item, span) for item in items)
        case AnyOf(items):
            return any(_span_holds(item, span) for item in items)
        case Is(entity="span.attributes"):
            return _holds(tree, _text(span["attributes"].get(tree.key)))
        case Is(key="content"):
            return _holds(tree, _content(span))
        case Is() if tree.key in SPAN_NUMBERS:
            return _holds(tree, SPAN_NUMBERS[tree.key](span))
        case Is():
            return _holds(tree, span[tree.key])
        case NotOf():
            raise AssertionError("NOT never stands inside what holds on one span")


def _holds(clause: Is, found: Any) -> bool:
    if clause.op == "IS NULL":
        return found is None
    if clause.op == "IS NOT NULL":
        return found is not None
    return found is not None and _OPERATORS[clause.op](found, clause.value)


def _id_holds(clause: Is, found: str) -> bool:
    """Whole ids may be written without their prefix."""
    if clause.op in ("=", "!="):
        same = clause.value.removeprefix("tr-") == found[3:]
        return same is (clause.op == "=")
    if clause.op in ("IN", "NOT IN"):
        inside = found[3:] in [value.removeprefix("tr-") for value in clause.value]
        return inside is (clause.op == "IN")
    return _holds(clause, found)


def _value_holds(clause: Is, value: Any) -> bool:
    numeric = isinstance(value, int | float)
    if clause.op in (">", ">=", "<", "<="):
        return numeric and _holds(clause, value)
    if isinstance(clause.value, int | float) and numeric:
        return _holds(clause, value)
    wanted = _text(clause.value)
    return _holds(Is(clause.entity, clause.key, clause.op, wanted, ""), _text(value))


def _like(text: str, pattern: str) -> bool:
    expression, at = "", 0
    while at < len(pattern):
        if pattern[at] == "\\" and pattern[at + 1 : at + 2] in ("%", "_"):
            at += 1
            expression += re.escape(pattern[at])
        else:
            expression += {"%": ".*", "_": "."}.get(pattern[at], re.escape(pattern[at]))
        at += 1
    return re.fullmatch(expression, text, re.DOTALL) is not None


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    "IN": lambda found, wanted: found in wanted,
    "NOT IN": lambda found, wanted: found not in wanted,
    "LIKE": _like,
    "ILIKE": lambda found, wanted: _like(found.lower(), wanted.lower()),
    "RLIKE": lambda found, wanted: re.search(wanted, found) is not None,
}


def _text(value: Any) -> str | None:
    """A string as it is, anything else as its JSON, keys in order, whole numbers whole."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _content(span: dict[str, Any]) -> str:
    told = [span["name"], span["type"], span["model"], span["message"]]
    told += [span["inputs"], span["outputs"], span["attributes"], list(map(list, span["events"]))]
    return "\n".join(_leaves(told))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        if "\\u" in value and value[:1] in ("{", "[", '"'):
            yield from _leaves(json.loads(value))
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _leaves(item)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield key
            yield from _leaves(item)
    elif value is not None:
        yield json.dumps(value)


def _tags(trace: Trace) -> dict[str, str]:
    named = {"mlflow.traceName": trace["name"]} if trace["name"] is not None else {}
    return trace["tags"] | trace["set_tags"] | named


def _metadata(trace: Trace) -> dict[str, str]:
    told = dict(trace["metadata"]) | {"mlflow.trace_schema.version": "3"}
    for key in ("session", "user"):
        if trace[key] is not None:
            told[f"mlflow.trace.{key}"] = trace[key]
    if trace["tokens"] is not None:
        went_in, out = trace["tokens"]
        usage = {"input_tokens": went_in, "output_tokens": out, "total_tokens": went_in + out}
        told["mlflow.trace.tokenUsage"] = json.dumps(usage)
    if trace["cost"] is not None:
        cost = {"input_cost": trace["cost"], "output_cost": 0.0, "total_cost": trace["cost"]}
        told["mlflow.trace.cost"] = json.dumps(cost)
    return told


def _conjuncts(tree: AllOf) -> Iterator[Tree]:
    for item in tree.items:
        if isinstance(item, AllOf):
            yield from _conjuncts(item)
        else:
            yield item


def _is_about_spans(tree: Tree) -> bool:
    match tree:
        case Is(entity=entity):
            return entity in ("span", "span.attributes")
        case AllOf(items) | AnyOf(items):
            return all(map(_is_about_spans, items))
        case NotOf():
            return False


def _order_value(trace: Trace, key: str) -> Any:
    entity, _, name = key.partition(".")
    match entity:
        case "tag":
            return _tags(trace).get(name)
        case "metadata":
            return trace["metadata"].get(name)
        case "run_id":
            return trace["metadata"].get("mlflow.sourceRun")
        case "timestamp_ms":
            return trace["start_ns"]
        case "execution_time_ms":
            if trace["end_ns"] is None:
                return None
            return (trace["end_ns"] - trace["start_ns"]) // 1_000_000
        case "end_time_ms":
            return trace["start_ns"] if trace["end_ns"] is None else trace["end_ns"]
        case "request_id":
            return trace["id"]
        case "experiment_id":
            return int(trace["experiment"])
        case "tokens" | "cost":
            return NUMBERS[key](trace)
        case _:
            return trace[key]


def _reversed_groups(traces: list[Trace], key: str) -> list[Trace]:
    """The greatest first, equal ones still in the order they were in."""
    groups: dict[Any, list[Trace]] = {}
    for trace in traces:
        groups.setdefault(_order_value(trace, key), []).append(trace)
    return [trace for value in reversed(groups) for trace in groups[value]]
