"""The traces open in this process: which spans belong to one, where it goes, what was last."""

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, get_current_span

from tracelake.model.ids import TRACE_PREFIX
from tracelake.sdk.attributes import SPAN_INPUTS, SPAN_OUTPUTS
from tracelake.sdk.delivery import Finished, Write
from tracelake.sdk.destination import Destination
from tracelake.sdk.guard import Guard

MAX_OPEN_TRACES = 10_000
"""Traces whose spans never end (a forgotten generator) must not fill the memory."""

_MARK = "_tracelake_trace"


@dataclass(slots=True)
class OpenTrace:
    """A trace with spans that have not ended. `root` is the first span of it in this process."""

    root: Span
    root_span_id: int
    destination: Destination
    open_spans: int = 0
    writes: list[Write] = field(default_factory=list[Write])
    """Feedback given before the trace was sent; goes out after the root."""


def trace_of(span: object) -> OpenTrace | None:
    """The open trace of a span of ours; None for any other span."""
    return getattr(span, _MARK, None)


def trace_id_text(trace_id: int) -> str:
    return f"{TRACE_PREFIX}{trace_id:032x}"


class OpenTraces(SpanProcessor):
    """Follows every span of our provider from start to end and hands the finished ones to `put`."""

    def __init__(
        self,
        put: Callable[[Finished | Write, int], object],
        destination: Callable[[], Destination],
        root_attributes: Mapping[str, Any],
        guard: Guard,
    ) -> None:
        self._put = put
        self._destination = destination
        self._root_attributes = root_attributes
        self._guard = guard
        self._thread = threading.local()
        self.last_trace_id: str | None = None
        self._reset()
        if hasattr(os, "register_at_fork"):
            reset = weakref.WeakMethod(self._reset)
            os.register_at_fork(after_in_child=lambda: (again := reset()) and again())

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[int, OpenTrace] = {}

    def find(self, trace_id: str) -> OpenTrace | None:
        """The open trace with this `tr-` id."""
        with self._lock:
            return self._open.get(int(trace_id.removeprefix(TRACE_PREFIX), 16))

    def last_of_thread(self) -> str | None:
        return getattr(self._thread, "last_trace_id", None)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        try:
            own = span.get_span_context()
            trace = trace_of(get_current_span(parent_context))
            if trace is None:
                trace = OpenTrace(span, own.span_id, self._destination())
                if self._root_attributes:
                    span.set_attributes(self._root_attributes)
            setattr(span, _MARK, trace)
            with self._lock:
                trace.open_spans += 1
                self._open[own.trace_id] = trace
                if len(self._open) > MAX_OPEN_TRACES:
                    del self._open[next(iter(self._open))]
        except Exception as error:
            self._guard.failed(error)

    def on_end(self, span: ReadableSpan) -> None:
        try:
            context = cast("SpanContext", span.get_span_context())
            with self._lock:
                trace = self._open.get(context.trace_id)
                if trace is not None:
                    trace.open_spans -= 1
                    if trace.open_spans <= 0:
                        del self._open[context.trace_id]
            destination = self._destination() if trace is None else trace.destination
            self._put(Finished(destination, span), _size_bytes(span))
            if trace is not None and trace.root_span_id == context.span_id:
                self._root_ended(trace, trace_id_text(context.trace_id))
        except Exception as error:
            self._guard.failed(error)

    def _root_ended(self, trace: OpenTrace, trace_id: str) -> None:
        self.last_trace_id = trace_id
        self._thread.last_trace_id = trace_id
        with self._lock:
            writes, trace.writes = trace.writes, []
        for write in writes:
            self._put(write, 0)


def _size_bytes(span: ReadableSpan) -> int:
    """About how much memory a span holds: its texts, and a little for the rest."""
    attributes = span.attributes or {}
    inputs = attributes.get(SPAN_INPUTS)
    if isinstance(inputs, str):
        # A span of ours holds next to nothing else, and walking all attributes costs microseconds.
        outputs = attributes.get(SPAN_OUTPUTS)
        return 1000 + len(inputs) + (len(outputs) if isinstance(outputs, str) else 0)
    texts = (len(value) for value in attributes.values() if isinstance(value, (str, bytes)))
    return 1000 + 50 * len(attributes) + sum(texts)
