"""OTLP made by hand for tests."""

from collections.abc import Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.values import key_values
from tracelake.ingest.normalise import parts_of
from tracelake.ingest.outcome import Refused
from tracelake.ingest.prices import PriceTable
from tracelake.model.entities import SpanHead
from tracelake.store.api import TracePart
from tracelake.store.open import Store

START_NS = 1_790_000_000_000_000_000


def make_span(
    trace: int,
    number: int,
    parent: int | None = None,
    *,
    name: str = "step",
    error: bool = False,
    **attributes: str | float,
) -> Span:
    """A span of trace `trace`; dots in attribute keys are written as two underscores."""
    return Span(
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_span_id=parent.to_bytes(8) if parent is not None else b"",
        name=name,
        start_time_unix_nano=START_NS + number * 1_000_000,
        end_time_unix_nano=START_NS + number * 1_000_000 + 5_000_000,
        attributes=key_values({key.replace("__", "."): v for key, v in attributes.items()}),
        status=Status(code=Status.STATUS_CODE_ERROR if error else Status.STATUS_CODE_OK),
    )


def make_request(spans: Sequence[Span]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request


def parts_in(
    request: ExportTraceServiceRequest, experiment_id: int = 0
) -> tuple[list[TracePart], Refused]:
    """What would be stored of a request."""
    return parts_of(request, request.SerializeToString(), experiment_id, PriceTable())


def write(store: Store, *spans: Span, experiment_id: int = 0) -> None:
    parts, refused = parts_in(make_request(spans), experiment_id)
    assert not refused.count
    store.spans.write(parts)


def heads_of(store: Store, trace_id: str) -> list[SpanHead]:
    return [span.head for span in store.traces.get_spans(trace_id).spans]


def public_id(trace: int) -> str:
    return f"tr-{trace:032x}"
