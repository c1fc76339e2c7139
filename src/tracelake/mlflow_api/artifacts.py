"""Files through the server: `2.0/mlflow-artifacts/…`, and lists of them by run and model."""

import asyncio
import mimetypes
from typing import Any, Final
from urllib.parse import unquote

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from tracelake.mlflow_api.route import said
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.permissions import Permission, requires
from tracelake.store.artifacts import ArtifactEntry, Artifacts, checked_path
from tracelake.web.answer import JsonAnswer

_BASE: Final = "/2.0/mlflow-artifacts/artifacts"
_ACTIVE: Final = ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml")
"""What a browser would run in our name is told to be text."""


def add_artifacts(routes: APIRouter, artifacts: Artifacts) -> None:
    @routes.put(_BASE + "/{path:path}")
    @requires(Permission.WRITE_TRACES)
    async def put(request: Request, path: str) -> Response:
        await receive(request, artifacts, path)
        return Response(status_code=200)

    @routes.get(_BASE)
    @requires(Permission.READ_TRACES)
    def list_folder(path: str = "") -> JsonAnswer:
        """Paths are within the folder that was asked for."""
        entries = artifacts.entries(_decoded(path))
        return JsonAnswer(said(files=[entry_message(entry) for entry in entries] or None))

    @routes.get(_BASE + "/{path:path}")
    @requires(Permission.READ_TRACES)
    def get(path: str) -> Response:
        return send(artifacts, path)

    @routes.delete(_BASE + "/{path:path}")
    @requires(Permission.WRITE_TRACES)
    def delete(path: str) -> JsonAnswer:
        artifacts.delete(_decoded(path))
        return JsonAnswer({})


async def receive(request: Request, artifacts: Artifacts, path: str) -> None:
    """Keep a body as a file, without having it in memory."""
    upload = artifacts.upload(_decoded(path))
    try:
        async for piece in request.stream():
            await asyncio.to_thread(upload.add, piece)
        await asyncio.to_thread(upload.finish)
    except ClientDisconnect as error:
        await asyncio.to_thread(upload.abandon)
        raise InvalidInput("the client left before the file ended") from error
    except BaseException:
        await asyncio.to_thread(upload.abandon)
        raise


def send(artifacts: Artifacts, path: str) -> Response:
    """A file as the body of an answer. Raises NotFound."""
    path = _decoded(path)
    file = artifacts.get(path)
    name = file.path.rpartition("/")[2]
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "content-length": str(file.size_bytes),
        "content-disposition": f"attachment; filename*=UTF-8''{_quoted(name)}",
        "x-content-type-options": "nosniff",
    }
    if media_type in _ACTIVE:
        media_type = "text/plain"
    return StreamingResponse(artifacts.read(path), media_type=media_type, headers=headers)


def list_below(artifacts: Artifacts, root: str, path: str) -> list[dict[str, Any]]:
    """What is in a folder of a run or a model; paths are within the run or the model."""
    inside = checked_path(path)
    entries = artifacts.entries(f"{root}/{inside}" if inside else root)
    return [
        entry_message(entry) | {"path": f"{inside}/{entry.name}" if inside else entry.name}
        for entry in entries
    ]


def own_path(uri: str) -> str:
    """The path of a URI in the server's own place. Raises NotFound for any other."""
    scheme, _, rest = uri.partition(":")
    if scheme != "mlflow-artifacts":
        raise NotFound(f"{uri!r} is not kept by this server; read it where it is")
    if rest.startswith("//"):
        rest = rest[2:].partition("/")[2]
    return checked_path(rest)


def entry_message(entry: ArtifactEntry) -> dict[str, Any]:
    told: dict[str, Any] = {"path": entry.name, "is_dir": entry.is_folder}
    if not entry.is_folder:
        told["file_size"] = entry.size_bytes
    return told


def _decoded(path: str) -> str:
    """Some clients escape twice, and what hides behind that must not be a way out."""
    decoded = path
    for _ in range(3):
        checked_path(decoded)
        once = unquote(decoded)
        if once == decoded:
            break
        decoded = once
    return path


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")
