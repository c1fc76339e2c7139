"""`@trace`: one span per call of a function, method, coroutine, generator or async generator."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast, overload

from tracelake.sdk.attributes import SPAN_FUNCTION_NAME, SPAN_INPUTS, SPAN_OUTPUTS, SPAN_TYPE
from tracelake.sdk.bind import Binder
from tracelake.sdk.client import PROCESS
from tracelake.sdk.encode import attribute_value, clean_text
from tracelake.sdk.span import Active
from tracelake.sdk.stream import wrap_async_generator, wrap_generator

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any]")


@overload
def trace(func: F) -> F: ...
@overload
def trace(
    func: None = None,
    *,
    name: str | None = None,
    span_type: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    output_reducer: Callable[[list[Any]], Any] | None = None,
) -> Callable[[F], F]: ...


def trace(
    func: Any = None,
    *,
    name: str | None = None,
    span_type: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    output_reducer: Callable[[list[Any]], Any] | None = None,
) -> Any:
    """Record every call as a span: arguments by name, the result, the exception, the time.

    A generator is one span from its first item to its end; its output is the joined text of its
    items, their list where they are not text, or what `output_reducer` makes of that list.
    Signature, result, exceptions and kind of function stay as they are.
    """

    def decorate(target: Any) -> Any:
        if isinstance(target, (classmethod, staticmethod)):
            kind = cast("type[Any]", type(cast("Any", target)))
            return kind(decorate(cast("Any", target).__func__))
        return _wrap(target, _Spec(target, name, span_type, attributes, output_reducer))

    return decorate if func is None else decorate(func)


class _Spec:
    """What is known of the spans of one function before any call."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None,
        span_type: str | None,
        attributes: Mapping[str, Any] | None,
        output_reducer: Callable[[list[Any]], Any] | None,
    ) -> None:
        own_name = getattr(function, "__name__", None) or type(function).__name__
        self.name = clean_text(str(name or own_name))
        self.fixed: dict[str, Any] = {SPAN_FUNCTION_NAME: own_name}
        if span_type is not None:
            self.fixed[SPAN_TYPE] = str(span_type)
        for key, value in (attributes or {}).items():
            self.fixed[key] = attribute_value(value)
        self.bind = Binder(function)
        self.output_reducer = output_reducer

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Active | None:
        """An open span that is current; None, after a word in the log, where that failed."""
        client = PROCESS.client or PROCESS.get()
        try:
            inputs = client.text(self.bind(args, kwargs))
            active = Active(client, self.name, {**self.fixed, SPAN_INPUTS: inputs})
            active.enter()
        except Exception as error:
            client.guard.failed(error)
            return None
        return active


def finish(active: Active, result: object) -> None:
    """Record the result and end the span."""
    client = PROCESS.client or PROCESS.get()
    try:
        active.span.set_attribute(SPAN_OUTPUTS, client.text(result))
    except Exception as error:
        client.guard.failed(error)
    active.succeed()


def _wrap(function: Callable[..., Any], spec: _Spec) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):
        return wrap_async_generator(function, spec.start, spec.output_reducer)
    if inspect.isgeneratorfunction(function):
        return wrap_generator(function, spec.start, spec.output_reducer)
    if inspect.iscoroutinefunction(function):
        return _wrap_coroutine(function, spec)

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        active = spec.start(args, kwargs)
        if active is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            active.fail(error)
            raise
        else:
            finish(active, result)
            return result
        finally:
            active.leave()

    return traced


def _wrap_coroutine(function: Callable[..., Any], spec: _Spec) -> Callable[..., Any]:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        active = spec.start(args, kwargs)
        if active is None:
            return await function(*args, **kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            active.fail(error)
            raise
        else:
            finish(active, result)
            return result
        finally:
            active.leave()

    return traced
