"""Is it alive, what is it, how does it do: /health, /version, /metrics."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import PlainTextResponse, Response

from tracelake.model.permissions import Permission, requires
from tracelake.store.api import Experiments


def router(registry: CollectorRegistry, experiments: Experiments, version: str) -> APIRouter:
    """Routes for probes and Prometheus."""
    routes = APIRouter(tags=["server"])

    @routes.get("/health", response_class=PlainTextResponse)
    @requires(Permission.PUBLIC)
    def health() -> PlainTextResponse:
        """OK while the store answers."""
        experiments.get("0")
        return PlainTextResponse("OK")

    @routes.get("/version", response_class=PlainTextResponse)
    @requires(Permission.PUBLIC)
    def tell_version() -> PlainTextResponse:
        """The version of Tracelake."""
        return PlainTextResponse(version)

    @routes.get("/metrics", response_class=PlainTextResponse)
    @requires(Permission.READ_METRICS)
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
