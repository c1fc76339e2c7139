"""Errors to HTTP. Every error answer has the same shape:

{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No trace with id …"}
"""

from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from tracelake.model.errors import (
    AlreadyExists,
    Conflict,
    InvalidFilter,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    QueryCancelled,
    QueryTimeout,
    TracelakeError,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from tracelake.model.text import storable

_STATUS: Final[tuple[tuple[type[TracelakeError], int], ...]] = (
    (PayloadTooLarge, 413),
    (UnsupportedMedia, 415),
    (InvalidInput, 400),
    (NotFound, 404),
    (AlreadyExists, 409),
    (Conflict, 409),
    (Unauthenticated, 401),
    (PermissionDenied, 403),
    (Unavailable, 503),
    (QueryTimeout, 504),
    (QueryCancelled, 499),
)


def answer_error(error: TracelakeError, status: int | None = None) -> JSONResponse:
    """The HTTP answer to an error we raised on purpose, by its own status or another."""
    if status is None:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    body: dict[str, str | int] = {"error_code": error.code, "message": storable(error.message)}
    if isinstance(error, InvalidFilter):
        body["column"] = error.column
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        # Has a browser ask for a name, and for the token as its password.
        headers["www-authenticate"] = 'Basic realm="Tracelake", charset="UTF-8"'
    if isinstance(error, PayloadTooLarge):
        headers["connection"] = "close"
    return JSONResponse(body, status, headers)


def invalid_input(error: RequestValidationError) -> InvalidInput:
    """What was wrong with the first field, in words."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        at = first["loc"][-1]
        return InvalidInput(f"the body is not JSON: {first['ctx']['error']} at character {at}")
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return InvalidInput(f"{where}: {first['msg']}" if where else str(first["msg"]))
