"""What a caller may do, and how a route says what it needs.

Every route function carries exactly one permission, put there by `@requires`. The server checks it
before the function runs; `tests/house` fails when a route has none.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

_ATTRIBUTE = "__tracelake_permission__"

F = TypeVar("F", bound=Callable[..., Any])


class Permission(StrEnum):
    PUBLIC = "public"
    """No identity needed: liveness, the UI's own files, the API description."""
    READ_TRACES = "traces:read"
    WRITE_TRACES = "traces:write"
    DELETE_TRACES = "traces:delete"
    READ_EXPERIMENTS = "experiments:read"
    WRITE_EXPERIMENTS = "experiments:write"
    READ_AGENTS = "agents:read"
    DEPLOY_AGENTS = "agents:deploy"
    QUERY_AGENTS = "agents:query"
    READ_METRICS = "server:metrics"
    """Prometheus numbers of the server itself."""
    SYNC_LAKE = "lake:sync"


def requires(permission: Permission) -> Callable[[F], F]:
    """Declare the permission a route function needs."""

    def declare(function: F) -> F:
        setattr(function, _ATTRIBUTE, permission)
        return function

    return declare


def required_permission(function: object) -> Permission | None:
    """The permission declared on a route function, or None where none was declared."""
    return getattr(function, _ATTRIBUTE, None)
