"""Errors to HTTP, in this one place. Every error answer has the same shape:

{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No trace with id …"}
"""

from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
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
    (PermissionDenied, 403),
    (Unavailable, 503),
    (QueryTimeout, 504),
    (QueryCancelled, 499),
)
_CODES: Final = {404: "ENDPOINT_NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 401: "UNAUTHENTICATED"}


def answer_error(error: TracelakeError) -> JSONResponse:
    """The HTTP answer to an error we raised on purpose."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    body: dict[str, str | int] = {"error_code": error.code, "message": storable(error.message)}
    if isinstance(error, InvalidFilter):
        body["column"] = error.column
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, PayloadTooLarge):
        headers["connection"] = "close"
    return JSONResponse(body, status, headers)


def add_error_handlers(app: FastAPI) -> None:
    """Answer errors of ours, of validation, of routing, and every other as a 500 that is logged."""

    @app.exception_handler(TracelakeError)
    def on_ours(_request: Request, error: TracelakeError) -> JSONResponse:
        return answer_error(error)

    @app.exception_handler(RequestValidationError)
    def on_validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        return answer_error(InvalidInput(_sentence(error)))

    @app.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "BAD_REQUEST")
        message = error.detail
        if error.status_code == 404:
            message = f"There is no {request.method} {request.url.path}; see /openapi.json"
        return JSONResponse(
            {"error_code": code, "message": message}, error.status_code, dict(error.headers or {})
        )

    @app.exception_handler(Exception)
    def on_unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse(
            {
                "error_code": "INTERNAL_ERROR",
                "message": "The server failed; its log has the reason.",
            },
            500,
        )


def _sentence(error: RequestValidationError) -> str:
    """What was wrong with the first field, in words."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{where}: {first['msg']}" if where else str(first["msg"])
