"""Spans as the user's code sees them: a thin face over an OpenTelemetry span of ours."""

import json
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import Token
from typing import Any

from opentelemetry import trace as otel
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.sdk.trace import Span as OtelSpan
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from tracelake.model.entities import SpanStatus
from tracelake.sdk.attributes import SPAN_INPUTS, SPAN_OUTPUTS, SPAN_TYPE
from tracelake.sdk.client import Client, current
from tracelake.sdk.encode import attribute_value, clean_text, short_repr, untag
from tracelake.sdk.provider import parent_for
from tracelake.sdk.traces import trace_id_text, trace_of

_OK = Status(StatusCode.OK)


class LiveSpan:
    """A span that is being recorded. No method raises or blocks; after the end they do nothing."""

    __slots__ = ("_client", "_span")

    def __init__(self, span: otel.Span, client: Client) -> None:
        self._span = span
        self._client = client

    @property
    def name(self) -> str:
        return self._span.name if isinstance(self._span, OtelSpan) else ""

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return f"{self._span.get_span_context().span_id:016x}"

    @property
    def trace_id(self) -> str:
        """`tr-` and 32 hex digits."""
        return trace_id_text(self._span.get_span_context().trace_id)

    @property
    def parent_id(self) -> str | None:
        parent = self._span.parent if isinstance(self._span, OtelSpan) else None
        return None if parent is None else f"{parent.span_id:016x}"

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of what is set so far, values as they are sent."""
        return dict(self._span.attributes or {}) if isinstance(self._span, OtelSpan) else {}

    @property
    def inputs(self) -> Any:
        return self._value(SPAN_INPUTS)

    @property
    def outputs(self) -> Any:
        return self._value(SPAN_OUTPUTS)

    @property
    def span_type(self) -> str:
        return str(self.attributes.get(SPAN_TYPE, "UNKNOWN"))

    @property
    def status(self) -> SpanStatus:
        if not isinstance(self._span, OtelSpan):
            return SpanStatus.UNSET
        return SpanStatus(self._span.status.status_code.name)

    @property
    def otel_span(self) -> otel.Span:
        """The OpenTelemetry span behind this one."""
        return self._span

    def set_inputs(self, inputs: Any) -> None:
        with self._client.guard:
            self._span.set_attribute(SPAN_INPUTS, self._client.text(inputs))

    def set_outputs(self, outputs: Any) -> None:
        with self._client.guard:
            self._span.set_attribute(SPAN_OUTPUTS, self._client.text(outputs))

    def set_attribute(self, key: str, value: Any) -> None:
        """Types are kept: bool, int, float, str, bytes, and lists and dicts of them."""
        with self._client.guard:
            if key in (SPAN_INPUTS, SPAN_OUTPUTS):
                self._span.set_attribute(key, self._client.text(value))
            else:
                self._span.set_attribute(clean_text(str(key)), attribute_value(value))

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_span_type(self, span_type: str) -> None:
        self.set_attribute(SPAN_TYPE, span_type)

    def set_status(self, status: SpanStatus | StatusCode | str, description: str = "") -> None:
        """OK, ERROR or UNSET. An ERROR set here survives a block that ends without exception."""
        with self._client.guard:
            name = status.name if isinstance(status, StatusCode) else str(status)
            code = StatusCode[name.upper()]
            text = clean_text(description) if code is StatusCode.ERROR and description else None
            self._span.set_status(Status(code, text))

    def add_event(
        self,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        timestamp_ns: int | None = None,
    ) -> None:
        with self._client.guard:
            clean = {key: attribute_value(value) for key, value in (attributes or {}).items()}
            self._span.add_event(clean_text(name), clean, timestamp_ns)

    def record_exception(self, exception: BaseException | str) -> None:
        """An `exception` event and status ERROR."""
        with self._client.guard:
            error = Exception(exception) if isinstance(exception, str) else exception
            record_error(self._span, error)

    def _value(self, key: str) -> Any:
        text = self.attributes.get(key)
        return untag(json.loads(text)) if isinstance(text, str) else text


def record_error(span: otel.Span, error: BaseException) -> None:
    """An `exception` event as OpenTelemetry names its parts, and status ERROR."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else kind.__module__ + "."
    try:
        message = clean_text(str(error))
    except Exception:
        message = clean_text(short_repr(error))
    span.add_event(
        "exception",
        {
            "exception.type": module + kind.__qualname__,
            "exception.message": message,
            "exception.stacktrace": clean_text(_stack_text(error)),
        },
    )
    span.set_status(Status(StatusCode.ERROR, f"{kind.__name__}: {message}"))


def _stack_text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        # An exception whose own text raises still has frames.
        return "".join(traceback.format_tb(error.__traceback__))


class Active:
    """A span that is open and, between `enter` and `leave`, the current one."""

    __slots__ = ("_client", "_context", "_token", "span")

    def __init__(self, client: Client, name: str, attributes: dict[str, Any] | None) -> None:
        self._client = client
        context = get_current()
        parent, links = parent_for(context)
        self.span: otel.Span = client.tracer.start_span(
            name, parent, attributes=attributes, links=links
        )
        self._context: Context = set_span_in_context(self.span, context)
        self._token: Token[Context] | None = None

    def enter(self) -> None:
        self._token = attach(self._context)

    def leave(self) -> None:
        if self._token is not None:
            detach(self._token)
            self._token = None

    def suspend(self) -> None:
        """Leave at a generator's yield; `enter` comes back to what its body had made current."""
        self._context = get_current()
        self.leave()

    def succeed(self) -> None:
        """End the span; OK unless the code said otherwise."""
        with self._client.guard:
            span = self.span
            if isinstance(span, OtelSpan) and span.status.status_code is StatusCode.UNSET:
                span.set_status(_OK)
            span.end()

    def fail(self, error: BaseException) -> None:
        with self._client.guard:
            record_error(self.span, error)
            self.span.end()


@contextmanager
def start_span(
    name: str = "span",
    span_type: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Generator[LiveSpan, None, None]:
    """A span around a block; the exception of the block is recorded and goes on unchanged."""
    client = current()
    active: Active | None = None
    live = LiveSpan(otel.INVALID_SPAN, client)
    with client.guard:
        active = Active(client, clean_text(str(name)), None)
        live = LiveSpan(active.span, client)
        if span_type is not None:
            live.set_span_type(span_type)
        live.set_attributes(attributes or {})
        active.enter()
    if active is None:
        yield live
        return
    try:
        yield live
    except GeneratorExit:
        # The block stands in a generator whose reader stopped early: no error of anybody.
        active.succeed()
        raise
    except BaseException as error:
        active.fail(error)
        raise
    else:
        active.succeed()
    finally:
        active.leave()


def get_current_active_span() -> LiveSpan | None:
    """The span of ours that is current here; None outside of any."""
    span = otel.get_current_span()
    return LiveSpan(span, current()) if trace_of(span) is not None else None
