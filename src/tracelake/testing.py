"""For tests of traced programs: spans kept in memory, with ids that count up from one.

from tracelake.testing import capture

with capture() as spans:
    answer("hello")
assert spans.named("answer").outputs == "hi"
"""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import IdGenerator

from tracelake.model.entities import SpanStatus
from tracelake.sdk.attributes import SPAN_INPUTS, SPAN_OUTPUTS, SPAN_TYPE
from tracelake.sdk.client import PROCESS, Client
from tracelake.sdk.delivery import Finished, Write
from tracelake.sdk.encode import untag
from tracelake.sdk.settings import load_settings
from tracelake.sdk.traces import trace_id_text


@dataclass(frozen=True, slots=True)
class CapturedSpan:
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    span_type: str
    status: SpanStatus
    inputs: Any
    outputs: Any
    attributes: dict[str, Any]


class CapturedSpans:
    """The finished spans so far, in the order they ended."""

    def __init__(self) -> None:
        self._finished: list[ReadableSpan] = []
        self._client = Client(
            load_settings({"delay_ms": "0"}, environ={}), deliver=self._take, ids=_CountingIds()
        )

    @property
    def client(self) -> Client:
        return self._client

    def __iter__(self) -> Iterator[CapturedSpan]:
        self._client.flush(10)
        return iter([_captured(span) for span in self._finished])

    def named(self, name: str) -> CapturedSpan:
        """The one span of this name. Raises LookupError when there is none or more than one."""
        found = [span for span in self if span.name == name]
        if len(found) != 1:
            names = [span.name for span in self]
            raise LookupError(f"{len(found)} spans are named {name!r}; there are {names}")
        return found[0]

    def _take(self, batch: Sequence[Finished | Write]) -> None:
        for item in batch:
            if isinstance(item, Finished):
                self._finished.append(item.span)
            else:
                item.answered.set()


@contextmanager
def capture() -> Generator[CapturedSpans, None, None]:
    """Keep the spans of the block in memory; nothing is sent, the environment is not read."""
    spans = CapturedSpans()
    before = PROCESS.use(spans.client)
    try:
        yield spans
    finally:
        PROCESS.use(before)
        spans.client.outbox.close(10)


class _CountingIds(IdGenerator):
    def __init__(self) -> None:
        self._spans = count(1)
        self._traces = count(1)

    def generate_span_id(self) -> int:
        return next(self._spans)

    def generate_trace_id(self) -> int:
        return next(self._traces)


def _captured(span: ReadableSpan) -> CapturedSpan:
    attributes: dict[str, Any] = dict(span.attributes or {})
    own = span.get_span_context()
    texts = {key: attributes.get(key) for key in (SPAN_INPUTS, SPAN_OUTPUTS)}
    values = {k: untag(json.loads(text)) if text else None for k, text in texts.items()}
    return CapturedSpan(
        trace_id="" if own is None else trace_id_text(own.trace_id),
        span_id="" if own is None else f"{own.span_id:016x}",
        parent_id=None if span.parent is None else f"{span.parent.span_id:016x}",
        name=span.name,
        span_type=str(attributes.get(SPAN_TYPE, "UNKNOWN")),
        status=SpanStatus(span.status.status_code.name),
        inputs=values[SPAN_INPUTS],
        outputs=values[SPAN_OUTPUTS],
        attributes=attributes,
    )
