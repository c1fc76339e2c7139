"""All routes of the protocol, under the addresses of its clients and those of its UI."""

from fastapi import APIRouter

from tracelake.mlflow_api.about import add_about, add_version
from tracelake.mlflow_api.experiments import add_experiments
from tracelake.mlflow_api.route import mlflow_route
from tracelake.mlflow_api.runs import add_runs
from tracelake.store.open import Store


def router(store: Store, timeout_s: float) -> APIRouter:
    """`/api/…` and `/ajax-api/…`, which are the same. Not in our own API's description."""
    nouns = APIRouter(route_class=mlflow_route(timeout_s), include_in_schema=False)
    add_about(nouns)
    add_experiments(nouns, store.experiments)
    add_runs(nouns, store.runs)
    both = APIRouter(tags=["server"])
    add_version(both)
    for base in ("/api", "/ajax-api"):
        both.include_router(nouns, prefix=base)
    return both
