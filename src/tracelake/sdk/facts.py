"""Facts about a whole trace, told from anywhere inside it or afterwards by id."""

from collections.abc import Mapping
from typing import Any, Literal

from opentelemetry import trace as otel
from opentelemetry.trace import Status, StatusCode

from tracelake.model.ids import parse_trace_id
from tracelake.sdk import attributes as keys
from tracelake.sdk.client import current
from tracelake.sdk.encode import clean_text, json_text
from tracelake.sdk.guard import logger
from tracelake.sdk.rest import trace_path
from tracelake.sdk.traces import OpenTrace, trace_of
from tracelake.sdk.writing import send


def update_current_trace(
    tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    client_request_id: str | None = None,
    request_preview: str | None = None,
    response_preview: str | None = None,
    state: Literal["OK", "ERROR"] | None = None,
    session_id: str | None = None,
    user: str | None = None,
) -> None:
    """Say something about the trace that is open here. Never raises; outside of a trace it logs."""
    client = current()
    with client.guard:
        span = otel.get_current_span()
        trace = trace_of(span)
        if trace is None:
            logger.warning("update_current_trace was called outside of a trace; nothing was set")
            return
        facts: dict[str, str] = {}
        for key, value in (tags or {}).items():
            facts[clean_text(keys.TRACE_TAG_PREFIX + str(key))] = fact_text(value)
        for key, value in (metadata or {}).items():
            facts[clean_text(keys.TRACE_METADATA_PREFIX + str(key))] = fact_text(value)
        single = {
            keys.CLIENT_REQUEST_ID: client_request_id,
            keys.REQUEST_PREVIEW: request_preview,
            keys.RESPONSE_PREVIEW: response_preview,
            keys.SESSION_ID: session_id,
            keys.USER_ID: user,
        }
        facts.update({key: fact_text(value) for key, value in single.items() if value is not None})
        # The root's word wins on the server; once it has ended only the current span can speak.
        speaker = trace.root if trace.root.is_recording() else span
        speaker.set_attributes(facts)
        if state is not None:
            speaker.set_status(Status(StatusCode[state]))


def fact_text(value: object) -> str:
    """Trace-level values are text: strings as they are, everything else as JSON."""
    return clean_text(value) if isinstance(value, str) else json_text(value)


def set_trace_tag(trace_id: str, key: str, value: Any) -> None:
    """Set a tag of an open or a finished trace. Raises InvalidInput for a malformed id only."""
    parse_trace_id(trace_id)
    client = current()
    with client.guard:
        trace = _recording(trace_id)
        if trace is not None:
            name = clean_text(keys.TRACE_TAG_PREFIX + str(key))
            trace.root.set_attribute(name, fact_text(value))
            return
        body = {"key": str(key), "value": fact_text(value)}
        send(client, trace_id, "PUT", trace_path(trace_id, "tags"), body)


def delete_trace_tag(trace_id: str, key: str) -> None:
    """Remove a tag. Raises InvalidInput for a malformed id only."""
    parse_trace_id(trace_id)
    client = current()
    with client.guard:
        send(client, trace_id, "DELETE", trace_path(trace_id, "tags", str(key)), {})


def get_last_active_trace_id(thread_local: bool = False) -> str | None:
    """Id of the trace that ended last in this process, or in this thread."""
    traces = current().open_traces
    return traces.last_of_thread() if thread_local else traces.last_trace_id


def _recording(trace_id: str) -> OpenTrace | None:
    trace = current().open_traces.find(trace_id)
    return trace if trace is not None and trace.root.is_recording() else None
