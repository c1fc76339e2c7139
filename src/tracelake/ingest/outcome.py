"""What became of a request: spans durable, spans refused and why; the OTLP answer to it."""

import json
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from tracelake.ingest.body import JSON
from tracelake.model.text import storable

_TOLD: Final = 3
"""Refused spans that the answer describes; the others are counted."""
_NAME_CHARS: Final = 100


@dataclass(slots=True)
class Refused:
    """Spans of one request that cannot be stored, now or later."""

    reasons: dict[str, int] = field(default_factory=dict[str, int])
    """How many, by a word of a small fixed set."""
    told: list[str] = field(default_factory=list[str])
    """What was wrong with the first of them."""

    def add(self, reason: str, span_name: str, message: str) -> None:
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if len(self.told) < _TOLD:
            name = storable(span_name)
            shown = name if len(name) <= _NAME_CHARS else name[:_NAME_CHARS] + "…"
            self.told.append(f"span {shown!r}: {message}")

    @property
    def count(self) -> int:
        return sum(self.reasons.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request that was taken. What it does not list as refused is durable."""

    stored: int
    refused: Refused
    commit_s: float
    """Seconds that the commit took, in which others may have been."""

    @property
    def error_message(self) -> str:
        """What was refused, in words; empty where nothing was."""
        count = self.refused.count
        if not count:
            return ""
        untold = count - len(self.refused.told)
        rest = f"; and {untold} more" if untold else ""
        return (
            f"{count} of {count + self.stored} spans refused: {'; '.join(self.refused.told)}{rest}"
        )

    def answer(self, media_type: str) -> bytes:
        """An ExportTraceServiceResponse, in the encoding of the request."""
        count = self.refused.count
        if media_type == JSON:
            # Protobuf's JSON writes 64-bit numbers as strings.
            told = {"rejectedSpans": str(count), "errorMessage": self.error_message}
            return json.dumps({"partialSuccess": told} if count else {}).encode()
        if not count:
            return b""
        partial = ExportTracePartialSuccess(rejected_spans=count, error_message=self.error_message)
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()
