"""Where the files of a new version of a model may be: nowhere that the caller does not own.

The server never opens a source, so hosts are taken as they are; who reads the version opens it.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.requests import Request

from tracelake.mlflow_api.flavour import OWN
from tracelake.mlflow_api.logged_models import model_uri
from tracelake.mlflow_api.runs import run_uri
from tracelake.model.errors import InvalidInput, NotFound
from tracelake.model.prompts import is_prompt
from tracelake.store.logged_models import LoggedModels
from tracelake.store.registered_models import LATEST, RegisteredModels
from tracelake.store.runs import Runs

_OF_PROMPTS: Final = ("prompt-template", "dummy-source")
"""What clients say of prompts, which have no files."""


@dataclass(frozen=True, slots=True)
class Source:
    """Of a version that is to be made: where its files are, and whose they are."""

    uri: str
    run_id: str | None
    model_id: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    runs: Runs
    models: LoggedModels
    registry: RegisteredModels

    def check(self, request: Request, source: Source, tags: dict[str, str]) -> None:
        """Raises InvalidInput; NotFound for another model's version, which is not there."""
        if is_prompt(tags):
            if source.uri not in _OF_PROMPTS:
                raise _refused(source, f"that of a prompt is {' or '.join(_OF_PROMPTS)}")
            return
        scheme, path = _parts(source)
        match scheme:
            case "models":
                self._check_model(source, path)
            case "runs":
                if not source.run_id or path.strip("/").partition("/")[0] != source.run_id:
                    raise _refused(source, "run_id must name this run")
                self.runs.get(source.run_id)
            case "" | "file" | "mlflow-artifacts":
                if not any(_is_below(source.uri, root) for root in self._roots(request, source)):
                    raise _refused(source, "run_id or model_id must say whose file this is")
            case _:
                pass
        if source.model_id:
            self.models.get(source.model_id)

    def _check_model(self, source: Source, path: str) -> None:
        told = path.removeprefix("/")
        name, _, alias = told.partition("@")
        if alias:
            self.registry.by_alias(name, alias)
            return
        name, _, version = told.partition("/")
        if not version:
            if name != source.model_id:
                raise _refused(source, "model_id must name this model")
        elif version.isdecimal() and len(version) < 10:
            self.registry.version(name, int(version))
        elif version == LATEST:
            self.registry.by_alias(name, version)
        elif not self.registry.latest_versions(name, [version]):
            raise NotFound(f"Registered Model {name} has no version in stage {version}")

    def _roots(self, request: Request, source: Source) -> list[str]:
        """The folders of the run and of the model; none of what is not there."""
        roots: list[str] = []
        try:
            if source.run_id:
                roots.append(run_uri(request, self.runs.get(source.run_id)))
            if source.model_id:
                roots.append(model_uri(request, self.models.get(source.model_id)))
        except NotFound as error:
            raise _refused(source, error.message) from error
        return roots


def _parts(source: Source) -> tuple[str, str]:
    """The scheme and the path. Raises InvalidInput for a path that leads elsewhere."""
    try:
        parts = urlsplit(source.uri)
    except ValueError as error:
        raise _refused(source, str(error)) from error
    path, before = parts.path, ""
    while path != before:
        path, before = unquote(path), path
    if "\0" in path or any(part in (".", "..") for part in (*path.split("/"), parts.netloc)):
        raise _refused(source, "its path leads elsewhere")
    if parts.scheme and not path.removeprefix("/"):
        raise _refused(source, "it has no path")
    if parts.scheme and not path.startswith("/"):
        raise _refused(source, "its path begins with no slash")
    return parts.scheme, path


def _is_below(uri: str, root: str) -> bool:
    uri, root = (each if each.startswith(OWN) else _local(each) for each in (uri, root))
    return uri == root or uri.startswith(f"{root.rstrip('/')}/")


def _local(uri: str) -> str:
    return uri.removeprefix("file:").removeprefix("//")


def _refused(source: Source, why: str) -> InvalidInput:
    return InvalidInput(f"Invalid model version source {source.uri[:200]!r}: {why}")
