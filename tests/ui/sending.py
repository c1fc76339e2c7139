"""Traces for the pages to show."""

import time
from typing import Any
from urllib.request import Request, urlopen

from tests.conftest import RunningServer
from tests.spans import make_request, make_span

CHAT = '{"messages":[{"role":"user","content":"Where is my parcel?"}]}'
ANSWER = '{"choices":[{"message":{"role":"assistant","content":"In Arras."}}]}'


def send(
    server: RunningServer,
    trace: int,
    *,
    error: bool = False,
    tool_error: bool = False,
    user: str | None = None,
    message: str = "",
    late: bool = False,
    **attributes: Any,
) -> None:
    """A trace of an agent and its tool, whose error has a message; `late` is now, and not then."""
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
    if late:
        for span in (root, tool):
            span.start_time_unix_nano = time.time_ns()
            span.end_time_unix_nano = time.time_ns()
    body = make_request([root, tool]).SerializeToString()
    headers = {"content-type": "application/x-protobuf"}
    with urlopen(Request(server.url + "/v1/traces", body, headers), timeout=10) as answer:
        assert answer.status == 200
