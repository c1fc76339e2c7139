"""Runs by the client of MLflow: parameters, metrics and their history, tags, datasets, search."""

import math

import pytest
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType

import mlflow
from mlflow import MlflowClient


@pytest.fixture
def client():
    return MlflowClient()


@pytest.fixture
def run_id(client, experiment_id):
    return client.create_run(experiment_id).info.run_id


def test_a_run_from_start_to_end(experiment_id, client):
    with mlflow.start_run(run_name="night", tags={"who": "ann"}, description="a try") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_metric("loss", 2.0, step=0)
        mlflow.log_metric("loss", 1.0, step=1)
        mlflow.set_tag("phase", "warm")
    told = client.get_run(run.info.run_id)
    assert told.info.run_name == "night"
    assert told.info.status == RunStatus.to_string(RunStatus.FINISHED)
    assert told.info.experiment_id == experiment_id
    assert told.info.end_time >= told.info.start_time
    assert told.info.artifact_uri.startswith(f"mlflow-artifacts:/{experiment_id}/")
    assert told.data.params == {"lr": "0.1"}
    assert told.data.metrics == {"loss": 1.0}
    assert told.data.tags["who"] == "ann"
    assert told.data.tags["phase"] == "warm"
    assert told.data.tags["mlflow.runName"] == "night"
    assert told.data.tags["mlflow.note.content"] == "a try"


def test_a_run_that_fails(experiment_id, client):
    with pytest.raises(ValueError, match="stop"), mlflow.start_run() as run:
        raise ValueError("stop")
    assert client.get_run(run.info.run_id).info.status == "FAILED"


def test_a_run_without_a_name_gets_one(client, run_id):
    told = client.get_run(run_id)
    assert told.info.run_name
    assert told.data.tags["mlflow.runName"] == told.info.run_name
    client.update_run(run_id, status="KILLED", name="renamed")
    told = client.get_run(run_id)
    assert (told.info.run_name, told.info.status) == ("renamed", "KILLED")
    assert told.data.tags["mlflow.runName"] == "renamed"


def test_numbers_that_are_none_and_more(client, run_id):
    client.log_batch(
        run_id,
        metrics=[
            Metric("nan", math.nan, 1, 0),
            Metric("most", math.inf, 1, 0),
            Metric("least", -math.inf, 1, 0),
            Metric("m", 1.0, 5, 0),
            Metric("m", 3.0, 6, 1),
            Metric("m", 2.0, 4, 1),
        ],
        params=[Param("empty", ""), Param("long", "x" * 6000)],
        tags=[RunTag("t", "日本")],
    )
    data = client.get_run(run_id).data
    assert math.isnan(data.metrics["nan"])
    assert data.metrics["most"] > 1e300
    assert data.metrics["least"] < -1e300
    assert data.metrics["m"] == 3.0
    assert data.params == {"empty": "", "long": "x" * 6000}
    assert data.tags["t"] == "日本"


def test_the_history_of_a_metric_in_its_order(client, run_id):
    for step in (2, 0, 1):
        client.log_metric(run_id, "m", step * 1.5, timestamp=1000 + step, step=step)
        client.log_metric(run_id, "m", step * 1.5, timestamp=1000 + step, step=step)
    history = client.get_metric_history(run_id, "m")
    assert [(m.step, m.value, m.timestamp) for m in history] == [
        (0, 0.0, 1000), (1, 1.5, 1001), (2, 3.0, 1002),
    ]  # fmt: skip
    assert client.get_metric_history(run_id, "unknown") == []


def test_a_parameter_never_changes(client, run_id, refused):
    client.log_param(run_id, "p", "1")
    client.log_param(run_id, "p", "1")
    refused("INVALID_PARAMETER_VALUE", lambda: client.log_param(run_id, "p", "2"))
    assert client.get_run(run_id).data.params == {"p": "1"}


def test_tags_go(client, run_id, refused):
    client.set_tag(run_id, "a", "1")
    client.delete_tag(run_id, "a")
    assert "a" not in client.get_run(run_id).data.tags
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.delete_tag(run_id, "a"))


def test_a_deleted_run_takes_nothing_until_it_is_restored(client, experiment_id, run_id, refused):
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert not client.search_runs([experiment_id])
    assert len(client.search_runs([experiment_id], run_view_type=ViewType.DELETED_ONLY)) == 1
    refused("INVALID_PARAMETER_VALUE", lambda: client.log_metric(run_id, "m", 1))
    client.restore_run(run_id)
    client.log_metric(run_id, "m", 1)
    assert [run.info.run_id for run in client.search_runs([experiment_id])] == [run_id]


