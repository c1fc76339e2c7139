"""Generators under one span: what came out joined, time to the first item, current only while the
body runs, so that the reader's own spans do not nest under it."""

import functools
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast

from tracelake.sdk.attributes import FIRST_ITEM_MS, ITEM_COUNT, SPAN_OUTPUTS
from tracelake.sdk.client import current
from tracelake.sdk.span import Active

KEPT_ITEMS = 10_000
"""Items kept for the output; a longer stream is counted on but no longer kept."""

Start = Callable[[tuple[Any, ...], dict[str, Any]], Active | None]
Reducer = Callable[[list[Any]], Any] | None


class Stream:
    """The open span of a stream and the items seen so far. Without a span it only passes by."""

    def __init__(self, active: Active | None, reducer: Reducer) -> None:
        self._active = active
        self._reducer = reducer
        self._started_ns = time.perf_counter_ns()
        self._items: list[Any] = []
        self._count = 0

    def saw(self, item: Any) -> None:
        """Note an item and leave the span: the reader's code runs next."""
        if self._active is None:
            return
        with current().guard:
            if self._count == 0:
                waited_ms = (time.perf_counter_ns() - self._started_ns) / 1e6
                self._active.span.set_attribute(FIRST_ITEM_MS, waited_ms)
            self._count += 1
            if self._count <= KEPT_ITEMS:
                self._items.append(item)
            self._active.suspend()

    def resume(self) -> None:
        if self._active is not None:
            self._active.enter()

    def leave(self) -> None:
        if self._active is not None:
            self._active.leave()

    def end(self, error: BaseException | None = None) -> None:
        if self._active is None:
            return
        client = current()
        with client.guard:
            self._active.span.set_attribute(ITEM_COUNT, self._count)
            if self._items:
                self._active.span.set_attribute(SPAN_OUTPUTS, client.text(self._joined()))
        # Closed early is the reader's choice, not a failure of the stream.
        if error is None or isinstance(error, GeneratorExit):
            self._active.succeed()
        else:
            self._active.fail(error)

    def _joined(self) -> Any:
        if self._reducer is not None:
            return self._reducer(self._items)
        if all(isinstance(item, str) for item in self._items):
            return "".join(self._items)
        return self._items


def wrap_generator(
    function: Callable[..., Any], start: Start, reducer: Reducer
) -> Callable[..., Any]:
    """The function step by step, with everything a reader can do: next, send, throw, close."""

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        stream = Stream(start(args, kwargs), reducer)
        send: Any = None
        thrown: BaseException | None = None
        try:
            body = cast("Generator[Any, Any, Any]", function(*args, **kwargs))
            while True:
                try:
                    item = body.send(send) if thrown is None else body.throw(thrown)
                except StopIteration as stop:
                    stream.end()
                    return stop.value
                stream.saw(item)
                send, thrown = None, None
                try:
                    send = yield item
                except GeneratorExit:
                    stream.resume()
                    body.close()
                    raise
                except BaseException as error:
                    thrown = error
                stream.resume()
        except BaseException as error:
            stream.end(error)
            raise
        finally:
            stream.leave()

    return traced


def wrap_async_generator(
    function: Callable[..., Any], start: Start, reducer: Reducer
) -> Callable[..., Any]:
    """The same for async generators: anext, asend, athrow, aclose."""

    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        stream = Stream(start(args, kwargs), reducer)
        send: Any = None
        thrown: BaseException | None = None
        try:
            body = cast("AsyncGenerator[Any, Any]", function(*args, **kwargs))
            while True:
                try:
                    item = await (body.asend(send) if thrown is None else body.athrow(thrown))
                except StopAsyncIteration:
                    stream.end()
                    return
                stream.saw(item)
                send, thrown = None, None
                try:
                    send = yield item
                except GeneratorExit:
                    stream.resume()
                    await body.aclose()
                    raise
                except BaseException as error:
                    thrown = error
                stream.resume()
        except BaseException as error:
            stream.end(error)
            raise
        finally:
            stream.leave()

    return traced
