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
PARTS: Final = "/api/2.0/mlflow-artifacts/signed-parts"
_LIFETIME_S: Final = 3600

Method = Literal["GET", "PUT"]


class Signer:
    def __init__(self, key: bytes) -> None:
        """The key is the same on all servers of a store."""
        self._key = key

    def url(
        self, request: Request, method: Method, path: str, lifetime_s: int = _LIFETIME_S
    ) -> str:
        """The address of a file, on the host that the client asked."""
        expires = int(time.time()) + lifetime_s
        place = f"{method}/{expires}/{self._signature(method, expires, path)}"
        return f"{_host(request)}{PREFIX}/{place}/{quote(path)}"

    def check(self, method: Method, expires: int, signature: str, path: str) -> None:
        """Raises PermissionDenied."""
        self._check(expires, signature, self._signature(method, expires, path))

    def part_url(self, request: Request, upload_id: str, number: int) -> str:
        """The address of one part of an upload."""
        expires = int(time.time()) + _LIFETIME_S
        signature = self._signature("PART", expires, f"{upload_id}/{number}")
        return f"{_host(request)}{PARTS}/{expires}/{signature}/{upload_id}/{number}"

    def check_part(self, expires: int, signature: str, upload_id: str, number: int) -> None:
        """Raises PermissionDenied."""
        self._check(expires, signature, self._signature("PART", expires, f"{upload_id}/{number}"))

    def _check(self, expires: int, signature: str, expected: str) -> None:
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise PermissionDenied("this address was not made by this server")
        if expires < time.time():
            raise PermissionDenied("this address has expired; ask for another one")

    def _signature(self, purpose: str, expires: int, path: str) -> str:
        said = f"{purpose}\0{expires}\0{path}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()


def _host(request: Request) -> str:
    return str(request.base_url).rstrip("/")
