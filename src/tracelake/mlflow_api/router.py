"""All routes of the protocol, under the addresses of its clients and those of its UI."""

from fastapi import APIRouter

from tracelake.mlflow_api.about import add_about, add_version
from tracelake.mlflow_api.artifacts import add_artifacts
from tracelake.mlflow_api.assessments import add_assessments
from tracelake.mlflow_api.datasets import add_datasets
from tracelake.mlflow_api.experiments import add_experiments
from tracelake.mlflow_api.logged_models import add_logged_models
from tracelake.mlflow_api.metrics import add_metrics
from tracelake.mlflow_api.registry import add_registry
from tracelake.mlflow_api.route import StreamRoute, mlflow_route
from tracelake.mlflow_api.runs import add_runs
from tracelake.mlflow_api.scorers import add_scorers
from tracelake.mlflow_api.traces import add_traces
from tracelake.store.open import Store


def router(store: Store, timeout_s: float) -> APIRouter:
    """`/api/…` and `/ajax-api/…`, which are the same. Not in our own API's description."""
    nouns = APIRouter(route_class=mlflow_route(timeout_s), include_in_schema=False)
    add_about(nouns)
    add_experiments(nouns, store.experiments)
    add_runs(nouns, store.runs, store.artifacts)
    add_traces(nouns, store)
    add_assessments(nouns, store.assessments)
    add_metrics(nouns, store.analytics, store.facets)
    add_logged_models(nouns, store.logged_models, store.artifacts)
    add_registry(nouns, store.registered_models, store.logged_models)
    add_scorers(nouns, store.scorers)
    add_datasets(nouns, store.evaluation_datasets)
    files = APIRouter(route_class=StreamRoute, include_in_schema=False)
    add_artifacts(files, store.artifacts)
    both = APIRouter(tags=["server"])
    add_version(both)
    for base in ("/api", "/ajax-api"):
        both.include_router(nouns, prefix=base)
        both.include_router(files, prefix=base)
    return both
