"""The OpenTelemetry provider of ours, never the user's global one, and how traces begin in it."""

import os
import random
import socket
import sys
import weakref
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.util import types

from tracelake.sdk.traces import trace_of

MAX_ATTRIBUTES = 16_384
"""A long conversation is several thousand attributes in the conventions that flatten messages."""
MAX_EVENTS = 4_096


class RandomIds(IdGenerator):
    """Ids from a generator of our own: a program that seeds `random` would repeat its ids, and a
    repeated id overwrites a stored span. Seeded by the system, again in every forked process."""

    def __init__(self) -> None:
        self._bits = random.Random().getrandbits
        if hasattr(os, "register_at_fork"):
            seed = weakref.WeakMethod(self._seed)
            os.register_at_fork(after_in_child=lambda: (again := seed()) and again())

    def _seed(self) -> None:
        self._bits = random.Random().getrandbits

    def generate_span_id(self) -> int:
        return self._bits(64) or 1

    def generate_trace_id(self) -> int:
        return self._bits(128) or 1

    def is_trace_id_random(self) -> bool:
        return True


class Always(Sampler):
    """Records every span, without the look at the parent that OpenTelemetry's own takes. A vendor's
    `tracestate` is the business of the provider it came from."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: otel.SpanKind | None = None,
        attributes: types.Attributes = None,
        links: Sequence[otel.Link] | None = None,
        trace_state: otel.TraceState | None = None,
    ) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "Always"


def make_provider(
    processor: SpanProcessor, service_name: str = "", ids: IdGenerator | None = None
) -> TracerProvider:
    """A provider that keeps every span whole, whatever limits the environment sets for others."""
    provider = TracerProvider(
        sampler=Always(),
        resource=_resource(service_name),
        # Delivery is ended by the client, in bounded time.
        shutdown_on_exit=False,
        id_generator=ids or RandomIds(),
        span_limits=SpanLimits(
            max_attributes=MAX_ATTRIBUTES,
            max_span_attributes=MAX_ATTRIBUTES,
            max_event_attributes=MAX_ATTRIBUTES,
            max_link_attributes=MAX_ATTRIBUTES,
            max_events=MAX_EVENTS,
            max_links=MAX_EVENTS,
            max_attribute_length=SpanLimits.UNSET,
            max_span_attribute_length=SpanLimits.UNSET,
        ),
    )
    provider.add_span_processor(processor)
    return provider


def sdk_version() -> str:
    try:
        return version("tracelake")
    except PackageNotFoundError:
        return "0"


def _resource(service_name: str) -> Resource:
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    own = {
        "process.pid": os.getpid(),
        "host.name": socket.gethostname(),
        "telemetry.distro.name": "tracelake",
        "telemetry.distro.version": sdk_version(),
    }
    made = Resource.create(own)
    if service_name:
        return made.merge(Resource({"service.name": service_name}))
    if str(made.attributes.get("service.name", "")).startswith("unknown_service"):
        return made.merge(Resource({"service.name": program or "python"}))
    return made


def parent_for(context: Context | None) -> tuple[Context | None, Sequence[otel.Link]]:
    """The context to start a span in, and links.

    A span of the user's other provider is stored elsewhere, so it cannot be a parent here: the
    trace would never get its root. Such a span becomes a link. A remote parent stays a parent.
    """
    current = otel.get_current_span(context)
    if trace_of(current) is not None:
        return context, ()
    parent = current.get_span_context()
    if not parent.is_valid or parent.is_remote:
        return context, ()
    return Context(), (otel.Link(parent),)


class NestingTracer(otel.Tracer):
    """The tracer given to instrumentation libraries: nests under our spans, and only under ours."""

    def __init__(self, tracer: otel.Tracer) -> None:
        self._tracer = tracer

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: otel.SpanKind = otel.SpanKind.INTERNAL,
        attributes: types.Attributes = None,
        links: Sequence[otel.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> otel.Span:
        parent, more_links = parent_for(context)
        return self._tracer.start_span(
            name,
            parent,
            kind,
            attributes,
            [*(links or ()), *more_links],
            start_time,
            record_exception,
            set_status_on_exception,
        )

    def start_as_current_span(  # noqa: PLR0913, PLR0917 - the signature is OpenTelemetry's
        self,
        name: str,
        context: Context | None = None,
        kind: otel.SpanKind = otel.SpanKind.INTERNAL,
        attributes: types.Attributes = None,
        links: Sequence[otel.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ):
        span = self.start_span(
            name,
            context,
            kind,
            attributes,
            links,
            start_time,
            record_exception,
            set_status_on_exception,
        )
        return otel.use_span(span, end_on_exit, record_exception, set_status_on_exception)


class NestingProvider(otel.TracerProvider):
    """What `autolog` hands to an instrumentation library."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: types.Attributes = None,
    ) -> otel.Tracer:
        return NestingTracer(
            self._provider.get_tracer(
                instrumenting_module_name, instrumenting_library_version, schema_url, attributes
            )
        )
