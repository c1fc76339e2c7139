"""A tree of routes against asking each in turn."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from tracelake.web.tree import RouteTree

_SEGMENTS = st.sampled_from(["a", "b", "get", "{x}", "{y}", "{rest:path}", ""])
_PATHS = st.lists(_SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
_ROUTES = st.lists(st.tuples(_PATHS, st.sampled_from(["GET", "POST"])), max_size=12)
_ASKED = st.lists(st.sampled_from(["a", "b", "get", "c", ""]), max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)


def _answer(_: Request) -> Response:
    return Response()


def _is_possible(path: str) -> bool:
    names = [part for part in path.split("/") if "{" in part]
    return len(names) == len(set(names))


@given(_ROUTES, _ASKED, st.sampled_from(["GET", "POST"]))
def test_a_tree_finds_the_route_that_asking_each_in_turn_finds(
    told: list[tuple[str, str]], path: str, method: str
) -> None:
    routes = [
        Route(path, _answer, methods=[method], name=str(n))
        for n, (path, method) in enumerate(told)
        if _is_possible(path)
    ]
    scope = {"type": "http", "path": path, "method": method, "root_path": ""}
    found = [(route.matches(dict(scope)), route) for route in routes]
    full = [(match, told, route) for (match, told), route in found if match == Match.FULL]
    partial = [(match, told, route) for (match, told), route in found if match == Match.PARTIAL]
    match, child = RouteTree(routes).matches(dict(scope))
    if not full and not partial:
        assert match == Match.NONE
        return
    expected, expected_child, route = (full or partial)[0]
    assert match == expected
    assert child.pop("tracelake.route") is route
    assert child == expected_child
