"""Wrong calls: the client of MLflow raises what it raises with MLflow's own server."""

import uuid

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


def run(client, experiment_id):
    return client.create_run(experiment_id).info.run_id


def version(client, experiment_id):
    name = f"model-{uuid.uuid4().hex}"
    client.create_registered_model(name)
    client.create_model_version(name, "dbfs:/somewhere")
    return name


def trace():
    with mlflow.start_span("named") as span:
        pass
    return span.trace_id


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
    "runs of no experiment's id": (WRONG, lambda c, e: c.search_runs([e, "nonexist"])),
    "logged models of no experiment's id": (WRONG, lambda c, e: c.search_logged_models(["nonexist"])),
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
    "a run with two names": (WRONG, lambda c, e: c.create_run(e, run_name="a", tags={"mlflow.runName": "b"})),
    "a long prompt": (WRONG, lambda c, e: mlflow.genai.register_prompt(f"long-{e}", "x" * 110_000)),
    "a long tag of an experiment": (WRONG, lambda c, e: c.set_experiment_tag(e, "k", "x" * 20_001)),
}  # fmt: skip
NAMED = {
    "metric": lambda c, e, key: c.log_metric(run(c, e), key, 1),
    "parameter": lambda c, e, key: c.log_param(run(c, e), key, "1"),
    "tag of a run": lambda c, e, key: c.set_tag(run(c, e), key, "v"),
    "metrics": lambda c, e, key: c.log_batch(run(c, e), metrics=[Metric(key, 1, 1, 0)]),
    "parameters": lambda c, e, key: c.log_batch(run(c, e), params=[Param(key, "1")]),
    "tag of an experiment": lambda c, e, key: c.set_experiment_tag(e, key, "v"),
    "tag of a trace": lambda c, e, key: c.set_trace_tag(trace(), key, "v"),
    "tag of a model": lambda c, e, key: c.set_registered_model_tag(version(c, e), key, "v"),
    "tag of a version": lambda c, e, key: c.set_model_version_tag(version(c, e), "1", key, "v"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_told(experiment_id, refused, name):
    code, call = CALLS[name]
    refused(code, lambda: call(MlflowClient(), experiment_id))


@pytest.mark.parametrize("what", NAMED)
def test_keys_are_names_that_could_be_paths(experiment_id, refused, what):
    def call(key):
        return NAMED[what](MlflowClient(), experiment_id, key)

    for key in ("a b", " a-b_c.d:e/f ", "a../..b", "日本", "x" * 250):
        call(key)
    for key in ("a!b", "x\ny", "/a", "a/", "a//b", ".", "a/./b", "../x", "..a", "x" * 251):
        refused(WRONG, lambda key=key: call(key))


def test_a_dataset_is_of_experiments_that_are_there(experiment_id, refused):
    datasets = pytest.importorskip("mlflow.genai.datasets")
    made = datasets.create_dataset(name=f"of-{experiment_id}", experiment_id=experiment_id)
    refused(
        NOT_THERE,
        lambda: datasets.add_dataset_to_experiments(made.dataset_id, ["0", "918273645"]),
    )
    assert datasets.get_dataset(dataset_id=made.dataset_id).experiment_ids == [experiment_id]


def source_of(c, e, source, **more):
    return c.create_model_version(version(c, e), source, **more)


SOURCES = [
    "/etc", "x", "../x", "file:///etc/passwd", "file:/etc", "mlflow-artifacts:/1/x", "mlflow-artifacts:/../../x",
    "mlflow-artifacts:/a/%252e%252e/b", "mlflow-artifacts://host/1/x", "http://h/../x", "s3://b/../x", "s3://b/%2e%2e/x",
    "s3://b", "s3:x", "dbfs:/x/./y", "models:/", "models:/m-nope", "models:/a/b/c", "runs:/x/y", "prompt-template",
]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_is_nobodys_is_refused(experiment_id, refused, source):
    c = MlflowClient()
    refused(WRONG, lambda: source_of(c, experiment_id, source))
    refused(WRONG, lambda: source_of(c, experiment_id, source, run_id=run(c, experiment_id)))


@pytest.mark.parametrize("source", ["models:/nope/1", "models:/nope@a", "models:/nope/latest"])
def test_a_source_of_no_model_is_not_found(experiment_id, refused, source):
    refused(NOT_THERE, lambda: source_of(MlflowClient(), experiment_id, source))


def test_a_prompt_has_no_files(experiment_id, refused):
    tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "a"}
    for source in ("/etc", "s3://b/x"):
        refused(
            WRONG, lambda source=source: source_of(MlflowClient(), experiment_id, source, tags=tags)
        )


def test_a_source_of_ones_own_is_taken(experiment_id, refused):
    c = MlflowClient()
    told, other = c.get_run(run(c, experiment_id)).info, run(c, experiment_id)
    for source in (f"runs:/{told.run_id}/m", told.artifact_uri, f"{told.artifact_uri}/m"):
        assert source_of(c, experiment_id, source, run_id=told.run_id).status == "READY"
        refused(WRONG, lambda source=source: source_of(c, experiment_id, source, run_id=other))
        refused(WRONG, lambda source=source: source_of(c, experiment_id, source))
    name = version(c, experiment_id)
    for source in (f"models:/{name}/1", f"models:/{name}/latest", "s3://b/x.y", "gs://b/..x"):
        assert source_of(c, experiment_id, source).status == "READY"


def test_files_of_an_experiment_with_a_place_of_its_own(refused):
    c = MlflowClient()
    place = f"file:///srv/{uuid.uuid4().hex}"
    e = c.create_experiment(uuid.uuid4().hex, artifact_location=place)
    told = c.get_run(run(c, e)).info
    path = told.artifact_uri.removeprefix("file://")
    for source in (f"{told.artifact_uri}/m", f"{path}/m"):
        assert source_of(c, e, source, run_id=told.run_id).status == "READY"
    for source in (place, f"{path}/../m", f"{told.artifact_uri}x"):
        refused(WRONG, lambda source=source: source_of(c, e, source, run_id=told.run_id))
