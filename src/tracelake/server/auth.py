"""Whether a request may be answered: who it comes from, and whether its route is theirs."""

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from tracelake.access.control import AccessControl
from tracelake.model.errors import PermissionDenied
from tracelake.model.permissions import Permission, required_permission

_STATE: Final = "principal"


class Guard:
    """One for all protocols."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    async def authorise(self, scope: Scope, permission: Permission) -> None:
        """Let the request through; keeps the principal on it.

        Raises Unauthenticated, PermissionDenied.
        """
        if permission is Permission.PUBLIC:
            return
        principal = await self._access.principal_of(Headers(scope=scope))
        scope.setdefault("state", {})[_STATE] = principal
        if not principal.may(permission):
            raise PermissionDenied(f"{principal.name} does not have the permission {permission}")

    async def check_route(self, request: Request) -> None:
        """FastAPI dependency of every route: a route that declares nothing is closed."""
        permission = required_permission(request.scope["endpoint"])
        if permission is None:
            raise PermissionDenied("this route declares no permission, so nobody may call it")
        await self.authorise(request.scope, permission)
