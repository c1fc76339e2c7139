"""Who a request comes from: by the token it carries, where the server asks for one."""

import asyncio
import base64
import binascii
import time
from collections.abc import Mapping
from typing import Final

from tracelake.access.local import LOCAL_USER, Principal
from tracelake.model.errors import Unauthenticated
from tracelake.model.permissions import Permission
from tracelake.store.database import now_ms
from tracelake.store.principals import Credential, CredentialKind, Principals

ACCESS_S: Final = 3600.0
_KNOWN_S: Final = 5.0
"""A token that was revoked, by any server, ends within this."""
_MOST_KNOWN: Final = 10_000
_HOW: Final = (
    "send `Authorization: Bearer <token>`, or the token as the password of its owner; "
    "`tracelake tokens create` makes one"
)


class AccessControl:
    """Asks for a token, or takes everybody for the one local user."""

    def __init__(self, principals: Principals, *, is_required: bool) -> None:
        self._principals = principals
        self.is_required = is_required
        self._known: dict[str, tuple[float, Credential | None]] = {}

    async def principal_of(self, headers: Mapping[str, str]) -> Principal:
        """By headers in lower case. Raises Unauthenticated."""
        if not self.is_required:
            return LOCAL_USER
        name, secret = _told(headers.get("authorization", ""))
        credential = await self._find(secret)
        if credential is None:
            raise Unauthenticated(f"the token is not one of this server's; {_HOW}")
        why = credential.why_not(now_ms())
        if why is not None:
            raise Unauthenticated(f"the token cannot be used: {why}; {_HOW}")
        if credential.kind is CredentialKind.SECRET:
            raise Unauthenticated(
                "a client secret is no token: exchange it for one at /oidc/v1/token"
            )
        owner = credential.principal
        if name not in (None, owner.name, owner.principal_id):
            raise Unauthenticated(f"the token is not that of {name!r}")
        return Principal(owner.name, frozenset(Permission))

    def exchange(self, client_id: str, secret: str) -> str:
        """An access token for a service principal's secret. Blocks. Raises Unauthenticated.

        Where no token is asked for, any will do.
        """
        if not self.is_required:
            return "not-asked-for"
        credential = self._principals.find(secret)
        if (
            credential is None
            or credential.kind is not CredentialKind.SECRET
            or credential.principal.principal_id != client_id
        ):
            raise Unauthenticated("the client id and secret do not belong together")
        why = credential.why_not(now_ms())
        if why is not None:
            raise Unauthenticated(f"the client secret cannot be used: {why}")
        self._principals.forget_expired()
        token, _ = self._principals.issue(client_id, CredentialKind.ACCESS, lifetime_s=ACCESS_S)
        return token

    async def _find(self, secret: str) -> Credential | None:
        time_s = time.monotonic()
        known = self._known.get(secret)
        if known is not None and known[0] > time_s:
            return known[1]
        found = await asyncio.to_thread(self._principals.find, secret)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[secret] = time_s + _KNOWN_S, found
        return found


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Name and password of a Basic header; None for any other."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def _told(header: str) -> tuple[str | None, str]:
    """The name, where one is told, and the token. Raises Unauthenticated for a header with none."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return None, rest.strip()
    told = basic_credentials(header.strip())
    if told is None:
        raise Unauthenticated(f"this server asks for a token: {_HOW}")
    return told
