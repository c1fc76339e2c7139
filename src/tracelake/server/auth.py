"""Who a request comes from, and whether its route's permission is theirs."""

from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from tracelake.access.local import LOCAL_USER
from tracelake.model.errors import PermissionDenied
from tracelake.model.permissions import Permission, required_permission

_STATE: Final = "principal"


async def authorise(scope: Scope, permission: Permission) -> None:
    """Let the request through or raise PermissionDenied. Keeps the principal on the request."""
    principal = LOCAL_USER
    scope.setdefault("state", {})[_STATE] = principal
    if not principal.may(permission):
        raise PermissionDenied(f"{principal.name} does not have the permission {permission}")


async def check_route(request: Request) -> None:
    """FastAPI dependency of every route: a route that declares nothing is closed."""
    permission = required_permission(request.scope["endpoint"])
    if permission is None:
        raise PermissionDenied("this route declares no permission, so nobody may call it")
    await authorise(request.scope, permission)
