"""A credential that proves nothing: the client says so in an exception of its own, at once."""

import time

import pytest

import mlflow


def test_refused():
    mlflow.set_tracking_uri("databricks")
    began = time.monotonic()
    with pytest.raises(
        Exception, match=r"(?i)token|secret|credential|unauthenticated|invalid_client"
    ):
        mlflow.set_experiment("/Users/ann@example.com/refused")
    assert time.monotonic() - began < 30
