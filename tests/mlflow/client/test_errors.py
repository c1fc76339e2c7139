"""Wrong calls: the client of MLflow raises what it raises with MLflow's own server."""

import pytest
from mlflow.entities import Metric, Param

import mlflow
from mlflow import MlflowClient

MISSING_TRACE = "tr-" + "0" * 31 + "1"
MISSING_RUN = "f" * 32
NOT_THERE = "RESOURCE_DOES_NOT_EXIST"
WRONG = "INVALID_PARAMETER_VALUE"
TAKEN = "RESOURCE_ALREADY_EXISTS"


def two_values(client, experiment_id):
    run_id = client.create_run(experiment_id).info.run_id
    client.log_batch(run_id, metrics=[Metric("m", 1, 1, 0)], params=[Param("p", "1")])
    client.log_param(run_id, "p", "2")


CALLS = {
    "no such experiment": (NOT_THERE, lambda c, e: c.get_experiment("918273645")),
    "tag on no experiment": (NOT_THERE, lambda c, e: c.set_experiment_tag("918273645", "a", "b")),
    "experiment twice": (TAKEN, lambda c, e: c.create_experiment("Default")),
    "experiments by a bad filter": (WRONG, lambda c, e: c.search_experiments(filter_string="a.b")),
    "experiments by a huge page": (WRONG, lambda c, e: c.search_experiments(max_results=10**7)),
    "no such run": (NOT_THERE, lambda c, e: c.get_run(MISSING_RUN)),
    "metric of no run": (NOT_THERE, lambda c, e: c.log_metric(MISSING_RUN, "m", 1)),
    "runs by a bad filter": (WRONG, lambda c, e: c.search_runs([e], "metrics.a = 'x'")),
    "runs by a bad order": (WRONG, lambda c, e: c.search_runs([e], order_by=["color DESC"])),
    "runs by a huge page": (WRONG, lambda c, e: c.search_runs([e], max_results=10**7)),
    "runs by a made up token": (WRONG, lambda c, e: c.search_runs([e], page_token="made up")),
    "two values of a parameter": (WRONG, two_values),
    "run in no experiment": (NOT_THERE, lambda c, e: c.create_run("918273645")),
    "no such trace": (NOT_THERE, lambda c, e: c.get_trace(MISSING_TRACE)),
    "traces by a bad filter": (WRONG, lambda c, e: c.search_traces([e], filter_string="color = 'x'")),
    "traces by OR": (WRONG, lambda c, e: c.search_traces([e], filter_string="name = 'a' OR name = 'b'")),
    "traces by a huge page": (WRONG, lambda c, e: c.search_traces([e], max_results=10**6)),
    "traces by a made up token": (WRONG, lambda c, e: c.search_traces([e], page_token="made up")),
    "feedback on no trace": (NOT_THERE, lambda c, e: mlflow.log_feedback(trace_id=MISSING_TRACE, name="n", value=1)),
    "feedback on what is no trace": (NOT_THERE, lambda c, e: mlflow.log_feedback(trace_id="tr-none", name="n", value=1)),
    "tags of experiments that are too long": (WRONG, lambda c, e: c.set_experiment_tag(e, "t", "v" * 20_001)),
    "keys of experiments that are too long": (WRONG, lambda c, e: c.set_experiment_tag(e, "t" * 251, "v")),
    "no such model": (NOT_THERE, lambda c, e: c.get_registered_model("nobody")),
    "version of no model": (NOT_THERE, lambda c, e: c.get_model_version("nobody", "1")),
    "alias of no model": (NOT_THERE, lambda c, e: c.set_registered_model_alias("nobody", "a", "1")),
    "latest of no version": (NOT_THERE, lambda c, e: [c.create_registered_model(f"none-{e}"), c.get_model_version_by_alias(f"none-{e}", "latest")]),
    "model twice": (TAKEN, lambda c, e: [c.create_registered_model(f"twice-{e}") for _ in range(2)]),
    "a model without a name": (WRONG, lambda c, e: c.create_registered_model("")),
    "no such logged model": (NOT_THERE, lambda c, e: c.get_logged_model("m-" + "0" * 32)),
    "logged models on a dataset without a name": (WRONG, lambda c, e: c.search_logged_models([e], datasets=[{"dataset_name": ""}])),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_told(experiment_id, refused, name):
    code, call = CALLS[name]
    refused(code, lambda: call(MlflowClient(), experiment_id))
