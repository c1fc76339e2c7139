"""Requests that something is wrong with, endlessly many and always the same for one seed."""

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import zstandard
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otlp_seeds import Plain, any_value, key_values, seed_requests
from tracelake.model.semconv.convention import Convention, Keys
from tracelake.model.semconv.read import CONVENTIONS

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_ID_KEYS: Final = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True, slots=True)
class Mutated:
    body: bytes
    content_type: str
    encoding: str
    experiment: str | None


def _nested(depth: int, kind: str) -> Plain:
    value: Plain = "deep"
    for _ in range(depth):
        value = [value] if kind == "list" else {kind: value}
    return value


def _keys_of(convention: Convention) -> list[str]:
    told: list[Any] = list(vars(convention).values())
    return [key for keys in told if isinstance(keys, tuple) for key in cast("Keys", keys)]


_KEYS: Final[list[str]] = sorted(
    {key for convention in CONVENTIONS for key in _keys_of(convention)}
    | {"mlflow.traceTag.x", "mlflow.traceTag.", "tracelake.trace.name", "tracelake.trace.metadata."}
    | {"tracelake.trace.request_preview", "llm.input_messages.999999.message.content", "", "\0"}
)
_TEXTS: Final = (
    "", "\0", "a\0b", "\ufffe", "é" * 5000, "\U0001f6eb" * 2000, "'; DROP TABLE traces; --", '"',
    "[", "nan", "1e400", "-1", "1e15", "9" * 400, "true", "null", '"quoted"', '"\\ud800"', "NaN",
    '{"a": NaN}', '{"a": 1e999}', '{"messages": 1}', "[" * 3000 + "]" * 3000,
    '{"a":' * 900 + "1" + "}" * 900, '{"a":' * 330 + "1" + "}" * 330, "[" * 480 + "]" * 480,
    '{"request":' * 300 + "1" + "}" * 300, '{"input_tokens": 1e400, "output_tokens": -1}',
    '{"input_tokens": 9007199254740991, "output_tokens": 9007199254740991}',
    '{"input_cost": 1e999, "output_cost": "x"}', '{"total_cost": ' + "9" * 400 + "}",
    '{"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}, 5, null]}',
    '{"choices": [{"message": null}, 3]}', '{"role": 1, "content": {}}',
)  # fmt: skip
_VALUES: Final[tuple[Plain, ...]] = (
    None, True, 0, -1, 2**63 - 1, -(2**63), 2**53 - 1, float("nan"), float("inf"), -float("inf"),
    1e308, 5e-324, -0.0, b"", b"\xff\xfe\0", bytes(1000), [], {}, [None, 1, "x", [b"\0"]],
    {"": None, "a": {"a": float("nan")}}, _nested(40, "list"), _nested(30, "request"),
    {"input_cost": float("inf"), "output_cost": float("nan"), "total_cost": 1},
    {"input_tokens": 2**52, "output_tokens": 2**52, "total_tokens": 2**52},
    {"messages": _nested(20, "list")}, *_TEXTS,
)  # fmt: skip
_IDS: Final = (b"", bytes(8), bytes(16), b"\xff" * 8, b"\xff" * 16, b"\1", b"\1" * 7, b"\1" * 5000)
_TIMES: Final = (0, 1, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 1_790_000_000_000_000_000)
_JSON_VALUES: Final[tuple[Any, ...]] = (
    None, True, -1, 0.5, 1e300, 2**70, -(2**70), "", "x", "1.5", "-5", "\ud800", "\0", [], {}, [[]],
    {"a": None}, "ff" * 16, "zz" * 16, "1e3", "SPAN_KIND_SERVER", "NaN",
)  # fmt: skip


