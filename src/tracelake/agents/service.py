"""Agents and endpoints as one object: what is registered, what should run, what runs."""

import asyncio
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tracelake.agents.environment import Environments
from tracelake.agents.names import (
    check_agent_name,
    check_endpoint_name,
    check_environment,
    default_endpoint_name,
    served_model_name,
)
from tracelake.agents.package import (
    MAX_PACKAGE_BYTES,
    REQUIREMENTS,
    Manifest,
    read_manifest,
    unpack,
)
from tracelake.agents.process import Launch, kill_left_behind, read_tail
from tracelake.agents.supervisor import State, Supervisor
from tracelake.model.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    TracelakeError,
)
from tracelake.store.api import Experiments
from tracelake.store.registry import (
    AgentRegistry,
    AgentVersion,
    EndpointRecord,
    EndpointTarget,
    NewAgentVersion,
)

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 600.0
"""How long an agent may take for an answer, or between two events of a stream."""


@dataclass(frozen=True, slots=True)
class Deploy:
    """A wish to serve a version. Without an experiment: the version's, else one by its name."""

    agent_name: str
    agent_version: int
    experiment_id: str | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])
    endpoint_name: str | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """The latest change of what an endpoint serves. `state` is IN_PROGRESS, READY or FAILED."""

    agent_version: int
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it is now. `agent_version` is the one that answers, or would if one did."""

    name: str
    agent_name: str
    agent_version: int
    experiment_id: str
    state: str
    message: str
    url: str
    update: Update | None


@dataclass(frozen=True, slots=True)
class Agent:
    name: str
    latest_version: int
    endpoint: str | None
    state: str | None


class AgentService:
    """Registers versions and serves endpoints. `start` and `stop` belong to the server's life.

    `home` holds unpacked packages, environments, logs and working folders; everything needed to
    rebuild it is in the registry. `base_url` is asked when a process starts: where agents send
    their traces. `tracking_token` is what they show there.
    """

    def __init__(
        self,
        registry: AgentRegistry,
        experiments: Experiments,
        home: Path,
        base_url: Callable[[], str],
        *,
        supervisor: Supervisor | None = None,
        environ: Mapping[str, str] | None = None,
        tracking_token: Callable[[], str] = str,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self._registry = registry
        self._experiments = experiments
        self._home = home.resolve() / "agents"
        self._base_url = base_url
        self._tracking_token = tracking_token
        self._environments = Environments(
            self._home / "environments", os.environ if environ is None else environ
        )
        self.supervisor = supervisor or Supervisor()
        self._updates: dict[str, Update] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unpacking = asyncio.Lock()
        self._starts = 0
        timeout = httpx.Timeout(request_timeout_s, connect=5)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        # Runners are on this machine: a proxy that the server's environment names is not for them.
        self.http = httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False)

    async def start(self) -> None:
        """End what a killed server left behind and begin to serve what was deployed to this home.

        Of several servers on one store, each serves its own. Returns at once; endpoints become
        ready one by one.
        """
        await asyncio.to_thread(kill_left_behind, self._home / "run")
        home_id = await asyncio.to_thread(self._home_id)
        for record in await asyncio.to_thread(self._registry.find_endpoints):
            if record.home_id != home_id:
                continue
            served = served_model_name(record.agent_name, record.agent_version)
            self.supervisor.bring_up(
                record.name, record.agent_version, served, lambda each=record: self._prepare(each)
            )

    async def stop(self) -> None:
        """Stop every agent and wait until their processes are gone."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.supervisor.stop()
        await self.http.aclose()

    async def add_version(
        self, name: str, content: bytes, experiment_id: str | None = None
    ) -> AgentVersion:
        """Register a package. Raises InvalidInput, PayloadTooLarge, NotFound (experiment)."""
        check_agent_name(name)
        if len(content) > MAX_PACKAGE_BYTES:
            raise PayloadTooLarge(f"a package may have {MAX_PACKAGE_BYTES >> 20} MiB at most")
        manifest: Manifest = await asyncio.to_thread(read_manifest, content)
        if manifest.name != name:
            raise InvalidInput(f"the package is of agent {manifest.name!r}, not {name!r}")
        if experiment_id is not None:
            await asyncio.to_thread(self._experiments.get, experiment_id)
        new = NewAgentVersion(
            name, experiment_id, hashlib.sha256(content).hexdigest(), asdict(manifest), content
        )
        return await asyncio.to_thread(self._registry.add_version, new)

    async def find_agents(self) -> list[Agent]:
        """Every agent with the first endpoint that serves it."""
        latest = await asyncio.to_thread(self._registry.find_latest_versions)
        serving: dict[str, Endpoint] = {}
        for endpoint in await self.find_endpoints():
            serving.setdefault(endpoint.agent_name, endpoint)
        agents: list[Agent] = []
        for each in latest:
            endpoint = serving.get(each.agent_name)
            agents.append(
                Agent(
                    each.agent_name,
                    each.version,
                    endpoint.name if endpoint else None,
                    endpoint.state if endpoint else None,
                )
            )
        return agents

    async def deploy(self, wish: Deploy, *, wait_s: float) -> Endpoint:
        """Create an endpoint or update what it serves; answers when that is decided.

        After `wait_s` it answers anyway and the work goes on: `update` tells how far. Raises
        InvalidInput, NotFound, and Conflict while an earlier update of this endpoint runs.
        """
        name = wish.endpoint_name or default_endpoint_name(wish.agent_name)
        check_endpoint_name(name)
        check_environment(wish.environment)
        running = self._tasks.get(name)
        if running is not None and not running.done():
            raise Conflict(f"an update of endpoint {name!r} is running; try again when it is done")
        task = asyncio.create_task(self._update(name, wish))
        self._tasks[name] = task
        done, _ = await asyncio.wait([task], timeout=wait_s)
        if done:
            task.result()
        return await self.get_endpoint(name)

    async def _update(self, name: str, wish: Deploy) -> None:
        version = await asyncio.to_thread(
            self._registry.get_version, wish.agent_name, wish.agent_version
        )
        experiment_id = await asyncio.to_thread(self._experiment_of, wish, version)
        home_id = await asyncio.to_thread(self._home_id)
        target = EndpointTarget(
            name, wish.agent_name, wish.agent_version, experiment_id, wish.environment, home_id
        )
        known = {each.name for each in await asyncio.to_thread(self._registry.find_endpoints)}
        record = EndpointRecord(
            name,
            wish.agent_name,
            wish.agent_version,
            experiment_id,
            wish.environment,
            home_id,
            0,
            0,
        )
        if name not in known:
            record = await asyncio.to_thread(self._registry.put_endpoint, target)
        served = served_model_name(wish.agent_name, wish.agent_version)
        self._updates[name] = Update(wish.agent_version, "IN_PROGRESS", "")
        try:
            await self.supervisor.switch(
                name, wish.agent_version, served, lambda: self._prepare(record)
            )
        except Exception as error:
            # Also what nobody foresaw: an update must not stay in progress for ever.
            if not isinstance(error, TracelakeError):
                logger.exception("endpoint %s: version %s", name, wish.agent_version)
            self._updates[name] = Update(wish.agent_version, "FAILED", str(error))
            return
        await asyncio.to_thread(self._registry.put_endpoint, target)
        self._updates[name] = Update(wish.agent_version, "READY", "")

    def _experiment_of(self, wish: Deploy, version: AgentVersion) -> str:
        given = wish.experiment_id or version.experiment_id
        if given is not None:
            return self._experiments.get(given).experiment_id
        try:
            return self._experiments.get_by_name(wish.agent_name).experiment_id
        except NotFound:
            try:
                return self._experiments.create(wish.agent_name, {}).experiment_id
            except AlreadyExists:
                return self._experiments.get_by_name(wish.agent_name).experiment_id

    async def get_endpoint(self, name: str) -> Endpoint:
        """Raises NotFound."""
        return self._describe(await asyncio.to_thread(self._registry.get_endpoint, name))

    async def find_endpoints(self) -> list[Endpoint]:
        records = await asyncio.to_thread(self._registry.find_endpoints)
        return [self._describe(record) for record in records]

    async def delete_endpoint(self, name: str) -> None:
        """Stop serving and forget the endpoint; versions stay. Raises NotFound, Conflict."""
        running = self._tasks.get(name)
        if running is not None and not running.done():
            raise Conflict(f"an update of endpoint {name!r} is running; try again when it is done")
        await asyncio.to_thread(self._registry.delete_endpoint, name)
        self._updates.pop(name, None)
        self._tasks.pop(name, None)
        await self.supervisor.remove(name)

    async def read_logs(self, name: str) -> str:
        """The last 64 KiB that the endpoint's processes wrote. Raises NotFound."""
        await asyncio.to_thread(self._registry.get_endpoint, name)
        return await asyncio.to_thread(read_tail, self._log_of(name))

    def _describe(self, record: EndpointRecord) -> Endpoint:
        slot = self.supervisor.find(record.name)
        update = self._updates.get(record.name)
        message = slot.message if slot else "served by the server that it was deployed to"
        state = slot.state if slot else State.NOT_READY
        if update is not None and update.state == "FAILED" and state is State.READY:
            message = (
                f"version {update.agent_version} did not start: {update.message}\n"
                f"version {record.agent_version} goes on answering"
            )
        return Endpoint(
            record.name,
            record.agent_name,
            record.agent_version,
            record.experiment_id,
            state.value,
            message,
            f"{self._base_url()}/serving-endpoints/{record.name}/invocations",
            update,
        )

    async def _prepare(self, record: EndpointRecord) -> Launch:
        version = await asyncio.to_thread(
            self._registry.get_version, record.agent_name, record.agent_version
        )
        package = self._home / "packages" / version.sha256
        async with self._unpacking:
            if not package.is_dir():
                content = await asyncio.to_thread(self._registry.get_package, version.sha256)
                await asyncio.to_thread(unpack, content, package)
        listed = package / REQUIREMENTS
        environment = await self._environments.ensure(
            listed.read_text("utf-8") if listed.is_file() else ""
        )
        self._starts += 1
        return Launch(
            python=environment.python,
            package=package,
            workspace=self._home / "endpoints" / record.name / "work",
            log=self._log_of(record.name),
            record=self._home / "run" / f"{record.name}-{self._starts}.json",
            environment=self._variables(record),
        )

    def _variables(self, record: EndpointRecord) -> dict[str, str]:
        tags: dict[str, Any] = {
            "tracelake.endpoint": record.name,
            "tracelake.agent": record.agent_name,
            "tracelake.agent_version": str(record.agent_version),
        }
        return {
            **self._environments.base_variables(),
            **record.environment,
            "TRACELAKE_TRACKING_URI": self._base_url(),
            "TRACELAKE_TRACKING_TOKEN": self._tracking_token(),
            "TRACELAKE_EXPERIMENT_ID": record.experiment_id,
            "TRACELAKE_SERVICE_NAME": record.name,
            "TRACELAKE_TRACE_TAGS": json.dumps(tags),
        }

    def _home_id(self) -> str:
        """What tells this home from others on the same store; made when first asked."""
        file = self._home / "home-id"
        if not file.exists():
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(uuid.uuid4().hex, encoding="ascii")
        return file.read_text(encoding="ascii")

    def _log_of(self, name: str) -> Path:
        return self._home / "endpoints" / name / "runner.log"
