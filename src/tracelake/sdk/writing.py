"""Writes about a trace (tags, assessments): queued behind its spans, waited for a short while."""

from typing import Any

from tracelake.sdk.client import Client
from tracelake.sdk.delivery import Write
from tracelake.sdk.rest import Json


def send(client: Client, trace_id: str, method: str, path: str, body: dict[str, Any]) -> Json:
    """The server's answer, or {} while it is still on its way or was refused (counted, logged).

    The write follows the trace's own spans, so a trace that just ended is known by then; for a
    trace that is still open it waits for the root. The caller waits at most `write_wait_ms`, and
    not at all for an open trace or for a server that did not answer last time.
    """
    write = Write(client.destination, method, path, body)
    trace = client.open_traces.find(trace_id)
    if trace is not None and trace.root.is_recording():
        write.destination = trace.destination
        trace.writes.append(write)
        return {}
    if not client.outbox.put(write):
        return {}
    if client.delivery.healthy and client.settings.write_wait_ms:
        client.outbox.hurry()
        write.answered.wait(client.settings.write_wait_ms / 1000)
    return write.answer or {}
