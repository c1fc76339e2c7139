"""The walls of the house: floors, no inner import of the package root, every route guarded."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from tracelake.model.permissions import Permission, required_permission
from tracelake.server.app import FrontDoor, create_app
from tracelake.server.settings import load_settings
from tracelake.web.tree import RouteTree

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tracelake"
USER_CODE = PACKAGE / "agents" / "demo" / "support_agent"
"""The demo's agent is written as a user would write it, against the public package."""


def test_floors_point_down() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "file",
    [f for f in PACKAGE.rglob("*.py") if f.parent != PACKAGE and not f.is_relative_to(USER_CODE)],
    ids=lambda file: str(file.relative_to(PACKAGE)),
)
def test_no_inner_module_imports_the_package_root(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert "tracelake" not in {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module != "tracelake"


def test_every_route_declares_its_permission(tmp_path: Path) -> None:
    door = create_app(load_settings({"home": str(tmp_path)}, {}))
    assert isinstance(door, FrontDoor)
    assert required_permission(door.otlp) is Permission.WRITE_TRACES
    routes = list(_leaves(door.app.routes))
    silent = [route for route in routes if _permission(route) is None]
    assert [route.path for route in silent if isinstance(route, Route)] == ["/openapi.json"]
    assert len(silent) == 1
    assert len([route for route in routes if isinstance(route, APIRoute)]) > 20


def _leaves(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Routes with those of trees, and of included routers, which FastAPI keeps nested."""
    for route in routes:
        inner = route if isinstance(route, RouteTree) else getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from _leaves(inner.routes)


def _permission(route: BaseRoute) -> Permission | None:
    if isinstance(route, APIRoute):
        return required_permission(route.endpoint)
    return required_permission(route.app) if isinstance(route, Mount) else None