def test_the_datasets_that_a_run_read(experiment_id, client):
    import pandas

    read = mlflow.data.from_pandas(pandas.DataFrame({"a": [1, 2]}), name="table")
    with mlflow.start_run() as run:
        mlflow.log_input(read, context="training")
        mlflow.log_input(read, context="training")
    inputs = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert [(i.dataset.name, i.dataset.digest) for i in inputs] == [("table", read.digest)]
    assert {tag.key: tag.value for tag in inputs[0].tags}["mlflow.data.context"] == "training"
    found = client.search_runs([experiment_id], "dataset.name = 'table'")
    assert [run.info.run_id for run in found] == [run.info.run_id]


def test_found_by_what_it_says(client, experiment_id):
    ids = []
    for n in range(5):
        run = client.create_run(experiment_id, start_time=1000 + n, run_name=f"r{n}")
        client.log_metric(run.info.run_id, "acc", n / 10)
        client.log_param(run.info.run_id, "parity", "odd" if n % 2 else "even")
        ids.append(run.info.run_id)
    client.set_tag(ids[3], "odd key", "v")
    client.set_terminated(ids[1], "FAILED")

    def found(filter="", **more):
        return [
            ids.index(run.info.run_id)
            for run in client.search_runs([experiment_id], filter, **more)
        ]

    assert found() == [4, 3, 2, 1, 0]
    assert found("metrics.acc > 0.15 and params.parity = 'even'") == [4, 2]
    assert found("metrics.acc >= 0.3", order_by=["metrics.acc ASC"]) == [3, 4]
    assert found("tags.`odd key` = 'v'") == [3]
    assert found("attributes.status = 'FAILED'") == [1]
    assert found(f"attributes.run_id IN ('{ids[0]}', '{ids[2]}')") == [2, 0]
    assert found("run_name LIKE 'r%' AND attributes.start_time < 1002") == [1, 0]
    assert found(order_by=["params.parity DESC", "metrics.acc DESC"]) == [3, 1, 4, 2, 0]


def test_found_by_where_their_files_are(client, experiment_id, unique):
    own = f"mlflow-artifacts:/{unique('own')}"
    other = client.create_experiment(unique("place"), artifact_location=f"{own}/")
    made = [client.create_run(where).info for where in (experiment_id, experiment_id, other)]

    def found(filter="", **more):
        told = client.search_runs([experiment_id, other], filter, **more)
        return [run.info.run_id for run in told]

    for run in made:
        assert found(f"artifact_uri = '{run.artifact_uri}'") == [run.run_id]
    assert found(f"attributes.artifact_uri ILIKE '{own.upper()}/%'") == [made[2].run_id]
    in_order = sorted(made, key=lambda run: run.artifact_uri)
    assert found(order_by=["artifact_uri"]) == [run.run_id for run in in_order]


def test_pages_of_runs(client, experiment_id, refused):
    made = {client.create_run(experiment_id).info.run_id for _ in range(5)}
    first = client.search_runs([experiment_id], max_results=3)
    second = client.search_runs([experiment_id], max_results=3, page_token=first.token)
    assert not second.token
    assert {run.info.run_id for run in [*first, *second]} == made
    refused(
        "INVALID_PARAMETER_VALUE",
        lambda: client.search_runs([experiment_id], page_token="made up"),
    )


@pytest.mark.parametrize("filter", ["metrics.a = 'x'", "color = 'x'", "params.a > 1", "metrics.a"])
def test_a_filter_that_is_none_is_told(client, experiment_id, refused, filter):
    refused("INVALID_PARAMETER_VALUE", lambda: client.search_runs([experiment_id], filter))


def test_there_is_no_unknown_run(client, refused):
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_run("f" * 32))
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.log_metric("f" * 32, "m", 1))


def test_values_that_are_too_long_are_cut(client, run_id):
    client.log_param(run_id, "long", "x" * 6001)
    client.set_tag(run_id, "mlflow.note.content", "n" * 20_000)
    client.log_batch(run_id, params=[Param("other", "y" * 7000)], tags=[RunTag("t", "z" * 8001)])
    told = client.get_run(run_id).data
    assert told.params == {"long": "x" * 6000, "other": "y" * 6000}
    assert told.tags["mlflow.note.content"] == "n" * 8000
    assert told.tags["t"] == "z" * 8000
