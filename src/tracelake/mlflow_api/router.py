"""All routes of the protocol, under the addresses of its clients and those of its UI."""

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.params import Depends
from starlette.routing import BaseRoute

from tracelake.mlflow_api.about import add_about, add_version
from tracelake.mlflow_api.artifacts import Files, add_artifacts
from tracelake.mlflow_api.assessments import add_assessments
from tracelake.mlflow_api.datasets import add_datasets
from tracelake.mlflow_api.downloads import add_downloads, add_upload
from tracelake.mlflow_api.experiments import add_experiments
from tracelake.mlflow_api.issues import add_issues
from tracelake.mlflow_api.legacy_traces import add_legacy_traces
from tracelake.mlflow_api.logged_models import add_logged_models
from tracelake.mlflow_api.metrics import add_metrics
from tracelake.mlflow_api.registry import add_registry
from tracelake.mlflow_api.reviews import add_reviews
from tracelake.mlflow_api.route import StreamRoute, mlflow_route
from tracelake.mlflow_api.runs import add_runs
from tracelake.mlflow_api.scorers import add_scorers
from tracelake.mlflow_api.signed import Signer
from tracelake.mlflow_api.trace_files import StoreSpans, TraceFiles
from tracelake.mlflow_api.traces import TraceSearcher, add_traces
from tracelake.mlflow_api.transfers import add_addresses, add_part_bodies, add_parts
from tracelake.mlflow_api.unity_catalog import add_unity_catalog, add_workspace_registry
from tracelake.mlflow_api.webhooks import Receivers, add_webhooks
from tracelake.mlflow_api.workspace import Exchange, add_files, add_handshake, add_workspace
from tracelake.store.open import Store
from tracelake.web.tree import RouteTree

SIGNING_KEY = "artifact-addresses"


@dataclass(frozen=True, slots=True)
class Services:
    """What the protocol stands on, beside the store."""

    check: Depends
    """Of every call: whether its caller may make it."""
    store_spans: StoreSpans
    receivers: Receivers
    """Of events that webhooks are told of."""
    exchange: Exchange
    access_s: float
    """How long an access token lasts."""
    timeout_s: float
    """How long a question may take."""


def router(store: Store, services: Services) -> RouteTree:
    """`/api/…` and `/ajax-api/…`, which are the same. Not in our own API's description."""
    signer = Signer(store.keys.get(SIGNING_KEY))
    root = APIRouter(route_class=StreamRoute, dependencies=[services.check])
    add_version(root)
    add_handshake(root, services.exchange, services.access_s)
    trace_files = TraceFiles(store.traces, store.client_infos, services.store_spans)
    files = Files(store.artifacts, trace_files)
    add_downloads(root, files, store.runs, store.registered_models, store.logged_models)
    routes = root.routes
    for base in ("/api", "/ajax-api"):
        routes += _nouns(base, store, services, files, signer)
        routes += _streams(base, store, services, files, signer)
    return RouteTree(routes)


def _nouns(
    base: str, store: Store, services: Services, files: Files, signer: Signer
) -> list[BaseRoute]:
    searcher = TraceSearcher(store.traces, store.assessments)
    nouns = APIRouter(
        prefix=base, route_class=mlflow_route(services.timeout_s), dependencies=[services.check]
    )
    add_about(nouns)
    add_experiments(nouns, store.experiments)
    add_runs(nouns, store.runs, store.artifacts)
    add_workspace(nouns, signer, searcher)
    add_traces(nouns, store, searcher)
    add_legacy_traces(nouns, store.traces, store.client_infos, searcher)
    add_assessments(nouns, store.assessments)
    add_metrics(nouns, store.analytics, store.facets)
    add_logged_models(nouns, store.logged_models, store.artifacts)
    add_registry(nouns, store.registered_models, store.logged_models, store.runs)
    add_unity_catalog(nouns, store.registered_models)
    add_workspace_registry(
        nouns, store.registered_models, store.logged_models, store.artifacts, signer
    )
    add_parts(nouns, files, store.artifact_parts, signer)
    add_addresses(nouns, files, store.runs, store.logged_models, signer)
    add_scorers(nouns, store.scorers)
    add_datasets(nouns, store.evaluation_datasets)
    add_issues(nouns, store.issues)
    add_reviews(nouns, store.label_schemas, store.reviews)
    add_webhooks(nouns, store.webhooks, services.receivers)
    return nouns.routes


def _streams(
    base: str, store: Store, services: Services, files: Files, signer: Signer
) -> list[BaseRoute]:
    streams = APIRouter(prefix=base, route_class=StreamRoute, dependencies=[services.check])
    add_artifacts(streams, files)
    add_upload(streams, files, store.runs)
    add_files(streams, files, signer)
    add_part_bodies(streams, store.artifact_parts, signer)
    return streams.routes
