"""What is answered when a request fails, wherever it does (web/errors.py has the shape)."""

from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from tracelake.model.errors import TracelakeError
from tracelake.web.errors import answer_error, invalid_input

_CODES: Final = {404: "ENDPOINT_NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 401: "UNAUTHENTICATED"}


def add_error_handlers(app: FastAPI) -> None:
    """Answer errors of ours, of validation, of routing, and every other as a 500 that is logged."""

    @app.exception_handler(TracelakeError)
    def on_ours(_request: Request, error: TracelakeError) -> JSONResponse:
        return answer_error(error)

    @app.exception_handler(RequestValidationError)
    def on_validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        return answer_error(invalid_input(error))

    @app.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "BAD_REQUEST")
        message = error.detail
        if error.status_code in (404, 405):
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
