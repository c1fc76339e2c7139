"""Large files: in parts, by range, and by addresses that need no token."""

from posixpath import basename
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from tracelake.mlflow_api.artifacts import Files, own_path, receive_into
from tracelake.mlflow_api.logged_models import model_uri
from tracelake.mlflow_api.route import Message, Text
from tracelake.mlflow_api.runs import run_uri
from tracelake.mlflow_api.signed import PARTS, Signer
from tracelake.mlflow_api.trace_files import trace_of_path
from tracelake.model.errors import InvalidInput, PayloadTooLarge
from tracelake.model.permissions import Permission, requires
from tracelake.store.artifact_parts import MOST_PARTS, ArtifactParts
from tracelake.store.artifacts import checked_path
from tracelake.store.logged_models import LoggedModels
from tracelake.store.runs import Runs
from tracelake.web.answer import JsonAnswer

_PARTED: Final = "/2.0/mlflow-artifacts/mpu"
_WEEK_S: Final = 604_800


class NewUpload(Message):
    path: Text
    """Of the file at the client's; its last name is that of the artifact."""
    num_parts: Annotated[int, Field(ge=1, le=MOST_PARTS)] = 1


class OpenUpload(Message):
    path: Text
    upload_id: Text


class Part(Message):
    part_number: int


class WholeUpload(OpenUpload):
    parts: Annotated[list[Part], Field(min_length=1, max_length=MOST_PARTS)]


class Place(Message):
    path: Text
    run_id: Text = ""
    model_id: Text = ""
    expiration: Annotated[int, Field(ge=1, le=_WEEK_S)] = 900


def add_parts(routes: APIRouter, files: Files, parts: ArtifactParts, signer: Signer) -> None:
    @routes.post(_PARTED + "/create/{folder:path}")
    @requires(Permission.WRITE_TRACES)
    def create(request: Request, folder: str, body: NewUpload) -> JsonAnswer:
        path = _file(folder, body)
        of_trace = trace_of_path(path)
        if of_trace is not None:
            files.trace_files.give_up(of_trace[1])
            raise PayloadTooLarge(f"{basename(path)}: the file of a trace does not come in parts")
        upload_id = parts.begin(path)
        return JsonAnswer(
            {
                "upload_id": upload_id,
                "credentials": [
                    {"url": signer.part_url(request, upload_id, number), "part_number": number}
                    for number in range(1, body.num_parts + 1)
                ],
            }
        )

    @routes.post(_PARTED + "/complete/{folder:path}")
    @requires(Permission.WRITE_TRACES)
    def complete(folder: str, body: WholeUpload) -> JsonAnswer:
        numbers = [part.part_number for part in body.parts]
        parts.complete(body.upload_id, _file(folder, body), numbers)
        return JsonAnswer({})

    @routes.post(_PARTED + "/abort/{folder:path}")
    @requires(Permission.WRITE_TRACES)
    def abort(folder: str, body: OpenUpload) -> JsonAnswer:
        parts.abort(body.upload_id, _file(folder, body))
        return JsonAnswer({})


def add_part_bodies(routes: APIRouter, parts: ArtifactParts, signer: Signer) -> None:
    @routes.put(PARTS.removeprefix("/api") + "/{expires}/{signature}/{upload_id}/{number}")
    @requires(Permission.PUBLIC)
    async def put(
        request: Request, expires: int, signature: str, upload_id: str, number: int
    ) -> Response:
        signer.check_part(expires, signature, upload_id, number)
        part = parts.part(upload_id, number)
        await receive_into(part, request)
        return Response(headers={"etag": f'"{number}"'})


def add_addresses(
    routes: APIRouter, files: Files, runs: Runs, models: LoggedModels, signer: Signer
) -> None:
    def file_of(request: Request, body: Place) -> str:
        if bool(body.run_id) == bool(body.model_id):
            raise InvalidInput("give either run_id or model_id")
        if body.run_id:
            uri = run_uri(request, runs.get(body.run_id))
        else:
            uri = model_uri(request, models.get(body.model_id))
        return f"{own_path(uri)}/{checked_path(body.path)}"

    @routes.post("/2.0/mlflow/artifacts/presigned-upload-url")
    @requires(Permission.WRITE_EXPERIMENTS)
    def for_upload(request: Request, body: Place) -> JsonAnswer:
        url = signer.url(request, "PUT", file_of(request, body), body.expiration)
        return JsonAnswer({"presigned_url": url})

    @routes.post("/2.0/mlflow/artifacts/presigned-download-url")
    @requires(Permission.READ_EXPERIMENTS)
    def for_download(request: Request, body: Place) -> JsonAnswer:
        path = file_of(request, body)
        size_bytes = files.size_bytes(path)
        url = signer.url(request, "GET", path, body.expiration)
        return JsonAnswer({"presigned_url": url, "file_size": size_bytes})

    @routes.get("/2.0/mlflow-artifacts/presigned/{path:path}")
    @requires(Permission.READ_TRACES)
    def address(request: Request, path: str) -> JsonAnswer:
        size_bytes = files.size_bytes(path)
        return JsonAnswer(
            {"url": signer.url(request, "GET", path), "headers": {}, "file_size": size_bytes}
        )


def _file(folder: str, body: NewUpload | OpenUpload) -> str:
    return f"{checked_path(folder)}/{basename(body.path)}"
