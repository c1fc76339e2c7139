"""Agents, endpoints and their invocations over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, UploadFile
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from tracelake.agents.package import MAX_PACKAGE_BYTES
from tracelake.agents.proxy import forward
from tracelake.agents.service import Agent, AgentService, Deploy, Endpoint
from tracelake.model.errors import PayloadTooLarge
from tracelake.model.permissions import Permission, requires

WAIT_S = 20.0
"""How long the answer to a deployment waits for its end; afterwards the caller polls."""


class NewEndpoint(BaseModel):
    agent_name: str
    agent_version: int
    experiment_id: str | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    endpoint_name: str | None = None


class ModelVersion(BaseModel):
    name: str
    version: int
    created_ms: int
    status: str = "READY"


class AgentList(BaseModel):
    agents: list[Agent]


class EndpointList(BaseModel):
    endpoints: list[Endpoint]


class Logs(BaseModel):
    logs: str


def router(service: AgentService) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter()
    _add_agents(routes, service)
    _add_endpoints(routes, service)
    _add_invocations(routes, service)
    return routes


def _add_agents(routes: APIRouter, service: AgentService) -> None:
    @routes.post("/api/v1/agents/{name}/versions", tags=["agents"])
    @requires(Permission.DEPLOY_AGENTS)
    async def add_agent_version(
        name: str, package: UploadFile, experiment_id: Annotated[str | None, Form()] = None
    ) -> ModelVersion:
        """Register a package made by `tracelake deploy` as the next version of an agent."""
        content = await package.read(MAX_PACKAGE_BYTES + 1)
        if len(content) > MAX_PACKAGE_BYTES:
            raise PayloadTooLarge(f"a package may have {MAX_PACKAGE_BYTES >> 20} MiB at most")
        version = await service.add_version(name, content, experiment_id)
        return ModelVersion(
            name=version.agent_name, version=version.version, created_ms=version.created_ms
        )

    @routes.get("/api/v1/agents", tags=["agents"])
    @requires(Permission.READ_AGENTS)
    async def list_agents() -> AgentList:
        """Every agent with its newest version and the endpoint that serves it."""
        return AgentList(agents=await service.find_agents())


def _add_endpoints(routes: APIRouter, service: AgentService) -> None:
    @routes.post("/api/v1/endpoints", tags=["agents"])
    @requires(Permission.DEPLOY_AGENTS)
    async def put_endpoint(wish: NewEndpoint) -> Endpoint:
        """Serve a version. Answers when it is ready or failed; after 20 s `update` says how far."""
        return await service.deploy(
            Deploy(
                wish.agent_name,
                wish.agent_version,
                wish.experiment_id,
                wish.environment,
                wish.endpoint_name,
            ),
            wait_s=WAIT_S,
        )

    @routes.get("/api/v1/endpoints", tags=["agents"])
    @requires(Permission.READ_AGENTS)
    async def list_endpoints() -> EndpointList:
        return EndpointList(endpoints=await service.find_endpoints())

    @routes.get("/api/v1/endpoints/{name}", tags=["agents"])
    @requires(Permission.READ_AGENTS)
    async def get_endpoint(name: str) -> Endpoint:
        return await service.get_endpoint(name)

    @routes.delete("/api/v1/endpoints/{name}", tags=["agents"])
    @requires(Permission.DEPLOY_AGENTS)
    async def delete_endpoint(name: str) -> dict[str, Any]:
        """Stop serving. The versions of the agent and its traces stay."""
        await service.delete_endpoint(name)
        return {}

    @routes.get("/api/v1/endpoints/{name}/logs", tags=["agents"])
    @requires(Permission.READ_AGENTS)
    async def get_endpoint_logs(name: str) -> Logs:
        """The last 64 KiB of what the endpoint's processes wrote."""
        return Logs(logs=await service.read_logs(name))


def _add_invocations(routes: APIRouter, service: AgentService) -> None:
    @routes.post("/serving-endpoints/{endpoint}/invocations", tags=["serving"])
    @requires(Permission.QUERY_AGENTS)
    async def invoke(endpoint: str, request: Request) -> Response:
        """Ask the agent: a Responses request; with `stream` the answer is server-sent events."""
        return await forward(service, endpoint, request)

    @routes.post(
        "/serving-endpoints/{endpoint}/served-models/{served}/invocations", tags=["serving"]
    )
    @requires(Permission.QUERY_AGENTS)
    async def invoke_served_model(endpoint: str, served: str, request: Request) -> Response:
        """Ask the agent, but only this version of it."""
        return await forward(service, endpoint, request, served)
