"""Deploying from a user's machine: package the file, register it, serve it, wait for it."""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tracelake.agents.names import check_agent_name, check_environment
from tracelake.agents.package import Package, build_package
from tracelake.model.errors import Conflict, TracelakeError, Unavailable
from tracelake.sdk.destination import Destination
from tracelake.sdk.http import Answer, Http, Unreachable
from tracelake.sdk.rest import Json, Rest, error_of
from tracelake.sdk.settings import load_settings

READY_TIMEOUT_S = 1200.0
_REQUEST_TIMEOUT_S = 120.0
_POLL_S = 1.0


class DeployFailed(TracelakeError):
    """The version is registered but does not start. The message holds the reason and its log."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was deployed and where it answers."""

    agent_name: str
    version: int
    endpoint: str
    experiment_id: str
    url: str
    """Address of the invocations."""


def deploy(
    path: str | Path,
    *,
    name: str,
    requirements: str | Path | None = None,
    code_paths: Sequence[str | Path] = (),
    environment: Mapping[str, str] | None = None,
    experiment: str | None = None,
    tracking_uri: str | None = None,
) -> Deployment:
    """Package an agent file, register a version and serve it; returns when it answers.

    `name` has three levels, such as main.support.airline. `requirements` is a requirements file;
    without it the file's inline script block or requirements.txt beside it is used. `code_paths`
    are files and folders that it imports. Traces go to `experiment`, by default one of the
    agent's name. Raises InvalidInput for what cannot be packaged, Unavailable without a server,
    DeployFailed with the reason when the agent does not start (an earlier version goes on).
    """
    deployer = Deployer(tracking_uri)
    check_agent_name(name)
    check_environment(dict(environment or {}))
    package = build_package(
        Path(path),
        name=name,
        requirements=None if requirements is None else Path(requirements),
        code_paths=[Path(each) for each in code_paths],
    )
    version = deployer.register(package)
    return deployer.serve(name, version, environment=environment, experiment=experiment)


class Deployer:
    """The steps of a deployment against one server; address and token from the SDK's settings."""

    def __init__(self, tracking_uri: str | None = None) -> None:
        settings = load_settings({"tracking_uri": tracking_uri})
        self._server = Destination(settings.tracking_uri, settings.tracking_token)
        self._http = Http(_REQUEST_TIMEOUT_S)
        self._rest = Rest(self._http)

    @property
    def tracking_uri(self) -> str:
        return self._server.tracking_uri

    def check_server(self) -> None:
        """Raises Unavailable when no server answers at the address."""
        try:
            answer = self._http.request("GET", f"{self.tracking_uri}/health", timeout_s=5)
        except Unreachable as error:
            raise Unavailable(
                f"no Tracelake server answers at {self.tracking_uri}. Start one with "
                "`tracelake server`, or name another with --server"
            ) from error
        if answer.status != 200:
            raise Unavailable(f"{self.tracking_uri} answers /health with HTTP {answer.status}")

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """Any call of the server's API. Raises a TracelakeError for every answer but 2xx."""
        return self._rest.call(self._server, method, path, body)

    def post(self, path: str, body: Json) -> Answer:
        """POST, and the answer whatever its status. Raises Unavailable without one."""
        headers = {"Content-Type": "application/json"}
        return self._send(path, json.dumps(body).encode(), headers)

    def _send(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            return self._http.request(
                "POST",
                self.tracking_uri + path,
                token=self._server.token,
                body=body,
                headers=headers,
            )
        except Unreachable as error:
            raise Unavailable(f"{self.tracking_uri} does not answer: {error}") from error

    def register(self, package: Package) -> int:
        """Upload a package; the number of the new version."""
        name = package.manifest.name
        body, content_type = _form("package", f"{name}.zip", package.content)
        path = f"/api/v1/agents/{quote(name)}/versions"
        answer = self._send(path, body, {"Content-Type": content_type})
        if answer.status != 200:
            raise error_of(answer)
        return int(json.loads(answer.body)["version"])

    def serve(
        self,
        name: str,
        version: int,
        *,
        environment: Mapping[str, str] | None = None,
        experiment: str | None = None,
        waiting: Callable[[float], None] = lambda seconds: None,
    ) -> Deployment:
        """Serve a registered version; returns when it answers. `waiting` is told the seconds.

        Raises DeployFailed, Conflict while another update of the endpoint runs, Unavailable.
        """
        wish: Json = {
            "agent_name": name,
            "agent_version": version,
            "environment": dict(environment or {}),
        }
        if experiment is not None:
            target = Destination(self.tracking_uri, self._server.token, experiment_name=experiment)
            wish["experiment_id"] = self._rest.experiment_id(target)
        began = time.monotonic()
        endpoint = self.call("POST", "/api/v1/endpoints", wish)
        while True:
            update: dict[str, Any] = endpoint.get("update") or {}
            if update.get("agent_version") != version:
                raise Conflict(f"another deployment of {endpoint['name']!r} came in between")
            if update["state"] == "READY":
                return Deployment(
                    name,
                    version,
                    str(endpoint["name"]),
                    str(endpoint["experiment_id"]),
                    f"{self.tracking_uri}/serving-endpoints/{endpoint['name']}/invocations",
                )
            if update["state"] == "FAILED":
                raise DeployFailed(str(update["message"]))
            seconds = time.monotonic() - began
            if seconds > READY_TIMEOUT_S:
                raise Unavailable(f"version {version} is not ready after {seconds:.0f} s")
            waiting(seconds)
            time.sleep(_POLL_S)
            endpoint = self.call("GET", f"/api/v1/endpoints/{quote(str(endpoint['name']))}")


def _form(field: str, file_name: str, content: bytes) -> tuple[bytes, str]:
    """One file as multipart/form-data: body and content type."""
    boundary = f"tracelake-{secrets.token_hex(16)}"
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{file_name}"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
