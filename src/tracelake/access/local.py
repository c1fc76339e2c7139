"""The one local user."""

from dataclasses import dataclass

from tracelake.model.permissions import Permission


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from."""

    name: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        return permission is Permission.PUBLIC or permission in self.permissions


LOCAL_USER = Principal("local", frozenset(Permission))
