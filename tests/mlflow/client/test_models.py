"""Models by the client of MLflow: logged from code, registered, aliased, loaded; files of runs."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

import mlflow
from mlflow import MlflowClient

pytest.importorskip("mlflow.pyfunc", reason="this package has no models")
AGENT = str(Path(__file__).with_name("agent.py"))


def ask(model, text="hello"):
    answer = model.predict({"input": [{"role": "user", "content": text}]})
    return answer["output"][0]["content"][0]["text"]


@pytest.fixture(scope="module")
def logged():
    import time

    name = f"parrot-{time.time_ns()}"
    experiment_id = mlflow.set_experiment(name).experiment_id
    with mlflow.start_run() as run:
        info = mlflow.pyfunc.log_model(
            name="agent",
            python_model=AGENT,
            registered_model_name=name,
            pip_requirements=["mlflow"],
            params={"heat": "0.1"},
            tags={"team": "night"},
        )
    return SimpleNamespace(
        name=name, experiment_id=experiment_id, info=info, run_id=run.info.run_id
    )


@pytest.fixture
def client():
    return MlflowClient()


def test_a_model_is_logged_and_its_first_version_registered(logged, client):
    version = client.get_model_version(logged.name, "1")
    assert (version.status, version.source) == ("READY", logged.info.model_uri)
    assert version.run_id == logged.run_id
    model = mlflow.get_logged_model(logged.info.model_id)
    assert (model.name, model.experiment_id) == ("agent", logged.experiment_id)
    assert (model.source_run_id, model.params["heat"]) == (logged.run_id, "0.1")
    assert model.tags["team"] == "night"
    assert str(model.status).endswith("READY")
    outputs = client.get_run(logged.run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [logged.info.model_id]


def test_logged_models_are_found(logged):
    def found(filter):
        models = mlflow.search_logged_models(
            experiment_ids=[logged.experiment_id], filter_string=filter, output_format="list"
        )
        return [model.model_id for model in models]

    assert logged.info.model_id in found("name = 'agent'")
    assert logged.info.model_id in found("params.heat = '0.1' AND tags.team = 'night'")
    assert found("name = 'nobody'") == []


def test_logged_models_are_found_by_what_they_measure_on_a_dataset(experiment_id, client):
    run_id = client.create_run(experiment_id).info.run_id
    made = {name: client.create_logged_model(experiment_id, name).model_id for name in "abc"}
    for step, (name, value, dataset) in enumerate(
        [("a", 0.9, "train"), ("a", 0.2, "test"), ("b", 0.5, "test"), ("c", 0.7, None)]
    ):
        digest = dataset and f"{dataset}-1"
        client.log_metric(
            run_id, "acc", value, step=step, model_id=made[name],
            dataset_name=dataset, dataset_digest=digest,
        )  # fmt: skip

    def found(name=None, filter=None, **order):
        told = name and [{"dataset_name": name, "dataset_digest": f"{name}-1"}]
        models = client.search_logged_models(
            [experiment_id], datasets=told, filter_string=filter,
            order_by=[{"field_name": "metrics.acc", **order}],
        )  # fmt: skip
        return "".join(model.name for model in models)

    assert found() == "abc"
    assert (found("train"), found("test"), found("nobody")) == ("a", "ab", "")
    # Any value that was logged counts, not the last one only.
    assert found(filter="metrics.acc > 0.6") == "ac"
    assert found("train", "metrics.acc > 0.6") == "a"
    assert found("test", "metrics.acc > 0.3") == "b"
    assert found("test", ascending=False) == "ba"
    train = {"dataset_name": "train", "dataset_digest": "train-1"}
    assert found(**train, ascending=False)[0] == "a"
    page = client.search_logged_models([experiment_id], datasets=[train], max_results=1)
    assert (len(page), page.token) == (1, None)


def test_a_model_loads_by_every_name_it_has(logged, client):
    client.set_registered_model_alias(logged.name, "champion", 1)
    for uri in (
        logged.info.model_uri,
        f"models:/{logged.name}/1",
        f"models:/{logged.name}@champion",
        f"runs:/{logged.run_id}/agent",
    ):
        assert ask(mlflow.pyfunc.load_model(uri), uri) == f"again: {uri}"


def test_what_a_model_answers_is_traced_under_its_id(logged):
    mlflow.set_experiment(experiment_id=logged.experiment_id)
    ask(mlflow.pyfunc.load_model(logged.info.model_uri), "traced")
    found = mlflow.search_traces(
        experiment_ids=[logged.experiment_id], model_id=logged.info.model_id, return_type="list"
    )
    assert found
    assert found[0].info.trace_metadata["mlflow.modelId"] == logged.info.model_id


def test_versions_aliases_tags_and_descriptions(logged, client, refused):
    for wanted in ("2", "3"):
        made = mlflow.register_model(logged.info.model_uri, logged.name)
        assert str(made.version) == wanted
    client.set_registered_model_alias(logged.name, "live", 2)
    client.set_registered_model_alias(logged.name, "live", 3)
    assert client.get_model_version_by_alias(logged.name, "live").version == "3"
    assert client.get_model_version(logged.name, "2").aliases == []
    assert client.get_model_version_by_alias(logged.name, "latest").version == "3"
    client.update_registered_model(logged.name, description="about")
    client.set_registered_model_tag(logged.name, "k", "v")
    client.set_model_version_tag(logged.name, "2", "vk", "vv")
    client.update_model_version(logged.name, "2", description="second")
    model, second = (
        client.get_registered_model(logged.name),
        client.get_model_version(logged.name, "2"),
    )
    assert (model.description, model.tags["k"]) == ("about", "v")
    assert (second.description, second.tags["vk"]) == ("second", "vv")
    client.delete_registered_model_tag(logged.name, "k")
    client.delete_model_version_tag(logged.name, "2", "vk")
    assert "k" not in client.get_registered_model(logged.name).tags
    client.delete_model_version(logged.name, "3")
    refused(
        "INVALID_PARAMETER_VALUE",
        lambda: client.get_model_version_by_alias(logged.name, "live"),
    )
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version(logged.name, "3"))
    assert str(mlflow.register_model(logged.info.model_uri, logged.name).version) == "4"


def test_stages(logged, client, unique):
    name = unique("stages")
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, "dbfs:/somewhere")
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "2", "production", archive_existing_versions=True)
    assert client.get_model_version(name, "1").current_stage == "Archived"
    latest = client.get_latest_versions(name, ["Production"])
    assert [version.version for version in latest] == ["2"]


def test_registered_models_are_found_renamed_and_deleted(client, unique, refused):
    prefix = unique("reg")
    for letter in "ba":
        client.create_registered_model(f"{prefix}-{letter}", tags={"letter": letter})
    refused("RESOURCE_ALREADY_EXISTS", lambda: client.create_registered_model(f"{prefix}-a"))

    def found(filter, **more):
        models = client.search_registered_models(f"name LIKE '{prefix}%'{filter}", **more)
        return [model.name[-1] for model in models]

    assert found("") == ["a", "b"]
    assert found("", order_by=["name DESC"]) == ["b", "a"]
    assert found(" AND tags.letter = 'b'") == ["b"]
    assert found(" AND tags.letter != 'a'") == ["b"]
    client.rename_registered_model(f"{prefix}-b", f"{prefix}-c")
    assert found("") == ["a", "c"]
    client.delete_registered_model(f"{prefix}-c")
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_registered_model(f"{prefix}-c"))


def test_files_of_a_run(experiment_id, client, tmp_path):
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(1 << 20) * 5 + b"end")
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "folder/a.txt")
        mlflow.log_dict({"k": [1, 2]}, "config.json")
        mlflow.log_artifact(str(large), "odd folder/ünï")
        mlflow.log_text("", "empty.txt")
    run_id = run.info.run_id
    listed = sorted((file.path, file.is_dir) for file in client.list_artifacts(run_id))
    assert listed == [
        ("config.json", False), ("empty.txt", False), ("folder", True), ("odd folder", True),
    ]  # fmt: skip
    inside = client.list_artifacts(run_id, "folder")
    assert [(file.path, file.file_size) for file in inside] == [("folder/a.txt", 5)]
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/folder/a.txt") == "hello"
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/empty.txt") == ""
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/config.json") == {"k": [1, 2]}
    back = mlflow.artifacts.download_artifacts(
        run_id=run_id, artifact_path="odd folder/ünï/large.bin", dst_path=str(tmp_path / "back")
    )
    assert Path(back).read_bytes() == large.read_bytes()


def test_a_path_that_leads_out_is_refused():
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    base = os.environ["TRACKING_URI"] + "/api/2.0/mlflow-artifacts/artifacts/"
    for path in ("a/%2e%2e/b", "%252e%252e/b", "a//b", "a/.%2e/b"):
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(base + path, b"x", method="PUT"), timeout=10)
        assert caught.value.code == 400, path
