"""Hundreds of routes as one, which are looked up by their path.

FastAPI asks every route in turn, and those of an included router three times: with the 250 of
MLflow's protocol that took a seventh of a call.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_CHOSEN: Final = "tracelake.route"


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict[str, "_Node"])
    routes: list[tuple[int, Route]] = field(default_factory=list[tuple[int, Route]])
    """Those whose fixed segments end here, by their place in the order."""


class RouteTree(BaseRoute):
    """Answers as the routes would if each were asked in turn: the first that matches has it.

    They stand for themselves: what depends on an application or a router that would include them
    must be said of each.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self.routes = [route for route in routes if isinstance(route, Route)]
        self._root = _Node()
        for place, route in enumerate(self.routes):
            node = self._root
            for segment in _fixed(route.path):
                node = node.children.setdefault(segment, _Node())
            node.routes.append((place, route))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        partial: tuple[Match, Scope] = Match.NONE, {}
        for _, route in sorted(self._candidates(scope["path"])):
            match, told = route.matches(scope)
            if match == Match.FULL:
                return match, {**told, _CHOSEN: route}
            if match == Match.PARTIAL and partial[0] == Match.NONE:
                partial = match, {**told, _CHOSEN: route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen: Any = scope[_CHOSEN]
        await chosen.handle(scope, receive, send)

    def _candidates(self, path: str) -> list[tuple[int, Route]]:
        node, found = self._root, [*self._root.routes]
        for segment in path.split("/"):
            child = node.children.get(segment)
            if child is None:
                break
            node = child
            found += node.routes
        return found


def _fixed(path: str) -> list[str]:
    """The segments before the first with a parameter."""
    segments = path.split("/")
    first = next((n for n, each in enumerate(segments) if "{" in each), len(segments))
    return segments[:first]
