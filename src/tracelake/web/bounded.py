"""Routes whose questions end in time, and as soon as the client has gone."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from tracelake.model.deadline import Deadline


def bounded(seconds: float) -> type[APIRoute]:
    """A route class. What its functions ask of the store has `seconds` in all."""

    class BoundedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                # Read first: whoever watches for the client's leaving would take the body away.
                await request.body()
                deadline = Deadline(seconds)
                with deadline.applied():
                    watcher = asyncio.create_task(_watch(request, deadline))
                    try:
                        return await handle(request)
                    finally:
                        watcher.cancel()

            return answer

    return BoundedRoute


async def _watch(request: Request, deadline: Deadline) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    await asyncio.to_thread(deadline.cancel)
