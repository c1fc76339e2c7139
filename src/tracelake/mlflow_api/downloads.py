"""Files by what they belong to: `get-artifact`, as scripts ask that were made after MLflow's UI."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tracelake.mlflow_api.artifacts import Files, own_path
from tracelake.mlflow_api.registry import NumberInQuery, download_uri
from tracelake.mlflow_api.runs import OfRun, run_uri
from tracelake.model.permissions import Permission, requires
from tracelake.store.artifacts import checked_path
from tracelake.store.logged_models import LoggedModels
from tracelake.store.registered_models import RegisteredModels
from tracelake.store.runs import Runs
from tracelake.web.answer import JsonAnswer

PathOfFile = Annotated[str, Query(alias="path", min_length=1)]


def add_downloads(
    routes: APIRouter, files: Files, runs: Runs, registry: RegisteredModels, logged: LoggedModels
) -> None:
    @routes.get("/get-artifact")
    @requires(Permission.READ_EXPERIMENTS)
    def of_run(
        request: Request, file: PathOfFile, run_id: str = "", run_uuid: str = ""
    ) -> Response:
        return send(request, _uri(request, runs, OfRun(run_id=run_id, run_uuid=run_uuid)), file)

    @routes.get("/model-versions/get-artifact")
    @requires(Permission.READ_EXPERIMENTS)
    def of_version(
        request: Request, name: str, version: NumberInQuery, file: PathOfFile
    ) -> Response:
        return send(request, download_uri(request, registry.version(name, version), logged), file)

    def send(request: Request, uri: str, file: str) -> Response:
        path = f"{own_path(uri)}/{checked_path(file)}"
        return files.send(path, request.headers.get("range"))


def add_upload(routes: APIRouter, files: Files, runs: Runs) -> None:
    @routes.post("/2.0/mlflow/upload-artifact")
    @requires(Permission.WRITE_EXPERIMENTS)
    async def upload(
        request: Request, file: PathOfFile, run_uuid: Annotated[str, Query(min_length=1)]
    ) -> JsonAnswer:
        uri = await run_in_threadpool(_uri, request, runs, OfRun(run_uuid=run_uuid))
        await files.receive(request, f"{own_path(uri)}/{checked_path(file)}")
        return JsonAnswer({})


def _uri(request: Request, runs: Runs, run: OfRun) -> str:
    return run_uri(request, runs.get(run.id))
