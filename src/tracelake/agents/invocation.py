"""One call of an agent inside its root span: sync or async, whole or as a stream.

Runs in the agent's own process.
"""

import asyncio
import contextvars
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from tracelake.agents.authoring import LoadedAgent
from tracelake.agents.responses import (
    Event,
    ResponsesRequest,
    ResponsesResponse,
    create_output_item_done,
    gather_response,
    read_event,
    read_response,
)
from tracelake.model.entities import SpanType
from tracelake.sdk.facts import update_current_trace
from tracelake.sdk.span import LiveSpan, start_span

THREADS = 64
"""Calls of sync agents that run at once; more wait."""
_log = logging.getLogger(__name__)
_QUEUE_EVENTS = 64
_NOT_INPUTS = ("databricks_options", "client_request_id")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A checked request and the id it is known by."""

    request: ResponsesRequest
    request_id: str


@dataclass(slots=True)
class Outcome:
    """How a call ended. `trace_id` is there from the moment the call began."""

    trace_id: str = ""
    response: ResponsesResponse | None = None
    error: Exception | None = None


@dataclass(slots=True)
class Running:
    """A stream being produced. Take events until None; `outcome` is final then."""

    outcome: Outcome
    queue: asyncio.Queue[Event | None]
    task: "asyncio.Task[None] | None" = field(default=None)

    def cancel(self) -> None:
        """End the production if it still runs: nobody listens any more."""
        if self.task is not None:
            self.task.cancel()


class Invoker:
    """Calls one agent. `name` is the name of its root spans."""

    def __init__(self, agent: LoadedAgent, name: str) -> None:
        self._agent = agent
        self._name = name
        self._threads = CapacityLimiter(THREADS)

    async def predict(self, call: Call) -> Outcome:
        """The whole answer. Errors of the agent are in the outcome, not raised."""
        outcome = Outcome()
        try:
            with self._root_span(call, outcome) as span:
                if self._agent.predict is None:
                    events = [event async for event in self._events(call)]
                    outcome.response = gather_response(events)
                else:
                    answer = await self._call(self._agent.predict, call.request)
                    outcome.response = read_response(answer)
                span.set_outputs(outcome.response)
        except Exception as error:
            _log.warning("request %s failed", call.request_id, exc_info=error)
            outcome.response, outcome.error = None, error
        return outcome

    def stream(self, call: Call) -> Running:
        """Begin a stream. The agent runs in a task of its own, so that its span has one context."""
        running = Running(Outcome(), asyncio.Queue(_QUEUE_EVENTS))
        running.task = asyncio.create_task(self._produce(call, running))
        return running

    async def _produce(self, call: Call, running: Running) -> None:
        outcome = running.outcome
        events: list[Event] = []
        try:
            with self._root_span(call, outcome) as span:
                try:
                    async with aclosing(self._events(call)) as source:
                        async for event in source:
                            events.append(event)
                            await running.queue.put(event)
                finally:
                    outcome.response = gather_response(events)
                    span.set_outputs(outcome.response)
        except Exception as error:
            _log.warning("request %s failed", call.request_id, exc_info=error)
            outcome.error = error
        await running.queue.put(None)

    @contextmanager
    def _root_span(self, call: Call, outcome: Outcome) -> Generator[LiveSpan]:
        request = cast("dict[str, Any]", call.request)
        context = call.request.get("context") or {}
        with start_span(self._name, SpanType.AGENT) as span:
            outcome.trace_id = span.trace_id
            span.set_inputs({k: v for k, v in request.items() if k not in _NOT_INPUTS})
            update_current_trace(
                tags={"tracelake.request_id": call.request_id},
                client_request_id=call.request_id,
                session_id=context.get("conversation_id"),
                user=context.get("user_id") or request.get("user"),
            )
            yield span

    async def _events(self, call: Call) -> AsyncGenerator[Event]:
        if self._agent.predict_stream is None:
            assert self._agent.predict is not None
            answer = read_response(await self._call(self._agent.predict, call.request))
            for position, item in enumerate(answer["output"]):
                yield create_output_item_done(item, position)
            return
        made = await self._call(self._agent.predict_stream, call.request)
        if hasattr(made, "__aiter__"):
            async for event in made:
                yield read_event(event)
            return
        async for event in self._pull(iter(made)):
            yield read_event(event)

    async def _pull(self, source: Iterator[object]) -> AsyncGenerator[object]:
        # Every step in one context, though in changing threads: a span that the generator opens in
        # one step and closes in another must find the context it was opened in.
        context = contextvars.copy_context()
        end = object()
        try:
            while True:
                item = await self._in_thread(context.run, next, source, end)
                if item is end:
                    return
                yield item
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                context.run(close)

    async def _call(self, function: Callable[..., Any], request: ResponsesRequest) -> Any:
        """Call it in a thread; await there is an awaitable. Async functions only begin there."""
        if inspect.iscoroutinefunction(function):
            return await function(request)
        answer = await self._in_thread(function, request)
        return await answer if hasattr(answer, "__await__") else answer

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return await run_sync(function, *args, limiter=self._threads)
