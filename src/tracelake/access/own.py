"""The token that a server's own agents send their spans with."""

import threading
from typing import Final

from tracelake.model.errors import AlreadyExists
from tracelake.store.principals import CredentialKind, PrincipalRecord, Principals

OWNER: Final = "tracelake-agents"


class OwnToken:
    """Made when the first agent starts, and revoked when the server stops. Blocks."""

    def __init__(self, principals: Principals, place: str, *, is_required: bool) -> None:
        """`place` tells the tokens of this server from those of others on the same store."""
        self._principals = principals
        self._place = place
        self._is_required = is_required
        self._lock = threading.Lock()
        self._token = ""

    def get(self) -> str:
        """Empty where the server asks for none."""
        if not self._is_required:
            return ""
        with self._lock:
            if not self._token:
                owner = self._owner()
                self._revoke(owner)  # those of a server that was killed
                self._token, _ = self._principals.issue(
                    owner.principal_id, CredentialKind.TOKEN, comment=self._place
                )
            return self._token

    def revoke(self) -> None:
        with self._lock:
            if self._token:
                self._revoke(self._owner())
                self._token = ""

    def _owner(self) -> PrincipalRecord:
        try:
            return self._principals.create(OWNER, is_service=True)
        except AlreadyExists:
            return self._principals.get(OWNER)

    def _revoke(self, owner: PrincipalRecord) -> None:
        for each in self._principals.credentials_of(owner.principal_id):
            if each.comment == self._place and each.revoked_ms is None:
                self._principals.revoke(each.credential_id)
