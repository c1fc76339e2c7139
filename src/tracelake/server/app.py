"""The composition root: what the server is made of, in the order it starts."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from fastapi import APIRouter, Depends, FastAPI, params
from prometheus_client import CollectorRegistry
from starlette.types import Lifespan, Receive, Scope, Send

from tracelake.access.control import ACCESS_S, AccessControl
from tracelake.access.own import OwnToken
from tracelake.agents import routes as agents
from tracelake.agents.service import AgentService
from tracelake.ingest.accept import Ingest, LocalIngest
from tracelake.ingest.admission import Admission
from tracelake.ingest.body import PROTOBUF
from tracelake.ingest.decode import Decoder, Destination, Offer
from tracelake.ingest.grpc import OtlpGrpc
from tracelake.ingest.intake import Intake
from tracelake.ingest.metrics import IngestMetrics
from tracelake.ingest.prices import PriceTable
from tracelake.ingest.processes import IngestProcesses
from tracelake.ingest.routes import PATH as OTLP_PATH
from tracelake.ingest.routes import OtlpTraces
from tracelake.ingest.shared import SharedIngest
from tracelake.lake import routes as lake
from tracelake.lake.job import LakeJob
from tracelake.lake.process import LakePlace
from tracelake.mlflow_api import router as mlflow
from tracelake.mlflow_api.trace_files import StoreSpans
from tracelake.query import deleting, errors
from tracelake.query import routes as query
from tracelake.query.live import routes as live
from tracelake.query.live.tail import LiveTail
from tracelake.server import health, ui
from tracelake.server.auth import Guard
from tracelake.server.compression import Compression
from tracelake.server.errors import add_error_handlers
from tracelake.server.home import prepare_home
from tracelake.server.index_job import IndexJob, IndexLag
from tracelake.server.ingest_process import starter
from tracelake.server.settings import ServerSettings
from tracelake.server.upkeep import Upkeep
from tracelake.store.leases import HeldLease
from tracelake.store.open import Store, open_store
from tracelake.store.operations import RetentionPolicy
from tracelake.web.errors import answer_error
from tracelake.webhooks.job import LEASE as WEBHOOKS
from tracelake.webhooks.job import LEASE_S, RENEW_S, WebhookJob
from tracelake.webhooks.sender import Sender

UI_FOLDER = Path(__file__).parent / "ui"


def create_app(settings: ServerSettings) -> "FrontDoor":
    """Everything the server is, on a store that is opened here and closed at shutdown."""
    prepare_home(settings.home)
    store = open_store(settings.store_url)
    registry = CollectorRegistry()
    metrics = IngestMetrics(registry)
    ingest = _ingest(settings, store, metrics)
    access = AccessControl(store.principals, is_required=settings.auth == "required")
    guard = Guard(access)
    intake = _intake(settings, ingest, metrics, guard)
    otlp = OtlpTraces(intake, answer_error)
    grpc = OtlpGrpc(intake, settings.host, settings.otlp_grpc_port)

    own = OwnToken(store.principals, str(settings.home), is_required=access.is_required)
    deployed = AgentService(
        store.agents,
        store.experiments,
        settings.home,
        lambda: settings.base_url,
        tracking_token=own.get,
    )

    tail = LiveTail(store.live)

    lake_place = LakePlace(settings.store_url, settings.lake_uri)
    lake_job = LakeJob(lake_place, settings.lake_sync_seconds)

    index_job = IndexJob(settings.store_url, settings.log_level)
    registry.register(IndexLag(store.indexer))

    upkeep = Upkeep(
        store.retention,
        store.deletion,
        store.leases,
        RetentionPolicy(settings.retention_days or None, settings.retention_traces or None),
        (lambda: lake.synced_seq(lake_place)) if settings.lake_sync_seconds > 0 else None,
        registry,
        store.artifacts.sweep,
    )

    receivers = Sender(settings.webhook_networks)
    webhooks = WebhookJob(
        store.webhook_outbox,
        HeldLease(store.leases, WEBHOOKS, LEASE_S, RENEW_S),
        receivers.send,
        registry,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as running:
            running.callback(store.close)
            await ingest.start()
            running.push_async_callback(ingest.stop)
            _run(running, index_job)
            running.push_async_callback(tail.stop)
            running.callback(own.revoke)
            await deployed.start()
            running.push_async_callback(deployed.stop)
            if settings.otlp_grpc_port:
                await grpc.start()
                running.push_async_callback(grpc.stop)
            _run(running, upkeep)
            running.callback(receivers.close)
            _run(running, webhooks)
            if settings.lake_sync_seconds > 0:
                _run(running, lake_job)
            yield

    check: params.Depends = Depends(guard.check_route)
    app = _empty_app(lifespan, check)
    app.router.routes.append(
        mlflow.router(
            store,
            mlflow.Services(
                check,
                _span_sink(ingest),
                receivers,
                access.exchange,
                ACCESS_S,
                settings.query_timeout_seconds,
            ),
        )
    )
    app.include_router(live.router(store.live, tail))
    app.include_router(_query_router(store, settings))
    app.include_router(agents.router(deployed))
    app.include_router(lake.router(lake_place))
    app.include_router(health.router(registry, store.experiments))
    _add_ui(app)
    return FrontDoor(otlp, app, deployed, tail)


class _Job(Protocol):
    def start(self) -> None: ...
    async def stop(self) -> None: ...


def _run(running: AsyncExitStack, job: _Job) -> None:
    job.start()
    running.push_async_callback(job.stop)


def _empty_app(lifespan: Lifespan[FastAPI], check: params.Depends) -> FastAPI:
    app = FastAPI(
        title="Tracelake",
        version=version("tracelake"),
        lifespan=lifespan,
        dependencies=[check],
        docs_url=None,
        redoc_url=None,
    )
    add_error_handlers(app)
    app.add_middleware(Compression, minimum_size=1000, compresslevel=5)
    return app


def _add_ui(app: FastAPI) -> None:
    if (UI_FOLDER / "assets").is_dir():
        app.mount("/assets", ui.Assets(directory=UI_FOLDER / "assets"))
    app.include_router(ui.router(UI_FOLDER))


class FrontDoor:
    """Sends spans straight to `ingest`, past the middleware of every other request."""

    def __init__(
        self, otlp: OtlpTraces, app: FastAPI, deployed: AgentService, tail: LiveTail
    ) -> None:
        self.otlp = otlp
        self.app = app
        self._deployed = deployed
        self._tail = tail

    async def stop_agents(self) -> None:
        """Stop agents while the server still listens, so that it gets their last spans.

        Live streams, which would never end by themselves, end here, too.
        """
        await self._tail.stop()
        await self._deployed.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == OTLP_PATH and scope["method"] == "POST":
            await self.otlp(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _ingest(settings: ServerSettings, store: Store, metrics: IngestMetrics) -> Ingest:
    """In this process, and with more workers in processes of their own (decision 009)."""
    prices = PriceTable(settings.price_file)
    decoder = Decoder(store.experiments, prices, settings.max_body_bytes)
    own = LocalIngest(store.spans, decoder)
    if settings.workers == 1:
        return own
    others = IngestProcesses(settings.workers, starter(settings), metrics)
    return SharedIngest(own, others)


def _span_sink(ingest: Ingest) -> StoreSpans:
    """For spans that come as files: they go the way of all others."""

    async def store_spans(experiment_id: str, request: bytes) -> None:
        await ingest.accept(Offer(request, PROTOBUF, "", Destination(experiment_id)))

    return store_spans


def _intake(
    settings: ServerSettings, ingest: Ingest, metrics: IngestMetrics, guard: Guard
) -> Intake:
    admission = Admission(settings.max_body_bytes, settings.max_pending_bytes, metrics)
    return Intake(admission, ingest, metrics, guard.authorise, settings.otlp_default_experiment)


def _query_router(store: Store, settings: ServerSettings) -> APIRouter:
    timeout_s = settings.query_timeout_seconds
    routes = APIRouter()
    routes.include_router(
        query.router(
            store.traces,
            store.experiments,
            store.editor,
            store.assessments,
            store.analytics,
            store.facets,
            timeout_s,
        )
    )
    routes.include_router(deleting.router(store.deletion))
    routes.include_router(
        errors.router(store.facets, store.analytics, store.error_states, timeout_s)
    )
    return routes
