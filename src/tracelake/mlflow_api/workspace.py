"""What clients ask that take this server for a workspace: the handshake, credentials for files,
the Files API, long-running search. Everything else they ask as other clients do."""

import base64
import re
import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tracelake.mlflow_api.artifacts import Files
from tracelake.mlflow_api.route import said
from tracelake.mlflow_api.signed import PREFIX, Signer
from tracelake.mlflow_api.traces import Search, TraceSearcher
from tracelake.model.errors import NotFound, TracelakeError, Unauthenticated
from tracelake.model.permissions import Permission, requires
from tracelake.store.artifacts import ArtifactEntry
from tracelake.web.answer import JsonAnswer

WORKSPACE_ID: Final = "1"
_TOKEN_PATH: Final = "/oidc/v1/token"
_ARTIFACTS: Final = re.compile(
    r"WorkspaceInternal/Mlflow/Artifacts/(?P<experiment>\d+)/(?P<kind>Runs|LoggedModels)/"
    r"(?P<id>traces/[^/]+|[^/]+)/artifacts(?:/(?P<rest>.*))?\Z"
)
# Clients take the folder of a trace for that of a run.
_FOLDERS: Final = {"Runs": "", "LoggedModels": "models/"}


Exchange = Callable[[str, str], str]
"""A service principal's id and secret for an access token. Blocks. Raises Unauthenticated."""


def add_handshake(routes: APIRouter, exchange: Exchange, access_s: float) -> None:
    """At the root of the server. Asked before every single call, so it costs nothing."""

    @routes.get("/.well-known/databricks-config")
    @requires(Permission.PUBLIC)
    def config(request: Request) -> JsonAnswer:
        base = str(request.base_url).rstrip("/")
        return JsonAnswer(
            {"oidc_endpoint": f"{base}/oidc", "workspace_id": WORKSPACE_ID, "cloud": "AWS"}
        )

    @routes.get("/oidc/.well-known/oauth-authorization-server")
    @requires(Permission.PUBLIC)
    def metadata(request: Request) -> JsonAnswer:
        base = str(request.base_url).rstrip("/")
        return JsonAnswer(
            {
                "issuer": f"{base}/oidc",
                "authorization_endpoint": f"{base}/oidc/v1/authorize",
                "token_endpoint": base + _TOKEN_PATH,
                "grant_types_supported": ["client_credentials"],
            }
        )

    @routes.post(_TOKEN_PATH)
    @requires(Permission.PUBLIC)
    async def token(request: Request) -> Response:
        """OAuth 2.0, section 4.4: client credentials (RFC 6749)."""
        form = await request.form()
        if form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "only client_credentials is known")
        told = _basic(request.headers.get("authorization", ""))
        client_id, secret = told or (str(form.get("client_id")), str(form.get("client_secret")))
        try:
            access = await run_in_threadpool(exchange, client_id, secret)
        except Unauthenticated as error:
            return _oauth_error(401, "invalid_client", error.message)
        except TracelakeError as error:
            return _oauth_error(503, "temporarily_unavailable", error.message)
        return JSONResponse(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": round(access_s),
                "scope": "all-apis",
            },
            headers={"cache-control": "no-store"},
        )


def add_workspace(routes: APIRouter, signer: Signer, searcher: TraceSearcher) -> None:
    @routes.get("/2.0/mlflow/traces/{trace_id}/credentials-for-data-upload")
    @requires(Permission.WRITE_TRACES)
    def for_upload(request: Request, trace_id: str, path: str = "traces.json") -> JsonAnswer:
        file = f"{searcher.folder_of(trace_id)}/{path}"
        return JsonAnswer({"credential_info": _signed(signer.url(request, "PUT", file))})

    @routes.get("/2.0/mlflow/traces/{trace_id}/credentials-for-data-download")
    @requires(Permission.READ_TRACES)
    def for_download(request: Request, trace_id: str, path: str = "traces.json") -> JsonAnswer:
        file = f"{searcher.folder_of(trace_id)}/{path}"
        return JsonAnswer({"credential_info": _signed(signer.url(request, "GET", file))})

    @routes.post("/4.0/mlflow/traces/search-long-running")
    @requires(Permission.READ_TRACES)
    def search(request: Request, body: Search) -> JsonAnswer:
        """Answered at once: there is nothing to poll for."""
        infos, token = searcher.search(request, body)
        return JsonAnswer(
            {
                "name": f"operations/{secrets.token_hex(8)}",
                "done": True,
                "response": said(trace_infos=infos, next_page_token=token),
            }
        )


