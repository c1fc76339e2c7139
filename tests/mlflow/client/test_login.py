"""Tokens by the client of MLflow: as its own, as a password, and none that proves anything."""

import os
import time

import pytest
from mlflow.exceptions import MlflowException

import mlflow
from mlflow import MlflowClient

GOOD = os.environ.get("GOOD_TOKEN", "")
BAD = {
    "none": {},
    "made up": {"MLFLOW_TRACKING_TOKEN": "made-up"},
    "revoked": {"MLFLOW_TRACKING_TOKEN": os.environ.get("REVOKED_TOKEN", "")},
    "expired": {"MLFLOW_TRACKING_TOKEN": os.environ.get("EXPIRED_TOKEN", "")},
    "not the owner's": {
        "MLFLOW_TRACKING_USERNAME": "somebody",
        "MLFLOW_TRACKING_PASSWORD": GOOD,
    },
    "no token as password": {
        "MLFLOW_TRACKING_USERNAME": os.environ.get("OWNER", ""),
        "MLFLOW_TRACKING_PASSWORD": "guessed",
    },
}
GOOD_ONES = {
    "token": {"MLFLOW_TRACKING_TOKEN": GOOD},
    "password": {
        "MLFLOW_TRACKING_USERNAME": os.environ.get("OWNER", ""),
        "MLFLOW_TRACKING_PASSWORD": GOOD,
    },
}


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


@pytest.mark.parametrize("name", GOOD_ONES)
def test_who_proves_who_they_are_may(monkeypatch, name):
    for key, value in GOOD_ONES[name].items():
        monkeypatch.setenv(key, value)
    mlflow.set_experiment(f"mine-{time.time_ns()}")
    with mlflow.start_span("mine") as span:
        span.set_outputs("kept")
    assert mlflow.get_trace(span.trace_id).data.spans[0].outputs == "kept"
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "a.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt") == "hello"


@pytest.mark.parametrize("name", BAD)
def test_who_does_not_is_told(monkeypatch, name):
    for key, value in BAD[name].items():
        monkeypatch.setenv(key, value)
    with pytest.raises(MlflowException) as caught:
        MlflowClient().get_experiment("0")
    assert caught.value.error_code == "UNAUTHENTICATED"
    assert "token" in str(caught.value)


def test_spans_of_nobody_are_lost_and_do_not_stop_the_program(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", GOOD)
    experiment_id = mlflow.set_experiment(f"theirs-{time.time_ns()}").experiment_id
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "made-up")
    with mlflow.start_span("lost"):
        pass
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", GOOD)
    assert mlflow.search_traces(experiment_ids=[experiment_id], return_type="list") == []
