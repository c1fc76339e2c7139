"""Whom an edge lets in, where that is not what is tested."""

from starlette.types import Scope

from tracelake.model.permissions import Permission


async def anybody(_scope: Scope, _permission: Permission) -> None:
    """Lets everybody in."""
