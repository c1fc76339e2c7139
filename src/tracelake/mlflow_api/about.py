"""What this server says of itself to MLflow's clients, before they trust it with spans."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from tracelake.model.permissions import Permission, requires
from tracelake.web.answer import JsonAnswer

MLFLOW_VERSION: Final = "3.17.2"
"""Whose behaviour is followed. Below 3.4, clients do not send spans but upload them as a file."""


def add_version(routes: APIRouter) -> None:
    @routes.get("/version", response_class=PlainTextResponse)
    @requires(Permission.PUBLIC)
    def tell_version() -> PlainTextResponse:
        """The version of MLflow whose protocol is spoken; our own stands in /openapi.json."""
        return PlainTextResponse(MLFLOW_VERSION)


def add_about(routes: APIRouter) -> None:
    @routes.get("/3.0/mlflow/server-info")
    @requires(Permission.PUBLIC)
    def server_info() -> JsonAnswer:
        """Which of the optional things a server may do this one does."""
        return JsonAnswer(
            {
                "store_type": "SqlStore",
                "workspaces_enabled": False,
                "trace_archival_enabled": False,
                "multipart_uploads_enabled": True,
                # Clients would ask for an address before every file, however small.
                "multipart_downloads_enabled": False,
                "presigned_upload_run_id_supported": True,
                "presigned_upload_model_id_supported": True,
                "features_enabled": {},
            }
        )
