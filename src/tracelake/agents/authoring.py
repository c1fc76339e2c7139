"""What an agent's author writes against: `ResponsesAgent`, `set_agent`, `@agent`.

Standard library only: this module is imported in the agent's own environment.
"""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar, cast

from tracelake.agents import responses
from tracelake.model.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])

_loading: ContextVar[list[object] | None] = ContextVar("tracelake_loading_agent", default=None)


class ResponsesAgent:
    """Base class of agents. Write `predict`, `predict_stream` or both; sync or async.

    `predict` takes the request (`input`, `context`, `custom_inputs`, …) and returns a dict with
    `output`, a list of items, or a string for one message. `predict_stream` yields events (dicts
    with `type`) or strings, which are pieces of text. With only one of them, the other is made
    from it. (Neither is declared here: sync and async ones would need four signatures.)
    """

    create_text_output_item = staticmethod(responses.create_text_output_item)
    create_text_delta = staticmethod(responses.create_text_delta)
    create_output_item_done = staticmethod(responses.create_output_item_done)
    create_function_call_item = staticmethod(responses.create_function_call_item)
    create_function_call_output_item = staticmethod(responses.create_function_call_output_item)


def set_agent(agent: object) -> None:
    """Say which object of this file is the agent: a ResponsesAgent, one like it, or a function.

    Does nothing where the file is not being loaded to be served, so that tests may import it.
    """
    found = _loading.get()
    if found is not None:
        found.append(agent)


def agent(function: F) -> F:
    """Decorator: this function is the agent. It takes the request, returns or yields the answer."""
    set_agent(function)
    return function


def load_agent(entry: Path) -> "LoadedAgent":
    """Run the agent file and take the object it named by `set_agent`, or its variable `agent`.

    Its folder goes on the import path, so that it can import the files beside it. Raises
    InvalidInput where no agent is named; errors of the file itself pass through.
    """
    sys.path.insert(0, str(entry.parent))
    spec = importlib.util.spec_from_file_location("tracelake_agent", entry)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{entry.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    found: list[object] = []
    token = _loading.set(found)
    try:
        spec.loader.exec_module(module)
    finally:
        _loading.reset(token)
    if not found and hasattr(module, "agent"):
        found.append(module.agent)
    if not found:
        raise InvalidInput(
            f"{entry.name} names no agent: end it with tracelake.agents.set_agent(YourAgent())"
        )
    return LoadedAgent(found[-1])


class LoadedAgent:
    """An author's object, reduced to the one or two functions that are called on it."""

    def __init__(self, target: object) -> None:
        if inspect.isclass(target):
            target = target()
        predict = _method(target, "predict")
        stream = _method(target, "predict_stream")
        if predict is None and stream is None and callable(target):
            if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
                stream = target
            else:
                predict = target
        if predict is None and stream is None:
            raise InvalidInput(
                f"{type(target).__name__} is not an agent: it has neither predict nor "
                "predict_stream, and is not a function"
            )
        self.predict = predict
        self.predict_stream = stream


def _method(target: object, name: str) -> Callable[..., Any] | None:
    method = getattr(target, name, None)
    return cast("Callable[..., Any]", method) if callable(method) else None
