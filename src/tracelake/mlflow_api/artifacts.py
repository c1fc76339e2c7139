"""Files through the server: `2.0/mlflow-artifacts/…`, and lists of them by run and model."""

import asyncio
import mimetypes
import re
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, unquote

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from tracelake.mlflow_api.flavour import OF_WORKSPACE, OWN
from tracelake.mlflow_api.route import said
from tracelake.mlflow_api.trace_files import NAME as TRACE_FILE
from tracelake.mlflow_api.trace_files import TraceFiles, trace_of_path
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.permissions import Permission, requires
from tracelake.store.artifact_parts import PartUpload
from tracelake.store.artifacts import ArtifactEntry, Artifacts, Upload, checked_path
from tracelake.web.answer import JsonAnswer

_BASE: Final = "/2.0/mlflow-artifacts/artifacts"
_RANGE: Final = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})\Z")
_CLIENT_LEFT: Final = "the client left before the file ended"
_ACTIVE: Final = ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml")
"""What a browser would run in our name is told to be text."""


class Files:
    """Files in and out, and those of traces, which are spans."""

    def __init__(self, artifacts: Artifacts, trace_files: TraceFiles) -> None:
        self.artifacts = artifacts
        self.trace_files = trace_files

    async def receive(self, request: Request, path: str) -> None:
        """Keep a body as a file, without having it in memory. Raises InvalidInput."""
        of_trace = trace_of_path(_decoded(path))
        if of_trace is not None:
            try:
                await self.trace_files.take(*of_trace, request.stream())
            except ClientDisconnect as error:
                raise InvalidInput(_CLIENT_LEFT) from error
            return
        await receive_into(self.artifacts.upload(path), request)

    def size_bytes(self, path: str) -> int:
        """Raises NotFound."""
        of_trace = trace_of_path(path)
        if of_trace is not None:
            return len(self.trace_files.make(of_trace[1]))
        return self.artifacts.get(path).size_bytes

    def entries(self, folder: str) -> list[ArtifactEntry]:
        """What is in a folder; of a trace, its spans among it."""
        entries = self.artifacts.entries(folder)
        of_trace = trace_of_path(f"{folder}/{TRACE_FILE}")
        if of_trace is not None:
            with suppress(NotFound):
                size_bytes = self.size_bytes(f"{folder}/{TRACE_FILE}")
                entries.append(ArtifactEntry(TRACE_FILE, False, size_bytes, 0))
        return entries

    def send(self, path: str, asked: str | None = None) -> Response:
        """A file as the body of an answer, or the range that a header asks for. Raises NotFound."""
        of_trace = trace_of_path(_decoded(path))
        if of_trace is not None:
            return Response(self.trace_files.make(of_trace[1]), media_type="application/json")
        file = self.artifacts.get(path)
        span = _range(asked, file.size_bytes)
        start, end = span or (0, file.size_bytes)
        name = file.path.rpartition("/")[2]
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {
            "accept-ranges": "bytes",
            "content-length": str(end - start),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "x-content-type-options": "nosniff",
        }
        if media_type in _ACTIVE:
            media_type = "text/plain"
        if span is not None:
            headers["content-range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
        content = self.artifacts.read(path, start, end)
        status = 200 if span is None else 206
        return StreamingResponse(content, status, headers, media_type)


def add_artifacts(routes: APIRouter, files: Files) -> None:
    @routes.put(_BASE + "/{path:path}")
    @requires(Permission.WRITE_TRACES)
    async def put(request: Request, path: str) -> Response:
        await files.receive(request, path)
        return Response(status_code=200)

    @routes.get(_BASE)
    @requires(Permission.READ_TRACES)
    def list_folder(path: str = "") -> JsonAnswer:
        """Paths are within the folder that was asked for."""
        entries = files.entries(_decoded(path))
        return JsonAnswer(said(files=[entry_message(entry) for entry in entries] or None))

    @routes.get(_BASE + "/{path:path}")
    @requires(Permission.READ_TRACES)
    def get(request: Request, path: str) -> Response:
        return files.send(path, request.headers.get("range"))

    @routes.delete(_BASE + "/{path:path}")
    @requires(Permission.WRITE_TRACES)
    def delete(path: str) -> JsonAnswer:
        files.artifacts.delete(_decoded(path))
        return JsonAnswer({})

    for version in ("2.0", "3.0"):

        @routes.get(f"/{version}/mlflow/get-trace-artifact")
        @requires(Permission.READ_TRACES)
        def get_trace_file(request_id: str, path: str = "") -> Response:
            """The spans of a trace as their file, or one of its attachments."""
            if path:
                folder = files.trace_files.folder(request_id)
                return files.send(f"{folder}/attachments/{checked_path(path)}")
            return Response(files.trace_files.make(request_id), media_type="application/json")


async def receive_into(upload: Upload | PartUpload, request: Request) -> None:
    """A body into the store, a piece at a time. Raises InvalidInput."""
    try:
        async for piece in request.stream():
            await asyncio.to_thread(upload.add, piece)
        await asyncio.to_thread(upload.finish)
    except ClientDisconnect as error:
        await asyncio.to_thread(upload.abandon)
        raise InvalidInput(_CLIENT_LEFT) from error
    except BaseException:
        await asyncio.to_thread(upload.abandon)
        raise


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
    for prefix in (OWN, OF_WORKSPACE):
        if uri.startswith(prefix):
            rest = uri.removeprefix(prefix)
            # A host may be named, which is this one.
            path = rest[2:].partition("/")[2] if rest.startswith("//") else rest
            return checked_path(path.replace("/logged_models/", "/models/"))
    raise NotFound(f"{uri!r} is not kept by this server; read it where it is")


def entry_message(entry: ArtifactEntry) -> dict[str, Any]:
    told: dict[str, Any] = {"path": entry.name, "is_dir": entry.is_folder}
    if not entry.is_folder:
        told["file_size"] = entry.size_bytes
    return told


def _range(asked: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Start and end of the one range of a header; None to send all, which is always allowed."""
    match = _RANGE.match(asked or "")
    if match is None or not any(match.groups()):
        return None
    first, last = match["first"], match["last"]
    if not first:
        start, end = max(size_bytes - int(last), 0), size_bytes
    else:
        start, end = int(first), min(int(last) + 1 if last else size_bytes, size_bytes)
    return (start, end) if start < end else None


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
