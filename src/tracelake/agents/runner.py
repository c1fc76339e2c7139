"""The process of one agent version: `python -m tracelake.agents.runner --package DIR --port N`.

Started by the supervisor in the agent's environment. Listens on 127.0.0.1 only; with a token in
TRACELAKE_RUNNER_TOKEN it answers the router alone, not every process of the machine.
"""

import argparse
import hmac
import json
import os
import socket
import string
import sys
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tracelake.agents.authoring import LoadedAgent, load_agent
from tracelake.agents.invocation import Call, Invoker, Outcome, Running
from tracelake.agents.names import short_name
from tracelake.agents.package import CODE, MANIFEST, Manifest
from tracelake.agents.responses import Event, read_request
from tracelake.model.errors import InvalidInput, TracelakeError
from tracelake.sdk.autolog import autolog
from tracelake.sdk.configure import flush

TOKEN_HEADER = "x-tracelake-runner-token"
TOKEN_VARIABLE = "TRACELAKE_RUNNER_TOKEN"
REQUEST_ID_HEADER = "x-request-id"
TRACE_ID_HEADER = "x-tracelake-trace-id"
STOP_WITHIN_S = 10
"""How long requests in flight may take to end once the process is told to stop."""
DELIVER_WITHIN_S = 2.0
AGENT_ERROR = "AGENT_ERROR"
MAX_ID_CHARS = 256


@dataclass(frozen=True, slots=True)
class Options:
    package: Path
    port: int
    listen_fd: int | None
    """An open listening socket inherited from the supervisor, instead of a port."""
    follow_parent: bool
    """Stop when standard input ends: the supervisor holds its other end, and is gone then."""


class RunnerApp:
    """The two routes of a runner."""

    def __init__(self, agent: LoadedAgent, name: str, token: str) -> None:
        self._invoker = Invoker(agent, name)
        self._token = token

    def build(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", self.health),
                Route("/invocations", self.invoke, methods=["POST"]),
            ],
            lifespan=_deliver_at_end,
        )

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "healthy"})

    async def invoke(self, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, ""), self._token):
            return _error(403, "PERMISSION_DENIED", "this port answers the Tracelake server only")
        try:
            body: Any = json.loads(await request.body())
        except (ValueError, RecursionError) as error:
            return _error(400, InvalidInput.code, f"the body is not JSON: {error}")
        try:
            checked = read_request(body)
        except InvalidInput as error:
            return _error(400, error.code, error.message)
        given = checked.get("client_request_id") or request.headers.get(REQUEST_ID_HEADER)
        call = Call(checked, given or f"req-{uuid.uuid4().hex}")
        wants_trace = bool((checked.get("databricks_options") or {}).get("return_trace"))
        if checked.get("stream"):
            return await self._stream(call, wants_trace)
        outcome = await self._invoker.predict(call)
        await _deliver()
        if outcome.error is not None:
            return _agent_error(call, outcome)
        assert outcome.response is not None
        answer = {**outcome.response}
        if wants_trace:
            answer["databricks_output"] = _trace_output(call, outcome)
        try:
            text = _json(answer)
        except (TypeError, ValueError) as error:
            outcome.error = error
            return _agent_error(call, outcome)
        return Response(text, headers=_headers(call, outcome), media_type="application/json")

    async def _stream(self, call: Call, wants_trace: bool) -> Response:
        running = self._invoker.stream(call)
        first = await running.queue.get()
        if first is None and running.outcome.error is not None:
            # Nothing was sent yet, so the caller can still have a real status.
            return _agent_error(call, running.outcome)
        headers = {**_headers(call, running.outcome), "cache-control": "no-cache"}
        return EventStream(running, _lines(call, running, first, wants_trace), headers)


class EventStream(StreamingResponse):
    """Server-sent events. Ends the agent's work when the caller goes away."""

    def __init__(
        self, running: Running, lines: AsyncGenerator[str], headers: Mapping[str, str]
    ) -> None:
        super().__init__(lines, headers=headers, media_type="text/event-stream")
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._running.cancel()