class Mutations:
    """`at(n)` is the n-th request. Traces of different n differ, but for some that shall not."""

    def __init__(self, seed: int = 20260903) -> None:
        self._seed = seed
        self._seeds = seed_requests()
        self._spans: tuple[Callable[[random.Random, Span], None], ...] = (
            _odd_id, _odd_time, _odd_enum, _odd_attribute, _odd_attribute, _odd_attribute,
            _odd_name, _odd_event, _odd_link, _many_attributes, _own_parent,
        )  # fmt: skip
        self._bytes: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
            _flip, _flip, _cut, _splice, _insert, _remove, _repeat, _varint, _garbage, _zeros,
        )  # fmt: skip

    def at(self, number: int) -> Mutated:
        chooser = random.Random(self._seed * 1_000_003 + number)
        request = ExportTraceServiceRequest()
        request.CopyFrom(chooser.choice(self._seeds))
        spans = [
            span
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]
        # Some arrive twice, and some add to a trace that is there.
        trace = number if chooser.random() < 0.9 else chooser.randrange(50)
        for span in spans:
            span.trace_id = span.trace_id[-1:] + b"\0fuzz" + trace.to_bytes(10)
        for _ in range(chooser.choice((0, 1, 1, 2, 4))):
            chooser.choice(self._spans)(chooser, chooser.choice(spans))
        if chooser.random() < 0.1:
            odd = chooser.choice(_VALUES)
            request.resource_spans[0].resource.attributes.extend(key_values({"odd": odd}))
        if chooser.random() < 0.1:
            request.MergeFrom(request)
        as_json = chooser.random() < 0.4
        body = _to_json(chooser, request) if as_json else request.SerializeToString()
        if chooser.random() < 0.5:
            other = self._seeds[-1].SerializeToString()
            for _ in range(chooser.choice((1, 1, 2, 5))):
                body = chooser.choice(self._bytes)(chooser, body, other)
        return self._wrapped(chooser, body, JSON if as_json else PROTOBUF)

    def _wrapped(self, chooser: random.Random, body: bytes, content_type: str) -> Mutated:
        encoding = chooser.choice(("", "", "", "gzip", "deflate", "zstd"))
        match encoding:
            case "gzip":
                body = gzip.compress(body, 1, mtime=0)
            case "deflate":
                body = zlib.compress(body, 1)
            case "zstd":
                body = zstandard.compress(body, 1)
            case _:
                pass
        dice = chooser.random()
        if dice < 0.05 and encoding:
            body = chooser.choice(self._bytes)(chooser, body, body)
        elif dice < 0.07:
            encoding = chooser.choice(("gzip", "zstd", "deflate", "br", "identity", ""))
        elif dice < 0.09:
            content_type = chooser.choice((PROTOBUF, JSON, "text/plain", JSON + "; charset=utf-8"))
        experiment = chooser.choice(("0",) * 60 + ("77", "abc", "-1", "9" * 30, ""))
        return Mutated(body, content_type, encoding, experiment if dice < 0.5 else None)


def _odd_id(chooser: random.Random, span: Span) -> None:
    setattr(span, chooser.choice(("trace_id", "span_id", "parent_span_id")), chooser.choice(_IDS))


def _odd_time(chooser: random.Random, span: Span) -> None:
    field = chooser.choice(("start_time_unix_nano", "end_time_unix_nano"))
    setattr(span, field, chooser.choice(_TIMES))


def _odd_enum(chooser: random.Random, span: Span) -> None:
    number: Any = chooser.choice((-1, 7, 99, 2**31 - 1))
    if chooser.random() < 0.5:
        span.kind = number
    else:
        span.status.code = number


def _odd_attribute(chooser: random.Random, span: Span) -> None:
    key, value = chooser.choice(_KEYS), any_value(chooser.choice(_VALUES))
    span.attributes.add(key=key).value.CopyFrom(value)
    if chooser.random() < 0.5:
        del span.attributes[:-1]


def _odd_name(chooser: random.Random, span: Span) -> None:
    span.name = chooser.choice(_TEXTS)
    span.status.message = chooser.choice(_TEXTS)


