"""Traces of every shape as plain dicts, and the way they are written into a store.

The dicts are all that `twin.py` looks at: nothing here is read back.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.spans import parts_in
from tests.values import key_values
from tracelake.model.entities import AssessmentError, AssessmentSource, SourceType
from tracelake.store.api import NewAssessment
from tracelake.store.open import Store

Trace = dict[str, Any]

BASE_NS: Final = 1_790_000_000_000_000_000
DAY_NS: Final = 86_400 * 10**9
WORDS: Final = (
    "ok", "OK", "prod", "Prod", "größe", "GRÖSSE", "a'b", 'say "hi"', "50%", "x_y", "back\\slash",
    "日本", "مرحبا", "İstanbul", "ΣΊΣΥΦΟΣ", "Kelvin \u212a", "two\nlines", "true", "5", "",
)  # fmt: skip
NAMES: Final = ("answer", "Answer", "search flights", "größe", "日本", "step_1", "a%b", "n" * 60)
MODELS: Final = ("acme-large", "acme-mini", "Acme-Mini", "größe-1", "acme-4o")
PROVIDERS: Final = ("acme", "openai", "größe")
TOOLS: Final = ("search", "refund", "Search", "検索")
SESSIONS: Final = ("s1", "s2", "S2", "sitzung größe")
USERS: Final = ("ann", "Bob", "größe", "o'neil")
FAILURES: Final = (
    ("ValueError", "no such city"), ("openai.RateLimitError", "slow down"), ("Größe", "zu groß"),
)  # fmt: skip
SENTENCES: Final = (
    "Please refund my ticket to Zürich", "我想退票", "أريد استرداد التذكرة", "100% sure, a_b",
    "line one\nline two", "REFUND denied", "k i K I",
)  # fmt: skip
ATTRIBUTES: Final[dict[str, tuple[Any, ...]]] = {
    "colour": WORDS,
    "count": (0, 1, 5, -3, 2**53),
    "ratio": (0.5, 1e-7, 3.0, 1e22, -2.25),
    "flag": (True, False),
    "list": (["a", "b"], [], [1, 2.5, None, "ok"]),
    "deep.map": ({"k": "ok", "n": {"größe": 1}}, {"z": 1, "a": [True]}),
    "odd key": ("ok", 'q"q'),
    "escaped": (
        json.dumps({"role": "user", "content": "我想退票 größe", "n": 1.50}),
        json.dumps("日本 ok"),
        json.dumps([json.dumps({"größe": True})]),
        "no JSON \\u0041",
        ["\\u65e5", '["\\u65e5本"]'],
    ),
    "größe": ("ok", 7),
    'quo"te\\': ("ok", "prod"),
}
FEEDBACK_VALUES: Final[tuple[Any, ...]] = (
    True, False, 0, 1, 5, -2, 0.5, 0.9, 1.0, 1e16, "yes", "no", "größe", "5", "true", "", 'q"q',
    [1, "ok"], [], {"b": 1, "a": "ok"}, None,
)  # fmt: skip
TAG_KEYS: Final = ("env", "größe", "odd key", "a.b", 'quo"te', "none")
METADATA_KEYS: Final = ("release", "größe", "a.b", "mlflow.sourceRun", "none")


def make_world(seed: int, count: int = 400) -> list[Trace]:
    """`count` traces; the same for the same seed."""
    chance = random.Random(seed)
    return [_trace(chance, number) for number in range(1, count + 1)]


def fill(
    store: Store,
    world: Sequence[Trace],
    between: Callable[[], None] | None = None,
    seed: int = 1,
) -> None:
    """Write the world: spans in several requests, in no order, then tags and assessments.

    `between` is called now and then, and not at the end.
    """
    chance = random.Random(seed)
    store.experiments.create("other", {})
    pieces: list[tuple[Trace, list[dict[str, Any]]]] = []
    for trace in world:
        spans = list(trace["spans"])
        chance.shuffle(spans)
        at = chance.randint(0, len(spans)) if chance.random() < 0.4 else len(spans)
        pieces += [(trace, some) for some in (spans[:at], spans[at:]) if some]
    chance.shuffle(pieces)
    for at in range(0, len(pieces), 25):
        if between is not None and at % 100 == 0:
            between()
        parts = [
            part
            for trace, spans in pieces[at : at + 25]
            for part in parts_in(_request(trace, spans), int(trace["experiment"]))[0]
        ]
        store.spans.write(parts)
    for n, trace in enumerate(world):
        if between is not None and n == len(world) // 2:
            between()
        for key, value in trace["set_tags"].items():
            store.editor.set_tag(trace["id"], key, value)
        ids: list[str] = []
        for told in trace["assessments"]:
            new = _new_assessment(told, ids)
            ids.append(store.assessments.add(trace["id"], new).assessment_id)


def _trace(chance: random.Random, number: int) -> Trace:
    # Few distinct times: many traces begin in the same millisecond, some in the same nanosecond.
    start_ns = BASE_NS + chance.randrange(3) * DAY_NS + chance.randrange(40) * 250_000
    spans = [_span(chance, 1, None, start_ns)]
    for n in range(2, chance.choice((2, 2, 3, 4, 6)) + 1):
        spans.append(_span(chance, n, chance.randrange(1, n), start_ns))
    if chance.random() < 0.1 and len(spans) > 1:
        del spans[0]  # the root never arrives
    elif chance.random() < 0.05:
        spans[0]["end_ns"] = None
    trace: Trace = {
        "id": f"tr-{number * 7919 % 100_003:032x}",
        "experiment": str(chance.randrange(2)),
        "spans": spans,
        "tags": _some(chance, TAG_KEYS[:-1], WORDS),
        "set_tags": {},
        "metadata": _some(chance, METADATA_KEYS[:-1], WORDS),
        "session": _maybe(chance, 0.6, SESSIONS),
        "user": _maybe(chance, 0.6, USERS),
        "client_request_id": _maybe(chance, 0.3, WORDS[:-1]),
        "assessments": [],
    }
    if chance.random() < 0.15:
        linked = [{"name": "qa", "version": str(chance.randrange(1, 4))}]
        trace["set_tags"]["mlflow.linkedPrompts"] = json.dumps(linked)
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        trace["assessments"].append(_assessment(chance, trace))
        if chance.random() < 0.15:
            at = len(trace["assessments"]) - 1
            trace["assessments"][at]["valid"] = False
            trace["assessments"].append(_assessment(chance, trace) | {"overrides": at})
    spans[0]["attributes"] |= _facts(trace)
    _derive(trace)
    return trace


def _span(chance: random.Random, number: int, parent: int | None, at_ns: int) -> dict[str, Any]:
    start_ns = at_ns + chance.randrange(-2, 9) * 100_000
    kind = chance.choice(("AGENT", "CHAT_MODEL", "TOOL", "CHAIN", "UNKNOWN", "my own"))
    status = chance.choice(("OK", "UNSET", "ERROR"))
    calls_model = kind == "CHAT_MODEL"
    tokens = (chance.randrange(9), chance.randrange(5)) if chance.random() < 0.5 else None
    failure = chance.choice(FAILURES)
    name = chance.choice(NAMES)
    span: dict[str, Any] = {
        "number": number,
        "parent": parent,
        "name": name,
        "type": kind,
        "status": status,
        "message": chance.choice(("", "it broke")) if status == "ERROR" else "",
        "start_ns": start_ns,
        "end_ns": start_ns + chance.choice((0, 999_999, 1_000_000, 2_500_000, 7_000_001)),
        "model": chance.choice(MODELS) if calls_model else None,
        "provider": _maybe(chance, 0.7, PROVIDERS) if calls_model else None,
        "tool": None,
        "error": None,
        "tokens": tokens if calls_model or kind == "AGENT" else None,
        "cost": chance.randrange(64) / 64 if calls_model and chance.random() < 0.7 else None,
        "events": [],
        "inputs": _maybe(chance, 0.4, SENTENCES),
        "outputs": {"said": chance.choice(SENTENCES), "n": 1.5} if chance.random() < 0.3 else None,
    }
    extra = _some(chance, tuple(ATTRIBUTES), ())
    span["attributes"] = _attributes(span) | extra
    if kind == "TOOL":
        span["tool"] = _maybe(chance, 0.7, TOOLS)
        if span["tool"] is not None:
            span["attributes"]["gen_ai.tool.name"] = span["tool"]
        span["tool"] = span["tool"] or name
    if status == "ERROR":
        if chance.random() < 0.5:
            told = {"exception.type": failure[0], "exception.message": failure[1]}
            span["events"].append(("exception", told))
            span["error"] = ": ".join(failure)
        else:
            span["error"] = span["message"] or "error"
    return span


def _attributes(span: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if span["type"] != "UNKNOWN":
        told["mlflow.spanType"] = span["type"]
    if span["model"] is not None:
        told["mlflow.llm.model"] = span["model"]
    if span["provider"] is not None:
        told["mlflow.llm.provider"] = span["provider"]
    if span["tokens"] is not None:
        went_in, out = span["tokens"]
        usage = {"input_tokens": went_in, "output_tokens": out, "total_tokens": went_in + out}
        told["mlflow.chat.tokenUsage"] = json.dumps(usage)
    if span["cost"] is not None:
        cost = {"input_cost": span["cost"], "output_cost": 0, "total_cost": span["cost"]}
        told["mlflow.llm.cost"] = json.dumps(cost)
    for key, name in (("inputs", "mlflow.spanInputs"), ("outputs", "mlflow.spanOutputs")):
        if span[key] is not None:
            told[name] = json.dumps(span[key], ensure_ascii=False)
    return told


def _assessment(chance: random.Random, trace: Trace) -> dict[str, Any]:
    kind = chance.choice(("feedback", "feedback", "expectation"))
    value = chance.choice(FEEDBACK_VALUES[: -1 if kind == "expectation" else None])
    session = trace["session"] if chance.random() < 0.2 else None
    if session is not None and chance.random() < 0.3:
        session = "another session"
    return {
        "kind": kind,
        "name": chance.choice(("score", "correct", "größe", "odd name")),
        "value": value,
        "valid": True,
        "session": session,
        "overrides": None,
    }


def _derive(trace: Trace) -> None:
    spans: list[dict[str, Any]] = trace["spans"]
    root = next((span for span in spans if span["parent"] is None), None)
    ended = root is not None and root["end_ns"] is not None
    trace["start_ns"] = min(span["start_ns"] for span in spans)
    ends = [span["end_ns"] for span in spans if span["end_ns"] is not None]
    trace["end_ns"] = max(ends) if ended else None
    trace["name"] = root["name"] if root else None
    trace["status"] = "IN_PROGRESS"
    if ended and root is not None:
        trace["status"] = "ERROR" if root["status"] == "ERROR" else "OK"
    by_number = {span["number"]: span for span in spans}
    for fact in ("tokens", "cost"):
        counted = [span[fact] for span in spans if _is_topmost(span, fact, by_number)]
        trace[fact] = None
        if counted and fact == "cost":
            trace[fact] = sum(counted)
        elif counted:
            trace[fact] = tuple(sum(pair) for pair in zip(*counted, strict=True))


def _is_topmost(span: dict[str, Any], fact: str, by_number: Mapping[int, dict[str, Any]]) -> bool:
    if span[fact] is None:
        return False
    above = by_number.get(span["parent"] or 0)
    while above is not None:
        if above[fact] is not None:
            return False
        above = by_number.get(above["parent"] or 0)
    return True


def _request(trace: Trace, spans: Sequence[dict[str, Any]]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for span in spans:
        status = Status(code=Status.StatusCode.Value(f"STATUS_CODE_{span['status']}"))
        status.message = span["message"]
        made = Span(
            trace_id=bytes.fromhex(trace["id"][3:]),
            span_id=span["number"].to_bytes(8, "big"),
            parent_span_id=span["parent"].to_bytes(8, "big") if span["parent"] else b"",
            name=span["name"],
            start_time_unix_nano=span["start_ns"],
            end_time_unix_nano=span["end_ns"] or 0,
            attributes=key_values(span["attributes"]),
            status=status,
        )
        for name, said in span["events"]:
            made.events.add(name=name, attributes=key_values(said))
        scope.spans.append(made)
    return request


def _facts(trace: Trace) -> dict[str, Any]:
    """The attributes by which the trace's first span tells what holds for all of it."""
    told = {f"mlflow.traceTag.{key}": value for key, value in trace["tags"].items()}
    for key, value in trace["metadata"].items():
        told[f"tracelake.trace.metadata.{key}"] = value
    named = {"session": "session.id", "user": "user.id"}
    named["client_request_id"] = "tracelake.trace.client_request_id"
    for fact, key in named.items():
        if trace[fact] is not None:
            told[key] = trace[fact]
    return told


def _new_assessment(told: dict[str, Any], ids: Sequence[str]) -> NewAssessment:
    at: int | None = told["overrides"]
    failed = AssessmentError("Away") if told["value"] is None else None
    metadata = {"mlflow.trace.session": told["session"]} if told["session"] else {}
    return NewAssessment(
        told["name"],
        told["kind"],
        told["value"],
        AssessmentSource(SourceType.HUMAN),
        metadata=metadata,
        error=failed,
        overrides=None if at is None else ids[at],
    )


def _some(chance: random.Random, keys: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {key: chance.choice(values or ATTRIBUTES[key]) for key in keys if chance.random() < 0.35}


def _maybe(chance: random.Random, share: float, values: Sequence[Any]) -> Any:
    return chance.choice(values) if chance.random() < share else None