def add_files(routes: APIRouter, files: Files, signer: Signer) -> None:
    """Routes whose bodies are files. The signed ones carry their own permission."""

    @routes.put(PREFIX.removeprefix("/api") + "/PUT/{expires}/{signature}/{path:path}")
    @requires(Permission.PUBLIC)
    async def put_signed(request: Request, expires: int, signature: str, path: str) -> Response:
        signer.check("PUT", expires, signature, path)
        await files.receive(request, path)
        return Response(status_code=200)

    @routes.get(PREFIX.removeprefix("/api") + "/GET/{expires}/{signature}/{path:path}")
    @requires(Permission.PUBLIC)
    def get_signed(request: Request, expires: int, signature: str, path: str) -> Response:
        signer.check("GET", expires, signature, path)
        return files.send(path, request.headers.get("range"))

    @routes.put("/2.0/fs/files/{path:path}")
    @requires(Permission.WRITE_EXPERIMENTS)
    async def put(request: Request, path: str) -> Response:
        await files.receive(request, own_path(path))
        return Response(status_code=204)

    @routes.get("/2.0/fs/files/{path:path}")
    @requires(Permission.READ_EXPERIMENTS)
    def get(request: Request, path: str) -> Response:
        return files.send(own_path(path), request.headers.get("range"))

    @routes.head("/2.0/fs/files/{path:path}")
    @requires(Permission.READ_EXPERIMENTS)
    def head(path: str) -> Response:
        size_bytes = files.size_bytes(own_path(path))
        return Response(headers={"content-length": str(size_bytes)})

    @routes.delete("/2.0/fs/files/{path:path}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def delete(path: str) -> Response:
        files.artifacts.delete(own_path(path))
        return Response(status_code=204)

    @routes.put("/2.0/fs/directories/{path:path}")
    @requires(Permission.WRITE_EXPERIMENTS)
    def make_folder(path: str) -> Response:
        """Folders are where files are."""
        own_path(path)
        return Response(status_code=204)

    @routes.head("/2.0/fs/directories/{path:path}")
    @requires(Permission.READ_EXPERIMENTS)
    def head_folder(path: str) -> Response:
        _entries(files, path)
        return Response(status_code=200)

    @routes.get("/2.0/fs/directories/{path:path}")
    @requires(Permission.READ_EXPERIMENTS)
    def list_folder(path: str, page_size: Annotated[int, Query(ge=1)] = 1000) -> JsonAnswer:
        entries = _entries(files, path)
        return JsonAnswer({"contents": [_entry(path, entry) for entry in entries]})

    @routes.post("/2.0/fs/create-download-url")
    @requires(Permission.READ_EXPERIMENTS)
    def download_url(request: Request, path: str) -> JsonAnswer:
        own = own_path(path.strip("/"))
        files.size_bytes(own)
        return JsonAnswer({"url": signer.url(request, "GET", own), "headers": []})


def own_path(path: str) -> str:
    """Where the file of a workspace's path is kept: with those of all other clients."""
    match = _ARTIFACTS.match(path.strip("/"))
    if match is None:
        return path.strip("/")
    folder = f"{match['experiment']}/{_FOLDERS[match['kind']]}{match['id']}/artifacts"
    return f"{folder}/{match['rest']}" if match["rest"] else folder


def _entries(files: Files, path: str) -> list[ArtifactEntry]:
    entries = files.entries(own_path(path))
    if not entries:
        raise NotFound(f"No such directory: /{path.strip('/')}")
    return entries


def _entry(folder: str, entry: ArtifactEntry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "path": f"/{folder.strip('/')}/{entry.name}",
        "name": entry.name,
        "is_directory": entry.is_folder,
        "last_modified": entry.modified_ms,
    }
    if not entry.is_folder:
        told["file_size"] = entry.size_bytes
    return told


def _signed(url: str) -> dict[str, Any]:
    return {"type": "AWS_PRESIGNED_URL", "signed_uri": url, "headers": []}


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        return None
    return (name, secret) if colon else None


def _oauth_error(status: int, code: str, text: str) -> Response:
    return JSONResponse({"error": code, "error_description": text}, status)