def _odd_event(chooser: random.Random, span: Span) -> None:
    name = chooser.choice(("exception", "gen_ai.choice", "gen_ai.user.message", "\0", ""))
    told = key_values({"role": chooser.choice(_VALUES), "content": chooser.choice(_VALUES)})
    span.events.add(name=name, time_unix_nano=chooser.choice(_TIMES), attributes=told)


def _odd_link(chooser: random.Random, span: Span) -> None:
    told = key_values({"x": chooser.choice(_VALUES)})
    span.links.add(trace_id=chooser.choice(_IDS), span_id=chooser.choice(_IDS), attributes=told)


def _many_attributes(chooser: random.Random, span: Span) -> None:
    span.attributes.extend(key_values({f"k{n}": n for n in range(chooser.randrange(500))}))


def _own_parent(_chooser: random.Random, span: Span) -> None:
    span.parent_span_id = span.span_id


def _flip(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(min(len(body), chooser.choice((1, 1, 3, 20)))):
        changed[chooser.randrange(len(body))] = chooser.randrange(256)
    return bytes(changed)


def _cut(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    return body[: chooser.randrange(len(body) + 1)]


def _splice(chooser: random.Random, body: bytes, other: bytes) -> bytes:
    return body[: chooser.randrange(len(body) + 1)] + other[chooser.randrange(len(other) + 1) :]


def _insert(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    at = chooser.randrange(len(body) + 1)
    return body[:at] + chooser.randbytes(chooser.randrange(1, 16)) + body[at:]


def _remove(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    at = chooser.randrange(len(body) + 1)
    return body[:at] + body[at + chooser.randrange(1, 32) :]


def _repeat(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    at = chooser.randrange(len(body) + 1)
    return body[:at] + body[at : at + 64] * chooser.randrange(1, 20) + body[at:]


def _varint(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    at = chooser.randrange(len(body) + 1)
    return body[:at] + b"\xff" * chooser.choice((4, 9, 10, 11)) + body[at + 1 :]


def _garbage(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    return body + chooser.choice((b"\xff\xfe", bytes(100), b"\xc3\x28", b"{}", b"\x0a\x80\x80\x80"))


def _zeros(chooser: random.Random, body: bytes, _other: bytes) -> bytes:
    at = chooser.randrange(len(body) + 1)
    return body[:at] + bytes(len(body[at : at + 16])) + body[at + 16 :]


def _to_json(chooser: random.Random, request: ExportTraceServiceRequest) -> bytes:
    """OTLP in JSON, with ids in hex, and something odd in about half of them."""
    tree: Any = MessageToDict(request, preserving_proto_field_name=False)
    nodes: list[tuple[Any, Any]] = []
    _collect(tree, nodes)
    for holder, key in nodes:
        if key in _ID_KEYS:
            holder[key] = base64.b64decode(holder[key]).hex()
    if chooser.random() < 0.5:
        for _ in range(chooser.choice((1, 2, 4))):
            holder, key = chooser.choice(nodes)
            dice = chooser.random()
            if dice < 0.7 or not isinstance(holder, dict):
                holder[key] = chooser.choice(_JSON_VALUES)
            else:
                holder[chooser.choice((f"{key}X", str(key).lower(), "spans", "value"))] = holder[
                    key
                ]
    text = json.dumps(tree, ensure_ascii=chooser.random() < 0.5)
    dice = chooser.random()
    if dice < 0.02:
        return text.encode("utf-16", "surrogatepass")
    if dice < 0.04:
        return text.replace("1", "NaN", 1).encode(errors="surrogatepass")
    if dice < 0.05:
        return (b'{"resourceSpans":' + b"[" * 100_000)[: chooser.randrange(100_000)]
    return text.encode(errors="surrogatepass")


def _collect(node: Any, nodes: list[tuple[Any, Any]]) -> None:
    keys: list[Any] = list(node) if hasattr(node, "keys") else list(range(len(node)))
    for key in keys:
        value: Any = node[key]
        nodes.append((node, key))
        if isinstance(value, dict | list):
            _collect(value, nodes)
