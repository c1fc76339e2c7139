"""From an endpoint to its process: one request through, its answer as it comes."""

import json
import uuid
from collections.abc import AsyncGenerator

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tracelake.agents.process import RunnerProcess
from tracelake.agents.runner import (
    AGENT_ERROR,
    REQUEST_ID_HEADER,
    TRACE_ID_HEADER,
    header_text,
)
from tracelake.agents.service import AgentService
from tracelake.agents.supervisor import Slot
from tracelake.model.errors import NotFound, PayloadTooLarge, Unavailable

MAX_REQUEST_BYTES = 16 << 20
MAX_REQUESTS = 512
"""Requests one endpoint has in flight; more are told to come back."""
_PASSED_BACK = ("content-type", "cache-control", REQUEST_ID_HEADER, TRACE_ID_HEADER)
_EVENTS = "text/event-stream"


async def forward(
    service: AgentService, endpoint: str, request: Request, served: str | None = None
) -> Response:
    """The agent's answer, streamed where it streams.

    Raises NotFound (endpoint, or `served` is not what it serves), Unavailable (not ready, or too
    many requests), PayloadTooLarge. An agent that dies is 502, one that takes too long 504.
    """
    slot, runner = _find_runner(service, endpoint, served)
    body = await _read(request)
    given = header_text(request.headers.get(REQUEST_ID_HEADER, ""))
    request_id = given or f"req-{uuid.uuid4().hex}"
    headers = {
        **runner.headers,
        REQUEST_ID_HEADER: request_id,
        "content-type": "application/json",
    }
    upstream = service.http.build_request(
        "POST", f"{runner.base_url}/invocations", content=body, headers=headers
    )
    runner.requests += 1
    try:
        answer = await service.http.send(upstream, stream=True)
    except httpx.ConnectError as error:
        runner.requests -= 1
        raise Unavailable(f"endpoint {endpoint!r} is being started again", 2) from error
    except httpx.TimeoutException:
        runner.requests -= 1
        return _failure(504, "DEADLINE_EXCEEDED", "the agent took too long to answer", request_id)
    except httpx.TransportError:
        runner.requests -= 1
        return _failure(502, AGENT_ERROR, "the agent's process ended while answering", request_id)
    except BaseException:
        runner.requests -= 1
        raise
    passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
    return Passage(answer, runner, {**passed, "served-model-name": slot.served_model})


def _find_runner(
    service: AgentService, endpoint: str, served: str | None
) -> tuple[Slot, RunnerProcess]:
    slot = service.supervisor.find(endpoint)
    if slot is None:
        raise NotFound(f"no endpoint named {endpoint!r} is served here")
    if served is not None and served != slot.served_model:
        raise NotFound(f"endpoint {endpoint!r} serves {slot.served_model!r}, not {served!r}")
    runner = slot.runner
    if runner is None or not runner.alive:
        raise Unavailable(f"endpoint {endpoint!r} is not ready: {slot.message}", 2)
    if runner.requests >= MAX_REQUESTS:
        raise Unavailable(f"endpoint {endpoint!r} has {MAX_REQUESTS} requests in flight", 1)
    return slot, runner


class Passage(StreamingResponse):
    """A runner's answer, passed on as it arrives; gives the connection back at the end."""

    def __init__(
        self, answer: httpx.Response, runner: RunnerProcess, headers: dict[str, str]
    ) -> None:
        super().__init__(_pass_on(answer), answer.status_code, headers)
        self._answer = answer
        self._runner = runner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._runner.requests -= 1
            await self._answer.aclose()


async def _pass_on(answer: httpx.Response) -> AsyncGenerator[bytes]:
    try:
        async for block in answer.aiter_raw():
            yield block
    except httpx.TransportError:
        if not answer.headers.get("content-type", "").startswith(_EVENTS):
            raise
        # The status is sent already: an event is the only way left to say it.
        error = {"error_code": AGENT_ERROR, "message": "the agent's process ended while answering"}
        yield f"data: {json.dumps({'error': error})}\n\ndata: [DONE]\n\n".encode()


async def _read(request: Request) -> bytes:
    blocks: list[bytes] = []
    size = 0
    async for block in request.stream():
        size += len(block)
        if size > MAX_REQUEST_BYTES:
            raise PayloadTooLarge(f"a request may have {MAX_REQUEST_BYTES >> 20} MiB at most")
        blocks.append(block)
    return b"".join(blocks)


def _failure(status: int, code: str, message: str, request_id: str) -> Response:
    return JSONResponse(
        {"error_code": code, "message": message}, status, {REQUEST_ID_HEADER: request_id}
    )
