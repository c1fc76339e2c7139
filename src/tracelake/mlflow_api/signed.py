"""Addresses that are a permission themselves: whoever has one may read or write that one file,
for an hour. Clients of a workspace send files to such, without their token."""

import hashlib
import hmac
import time
from typing import Final, Literal
from urllib.parse import quote

from starlette.requests import Request

from tracelake.model.errors import PermissionDenied

PREFIX: Final = "/api/2.0/mlflow-artifacts/signed"
_LIFETIME_S: Final = 3600

Method = Literal["GET", "PUT"]


class Signer:
    def __init__(self, key: bytes) -> None:
        """The key is the same on all servers of a store."""
        self._key = key

    def url(self, request: Request, method: Method, path: str) -> str:
        """The address of a file, on the host that the client asked."""
        expires = int(time.time()) + _LIFETIME_S
        place = f"{method}/{expires}/{self._signature(method, expires, path)}"
        return f"{str(request.base_url).rstrip('/')}{PREFIX}/{place}/{quote(path)}"

    def check(self, method: Method, expires: int, signature: str, path: str) -> None:
        """Raises PermissionDenied."""
        expected = self._signature(method, expires, path)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise PermissionDenied("this address was not made by this server")
        if expires < time.time():
            raise PermissionDenied("this address has expired; ask for another one")

    def _signature(self, method: Method, expires: int, path: str) -> str:
        said = f"{method}\0{expires}\0{path}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()
