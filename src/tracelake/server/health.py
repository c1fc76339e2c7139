"""Is it alive, how does it do: /health, /metrics."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import PlainTextResponse, Response

from tracelake.model.permissions import Permission, requires
from tracelake.store.api import Experiments


def router(registry: CollectorRegistry, experiments: Experiments) -> APIRouter:
    """Routes for probes and Prometheus."""
    routes = APIRouter(tags=["server"])

    @routes.get("/health", response_class=PlainTextResponse)
    @requires(Permission.PUBLIC)
    def health() -> PlainTextResponse:
        """OK while the store answers."""
        experiments.get("0")
        return PlainTextResponse("OK")

    @routes.get("/metrics", response_class=PlainTextResponse)
    @requires(Permission.READ_METRICS)
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
