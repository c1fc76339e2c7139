"""The server's REST API as calls that return JSON or raise the product's errors."""

import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from tracelake.model.errors import (
    AlreadyExists,
    Conflict,
    InvalidFilter,
    InvalidInput,
    NotFound,
    PermissionDenied,
    TracelakeError,
    Unavailable,
)
from tracelake.sdk.destination import Destination
from tracelake.sdk.http import Answer, Http, Unreachable

Json = dict[str, Any]


class Rest:
    """Calls of one server. Times out as `http` does; a missing server is Unavailable."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def call(
        self,
        destination: Destination,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Json:
        """`path` begins with a slash. Raises a TracelakeError for every answer but 2xx."""
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._http.request(
                method,
                destination.tracking_uri + path,
                token=destination.token,
                body=data,
                headers={"Content-Type": "application/json"} if data is not None else None,
                query=query,
                timeout_s=timeout_s,
            )
        except Unreachable as error:
            # The message says it all; the chain below would be three pages of a socket's life.
            raise Unavailable(f"{destination.tracking_uri} does not answer: {error}", 0) from None
        if not 200 <= answer.status < 300:
            raise error_of(answer)
        return _json(answer)

    def experiment_id(self, destination: Destination, *, create: bool = True) -> str | None:
        """The id behind the destination's experiment; None where it is missing and not created.

        Raises a TracelakeError as `call` does.
        """
        if destination.experiment_id or not destination.experiment_name:
            return destination.experiment_id or "0"
        name = destination.experiment_name
        found = self._find_experiment(destination, name)
        if found is not None or not create:
            return found
        try:
            made = self.call(destination, "POST", "/api/v1/experiments", {"name": name})
            return str(made["experiment_id"])
        except AlreadyExists:
            # Another process made it between our two requests.
            return self._find_experiment(destination, name)

    def _find_experiment(self, destination: Destination, name: str) -> str | None:
        page = self.call(destination, "GET", "/api/v1/experiments", query={"name": name})
        for each in page.get("experiments", ()):
            if each.get("name") == name:
                return str(each["experiment_id"])
        return None


def trace_path(trace_id: str, *rest: str) -> str:
    return "/".join(["/api/v1/traces", *(quote(part, safe="") for part in (trace_id, *rest))])


def _json(answer: Answer) -> Json:
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = {}
    return cast("Json", value) if isinstance(value, dict) else {}


def error_of(answer: Answer) -> TracelakeError:
    """The product's error for an answer that is not 2xx."""
    shape = _json(answer)
    text = answer.body[:500].decode("utf-8", "replace")
    message = str(shape.get("message") or text or f"HTTP {answer.status}")
    match answer.status:
        case 401 | 403:
            return PermissionDenied(message)
        case 404:
            return NotFound(message)
        case 409:
            taken = shape.get("error_code") == AlreadyExists.code
            return AlreadyExists(message) if taken else Conflict(message)
        case 408 | 429 | 502 | 503 | 504:
            return Unavailable(message, retry_after_s(answer))
        case 400 if isinstance(shape.get("column"), int):
            column = int(shape["column"])
            return InvalidFilter(message.removesuffix(f" (column {column})"), column)
        case status if 400 <= status < 500:
            return InvalidInput(message)
        case _:
            return TracelakeError(message)


def retry_after_s(answer: Answer) -> int:
    """Seconds the server asks to wait, bounded to a minute; 0 where it does not say."""
    text = answer.headers.get("Retry-After") or answer.headers.get("retry-after") or ""
    return min(int(text), 60) if text.strip().isdigit() else 0
