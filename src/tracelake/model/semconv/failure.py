"""What went wrong in a span, on one line: from its exception event, its attributes, its status."""

from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from tracelake.model.anyvalue import to_text
from tracelake.model.preview import cut
from tracelake.model.semconv.read import SpanFacts

ERROR_CHARS: Final = 250
_READ_CHARS: Final = 2000
"""Of a long message no more than this is looked at."""
_NOTHING_KNOWN: Final = "error"


def read_error(span: OtlpSpan, facts: SpanFacts) -> str:
    """ "Type: message", or the part that is known, cut at 250 characters; never empty.

    For a span whose status is ERROR. The last `exception` event wins over the attributes, and these
    over the words of the status.
    """
    kind, message = facts.error_type, facts.error_message
    for event in reversed(span.events):
        if event.name == "exception":
            said = {pair.key: pair.value for pair in event.attributes}
            if "exception.type" in said:
                kind = to_text(said["exception.type"]) or kind
            if "exception.message" in said:
                message = to_text(said["exception.message"]) or message
            break
    kind = _one_line(kind)
    message = _one_line(message) or _one_line(span.status.message)
    if not kind or not message:
        return cut(kind or message or _NOTHING_KNOWN, ERROR_CHARS)
    # A status often says "ValueError: …" already, without the module that the type may carry.
    if message.startswith((kind, kind.rpartition(".")[2] + ":")):
        return cut(message, ERROR_CHARS)
    return cut(f"{kind}: {message}", ERROR_CHARS)


def _one_line(text: str | None) -> str:
    return " ".join(text[:_READ_CHARS].split()) if text else ""
