"""Call arguments to a dict by parameter name, with the signature read once per function."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

_EMPTY = inspect.Parameter.empty
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Binder:
    """`binder(args, kwargs)` gives the arguments as the function would see them, defaults
    included, without `self` or `cls`. A call that does not fit gives what was passed."""

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (ValueError, TypeError):
            # Some builtins have no signature.
            parameters = [
                inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
                inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
            ]
        self._skip = int(bool(parameters) and parameters[0].name in ("self", "cls"))
        self._parameters = parameters[self._skip :]
        self._positional = tuple(p.name for p in self._parameters if p.kind in _POSITIONAL)
        self._all_plain = all(
            p.kind in (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY) for p in self._parameters
        )
        self._count = len(self._parameters)

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        given = args[self._skip :] if self._skip else args
        if self._all_plain and len(given) <= len(self._positional):
            bound = dict(zip(self._positional, given, strict=False))
            if kwargs:
                bound.update(kwargs)
            if len(bound) == self._count:
                return bound
            return self._with_defaults(bound)
        return self._general(given, kwargs)

    def _with_defaults(self, bound: dict[str, Any]) -> dict[str, Any]:
        for parameter in self._parameters:
            if parameter.default is not _EMPTY:
                bound.setdefault(parameter.name, parameter.default)
        return bound

    def _general(self, given: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Signatures with *args or **kwargs: those keep their own names."""
        bound: dict[str, Any] = dict(zip(self._positional, given, strict=False))
        named = dict(kwargs)
        for parameter in self._parameters:
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                bound[parameter.name] = given[len(self._positional) :]
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                continue
            elif parameter.name in named:
                bound[parameter.name] = named.pop(parameter.name)
            elif parameter.default is not _EMPTY:
                bound.setdefault(parameter.name, parameter.default)
        rest = [p.name for p in self._parameters if p.kind is inspect.Parameter.VAR_KEYWORD]
        if rest:
            bound[rest[0]] = named
        elif named:
            bound.update(named)
        return bound