async def _lines(
    call: Call, running: Running, first: Event | None, wants_trace: bool
) -> AsyncGenerator[str]:
    event = first
    error: Exception | None = None
    while event is not None:
        try:
            line = _json(event)
        except (TypeError, ValueError) as unfit:
            error = unfit
            break
        yield f"data: {line}\n\n"
        event = await running.queue.get()
    await _deliver()
    error = error or running.outcome.error
    if error is not None:
        yield f"data: {_json({'error': _describe(error)})}\n\n"
    elif wants_trace:
        yield f"data: {_json({'databricks_output': _trace_output(call, running.outcome)})}\n\n"
    yield "data: [DONE]\n\n"


def _headers(call: Call, outcome: Outcome) -> dict[str, str]:
    return {
        REQUEST_ID_HEADER: header_text(call.request_id),
        TRACE_ID_HEADER: outcome.trace_id,
    }


def header_text(value: str) -> str:
    """A caller's own id as a header can carry it: ASCII, the rest percent-encoded, not endless."""
    return quote(value[:MAX_ID_CHARS], safe=string.punctuation + " ", errors="replace").strip()


def _trace_output(call: Call, outcome: Outcome) -> dict[str, Any]:
    return {
        "trace": {"info": {"trace_id": outcome.trace_id}},
        "databricks_request_id": call.request_id,
    }


def _describe(error: Exception) -> dict[str, str]:
    text = error.message if isinstance(error, TracelakeError) else str(error)
    return {"error_code": AGENT_ERROR, "message": f"{type(error).__name__}: {text}"}


def _agent_error(call: Call, outcome: Outcome) -> Response:
    assert outcome.error is not None
    return JSONResponse(_describe(outcome.error), 500, _headers(call, outcome))


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error_code": code, "message": message}, status)


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, default=_dump)


def _dump(value: object) -> object:
    dump: Callable[[], object] | None = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"the agent's answer holds a {type(value).__name__}, which is not JSON")
    return dump()


async def _deliver() -> None:
    """Have the trace with the server before the caller has the answer; within bounds."""
    await run_sync(flush, DELIVER_WITHIN_S)


@asynccontextmanager
async def _deliver_at_end(app: Starlette) -> AsyncGenerator[None]:
    yield
    # uvicorn ends the process by the signal it was sent, which runs no exit handlers.
    await run_sync(flush, 5.0)


def read_options(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="tracelake.agents.runner")
    parser.add_argument("--package", type=Path, required=True, help="unpacked package")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, default=0)
    where.add_argument("--listen-fd", type=int)
    parser.add_argument("--follow-parent", action="store_true")
    given = parser.parse_args(argv)
    return Options(given.package, given.port, given.listen_fd, given.follow_parent)


def main(argv: list[str], environ: Mapping[str, str]) -> int:
    """Load the agent and serve it until told to stop. Exit code 3: its file names no agent."""
    options = read_options(argv)
    fields = json.loads((options.package / MANIFEST).read_text("utf-8"))
    manifest = Manifest(**fields)
    autolog()
    try:
        agent = load_agent(options.package / CODE / manifest.entry)
    except InvalidInput as error:
        print(error.message, file=sys.stderr)  # noqa: T201 - the log of this process
        return 3
    app = RunnerApp(agent, short_name(manifest.name), environ.get(TOKEN_VARIABLE, ""))
    config = uvicorn.Config(
        app.build(),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    server = uvicorn.Server(config)
    if options.follow_parent:
        _stop_without_parent(server)
    sockets = None if options.listen_fd is None else [socket.socket(fileno=options.listen_fd)]
    server.run(sockets=sockets)
    return 0


def _stop_without_parent(server: uvicorn.Server) -> None:
    """Follow the pipe on standard input, and give the agent an empty standard input instead."""
    pipe = os.dup(0)
    with Path(os.devnull).open("rb") as empty:
        os.dup2(empty.fileno(), 0)

    def follow() -> None:
        while os.read(pipe, 1024):
            continue
        server.should_exit = True
        # An agent that never lets go of the interpreter's loop must not outlive the server.
        threading.Event().wait(STOP_WITHIN_S + 5)
        os._exit(1)

    threading.Thread(target=follow, name="tracelake-parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
