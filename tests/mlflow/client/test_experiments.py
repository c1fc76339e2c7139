"""Experiments by the client of MLflow: made, found, changed, deleted, restored."""

import time

import pytest
from mlflow.entities import ViewType

import mlflow
from mlflow import MlflowClient


@pytest.fixture
def client():
    return MlflowClient()


def test_what_was_made_reads_back(client, unique):
    name, before_ms = unique("made"), int(time.time() * 1000)
    made = client.create_experiment(name, tags={"team": "on call", "shift": "night"})
    found = client.get_experiment(made)
    assert (found.experiment_id, found.name, found.lifecycle_stage) == (made, name, "active")
    assert found.tags["team"] == "on call"
    assert found.tags["shift"] == "night"
    assert found.artifact_location == f"mlflow-artifacts:/{made}"
    assert before_ms - 1000 <= found.creation_time <= found.last_update_time
    assert client.get_experiment_by_name(name).experiment_id == made


def test_there_is_a_default_one_and_no_unknown_one(client, unique, refused):
    assert client.get_experiment("0").name == "Default"
    assert client.get_experiment_by_name(unique("nobody")) is None
    assert "918273645" in refused(
        "RESOURCE_DOES_NOT_EXIST", lambda: client.get_experiment("918273645")
    )
    refused("INVALID_PARAMETER_VALUE", lambda: client.get_experiment("not-a-number"))


def test_a_name_belongs_to_one_even_when_that_is_deleted(client, unique, refused):
    name = unique("taken")
    made = client.create_experiment(name)
    assert name in refused("RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment(name))
    client.delete_experiment(made)
    refused("RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment(name))
    with pytest.raises(Exception, match="deleted"):
        mlflow.set_experiment(name)


def test_a_place_for_files_of_ones_own_is_kept(client, unique):
    made = client.create_experiment(
        unique("place"), artifact_location="mlflow-artifacts:/own/place"
    )
    assert client.get_experiment(made).artifact_location == "mlflow-artifacts:/own/place"


def test_set_experiment_makes_it_once(unique):
    name = unique("set")
    first, second = mlflow.set_experiment(name), mlflow.set_experiment(name)
    assert first.experiment_id == second.experiment_id
    assert mlflow.set_experiment(experiment_id=first.experiment_id).name == name


def test_tags_are_set_again_and_taken_away(client, unique, refused):
    made = client.create_experiment(unique("tags"))
    client.set_experiment_tag(made, "owner", "ann")
    client.set_experiment_tag(made, "owner", "bob")
    client.set_experiment_tag(made, "note", "two\nlines, ünïcode")
    tags = client.get_experiment(made).tags
    assert tags["owner"] == "bob"
    assert tags["note"] == "two\nlines, ünïcode"
    if hasattr(client, "delete_experiment_tag"):
        client.delete_experiment_tag(made, "owner")
        assert "owner" not in client.get_experiment(made).tags
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.set_experiment_tag("918273645", "a", "b"))


def test_renamed(client, unique):
    made, new = client.create_experiment(unique("old")), unique("new")
    client.rename_experiment(made, new)
    assert client.get_experiment(made).name == new
    assert client.get_experiment_by_name(new).experiment_id == made


def test_deleted_and_restored_with_its_runs(client, unique, refused):
    name = unique("gone")
    made = client.create_experiment(name)
    run_id = client.create_run(made).info.run_id
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    here = f"name = '{name}'"
    assert not client.search_experiments(filter_string=here)
    assert len(client.search_experiments(ViewType.DELETED_ONLY, filter_string=here)) == 1
    assert len(client.search_experiments(ViewType.ALL, filter_string=here)) == 1
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.delete_experiment(made))
    client.restore_experiment(made)
    assert [run.info.run_id for run in client.search_runs([made])] == [run_id]


def test_found_by_name_tag_and_time_in_any_order(client, unique):
    prefix = unique("find")
    made = {
        letter: client.create_experiment(
            f"{prefix}-{letter}", tags={"letter": letter, "odd key": "1"}
        )
        for letter in "bca"
    }

    def found(filter, **more):
        told = client.search_experiments(
            filter_string=f"name LIKE '{prefix}%' AND {filter}", **more
        )
        return [experiment.experiment_id for experiment in told]

    assert found("tags.letter = 'a'") == [made["a"]]
    assert found("tag.letter != 'a'", order_by=["name ASC"]) == [made["b"], made["c"]]
    assert found("tags.`odd key` = '1'", order_by=["name DESC"]) == [made[x] for x in "cba"]
    assert found("attribute.name ILIKE '%-B'") == [made["b"]]
    assert found("creation_time > 0", order_by=["creation_time ASC"])[0] == made["b"]
    assert found("last_update_time < 5") == []
    assert found(f"experiment_id = '{made['c']}'") == [made["c"]]
    pair = f"('{made['b']}', '{made['c']}')"
    assert found(f"experiment_id NOT IN {pair}") == [made["a"]]
    both = found(f"attribute.experiment_id IN {pair}", order_by=["experiment_id DESC"])
    assert both == [made["c"], made["b"]]


def test_pages_have_everything_once(client, unique):
    prefix = unique("page")
    made = {client.create_experiment(f"{prefix}-{n}") for n in range(7)}
    seen, token = [], None
    while token is not None or not seen:
        page = client.search_experiments(
            filter_string=f"name LIKE '{prefix}%'", max_results=3, page_token=token
        )
        seen += [experiment.experiment_id for experiment in page]
        token = page.token or None
    assert len(seen) == len(made)
    assert set(seen) == made


@pytest.mark.parametrize(
    "filter",
    [
        "color = 'red'",
        "tags.a",
        "name = plain",
        "name = 'a' OR name = 'b'",
        "NOT name = 'a'",
        "(name = 'a')",
        "name ~ 'a'",
        "creation_time = 'yesterday'",
        "experiment_id = 5",
    ],
)
def test_a_filter_that_is_none_is_told(client, refused, filter):
    refused("INVALID_PARAMETER_VALUE", lambda: client.search_experiments(filter_string=filter))
