"""The limits of the machine for the same bytes: append and fsync, and parsing on one core."""

import os
import time
from itertools import cycle
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_traces import TraceSource


def append_and_fsync(source: TraceSource, path: Path, seconds: float) -> float:
    """Traces a second of the bare disk: each request appended and synced by itself."""
    bodies = _some(source)
    count = 0
    began = time.monotonic()
    with path.open("wb") as file:
        for body in cycle(bodies):
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
            count += 1
            if time.monotonic() - began >= seconds:
                break
    rate = count / (time.monotonic() - began)
    path.unlink()
    return rate * source.traces_per_request


def parse(source: TraceSource, seconds: float, *, read: bool = False) -> float:
    """Traces a second that one core parses with the protobuf library's C parser.

    With `read`, each attribute's key and value is also taken into Python once.
    """
    bodies = _some(source)
    count = 0
    began = time.process_time()
    while time.process_time() - began < seconds:
        for body in bodies:
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            if read:
                _read(request)
            count += 1
    return count * source.traces_per_request / (time.process_time() - began)


def _some(source: TraceSource) -> list[bytes]:
    return [body for body, _ids in source.bodies(0, 20)]


def _read(request: ExportTraceServiceRequest) -> int:
    length = 0
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                for pair in span.attributes:
                    length += len(pair.key) + len(pair.value.string_value)
    return length
