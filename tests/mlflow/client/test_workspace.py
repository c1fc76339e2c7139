"""The client of MLflow that is told `databricks`, with DATABRICKS_HOST pointing at the server."""

import time
from pathlib import Path

import pytest
from mlflow.entities import Link

import mlflow
from mlflow import MlflowClient

AGENT = str(Path(__file__).with_name("agent.py"))


@pytest.fixture(autouse=True)
def _workspace():
    mlflow.set_tracking_uri("databricks")
    yield
    mlflow.set_registry_uri(None)


@pytest.fixture
def experiment_id():
    return mlflow.set_experiment(f"/Users/ann@example.com/e-{time.time_ns()}").experiment_id


def ask(model):
    answer = model.predict({"input": [{"role": "user", "content": "hello"}]})
    return answer["output"][0]["content"][0]["text"]


def test_traces_are_written_read_found_and_deleted(experiment_id):
    @mlflow.trace(span_type="TOOL")
    def double(x):
        return {"doubled": x * 2}

    @mlflow.trace
    def outer(x):
        mlflow.update_current_trace(tags={"env": "prod"})
        return double(x)

    outer(21)
    trace_id = mlflow.get_last_active_trace_id()
    trace = mlflow.get_trace(trace_id)
    assert trace.info.experiment_id == experiment_id
    assert [span.name for span in trace.data.spans] == ["outer", "double"]
    assert trace.data.spans[1].outputs == {"doubled": 42}
    assert (trace.data.spans[1].span_type, trace.info.tags["env"]) == ("TOOL", "prod")
    mlflow.set_trace_tag(trace_id, "seen", "yes")
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    found = mlflow.search_traces(
        filter_string="tags.seen = 'yes' AND span.type = 'TOOL'", return_type="list"
    )
    assert [each.info.trace_id for each in found] == [trace_id]
    assert len(found[0].data.spans) == 2
    assert [each.value for each in found[0].info.assessments] == [True]
    assert MlflowClient().delete_traces(experiment_id, trace_ids=[trace_id]) == 1
    assert mlflow.search_traces(return_type="list") == []


def test_a_link_to_another_trace_is_kept(experiment_id):
    with mlflow.start_span("before") as before:
        pass
    with mlflow.start_span("after") as after:
        after.add_link(Link(before.trace_id, before.span_id, {"rel": "after"}))
    [span] = mlflow.get_trace(after.trace_id).data.spans
    assert span.links == [Link(before.trace_id, before.span_id, {"rel": "after"})]


def test_runs_and_their_files(experiment_id):
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1.5)
        mlflow.log_param("p", "x")
        mlflow.log_text("hello", "folder/a.txt")
    told = mlflow.get_run(run.info.run_id)
    assert (told.data.metrics, told.data.params) == ({"m": 1.5}, {"p": "x"})
    assert told.info.artifact_uri.startswith("dbfs:/databricks/mlflow-tracking/")
    listed = MlflowClient().list_artifacts(run.info.run_id, "folder")
    assert [(file.path, file.file_size) for file in listed] == [("folder/a.txt", 5)]
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/folder/a.txt") == "hello"


def test_a_model_in_the_registry_of_the_workspace(experiment_id):
    mlflow.set_registry_uri("databricks")
    name = f"parrot{time.time_ns()}"
    info = mlflow.pyfunc.log_model(
        name="agent", python_model=AGENT, registered_model_name=name, pip_requirements=["mlflow"]
    )
    assert str(info.registered_model_version) == "1"
    assert ask(mlflow.pyfunc.load_model(info.model_uri)) == "again: hello"
    assert ask(mlflow.pyfunc.load_model(f"models:/{name}/1")) == "again: hello"


def test_a_model_of_three_levels(experiment_id):
    mlflow.set_registry_uri("databricks-uc")
    name = f"main.agents.parrot{time.time_ns()}"
    info = mlflow.pyfunc.log_model(
        name="agent", python_model=AGENT, registered_model_name=name, pip_requirements=["mlflow"]
    )
    client = MlflowClient()
    version = str(info.registered_model_version)
    assert client.get_model_version(name, version).status == "READY"
    client.set_registered_model_alias(name, "champion", version)
    assert client.get_registered_model(name).aliases == {"champion": version}
    assert ask(mlflow.pyfunc.load_model(f"models:/{name}@champion")) == "again: hello"
    client.set_registered_model_tag(name, "k", "v")
    assert client.get_registered_model(name).tags["k"] == "v"
    assert version in [each.version for each in client.search_model_versions(f"name='{name}'")]
