"""Traces for the pages to show."""

import time
from typing import Any
from urllib.request import Request, urlopen

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.conftest import RunningServer
from tests.spans import make_request, make_span

CHAT = '{"messages":[{"role":"user","content":"Where is my parcel?"}]}'
ANSWER = '{"choices":[{"message":{"role":"assistant","content":"In Arras."}}]}'


def send(
    server: RunningServer,
    *traces: int,
    late: bool = False,
    running: bool = False,
    **said: Any,
) -> None:
    """Traces of an agent and its tool. `late` are of now, the others of `tests.spans.START_NS`.

    Of one that is running only its tool is there, whose parent has not come.
    """
    spans: list[Span] = []
    for trace in traces:
        root, tool = agent_and_tool(trace, **said)
        spans += [tool] if running else [root, tool]
    if late:
        for span in spans:
            span.start_time_unix_nano = time.time_ns()
            span.end_time_unix_nano = time.time_ns()
    body = make_request(spans).SerializeToString()
    headers = {"content-type": "application/x-protobuf"}
    with urlopen(Request(server.url + "/v1/traces", body, headers), timeout=10) as answer:
        assert answer.status == 200


def agent_and_tool(
    trace: int,
    *,
    error: bool = False,
    tool_error: bool = False,
    user: str | None = None,
    message: str = "",
    **attributes: Any,
) -> tuple[Span, Span]:
    """`message` is what the tool's status says."""
    root = make_span(
        trace,
        1,
        name="support",
        error=error,
        mlflow__spanType="AGENT",
        mlflow__spanInputs=CHAT,
        mlflow__spanOutputs=ANSWER,
        user__id=user or f"user-{trace}",
        **attributes,
    )
    tool = make_span(trace, 2, 1, name="find_parcel", error=tool_error, mlflow__spanType="TOOL")
    tool.status.message = message
    return root, tool
