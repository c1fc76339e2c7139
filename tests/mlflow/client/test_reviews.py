"""Issues, label schemas and review queues, by the client of MLflow where it has them."""

import os

import pytest
import requests
from mlflow.tracking._tracking_service.utils import _get_store

import mlflow

BASE = os.environ["TRACKING_URI"] + "/api/3.0/mlflow"


def call(method, path, expected=200, **told):
    where = {"params": told} if method == "GET" else {"json": told}
    answer = requests.request(method, f"{BASE}/{path}", timeout=10, **where)
    assert answer.status_code == expected, answer.text
    return answer.json()


@pytest.fixture
def trace_id(experiment_id):
    with mlflow.start_span("reviewed") as span:
        pass
    return span.trace_id


@pytest.mark.skipif(not hasattr(mlflow, "log_issue"), reason="this client knows no issues")
def test_issues_are_told_of_traces(experiment_id, trace_id, refused):
    store = _get_store()
    made = store.create_issue(experiment_id=experiment_id, name="slow", description="takes long")
    assert store.get_issue(made.issue_id).name == "slow"
    mlflow.log_issue(trace_id=trace_id, issue_id=made.issue_id)
    found = mlflow.search_traces(
        experiment_ids=[experiment_id],
        filter_string=f"issue.id = '{made.issue_id}'",
        return_type="list",
    )
    assert [trace.info.trace_id for trace in found] == [trace_id]
    changed = store.update_issue(made.issue_id, description="takes too long")
    assert changed.description == "takes too long"
    call("PATCH", f"issues/{made.issue_id}", status="resolved")
    told = call("POST", "issues/search", experiment_id=experiment_id)["issues"]
    assert [(each["status"], each["trace_count"]) for each in told] == [("resolved", 1)]
    call("PATCH", f"issues/{made.issue_id}", 400, status="forgotten")
    refused("RESOURCE_DOES_NOT_EXIST", lambda: store.get_issue("iss-" + "0" * 32))


def test_label_schemas(experiment_id):
    told = {
        "experiment_id": experiment_id, "name": "polite", "type": "FEEDBACK",
        "input": {"categorical": {"options": ["yes", "no"], "multi_select": False}},
        "instruction": "Is it polite?", "enable_comment": True,
    }  # fmt: skip
    made = call("POST", "label-schemas/create", **told)["label_schema"]
    assert {key: made[key] for key in told} == told
    call("POST", "label-schemas/create", 400, **told)
    call("POST", "label-schemas/create", 400, **told | {"name": "x", "input": {}})
    by_name = call("GET", "label-schemas/get-by-name", experiment_id=experiment_id, name="polite")
    assert by_name["label_schema"] == made
    changed = call(
        "PATCH", "label-schemas/update", schema_id=made["schema_id"], instruction="Was it?"
    )["label_schema"]
    assert (changed["instruction"], changed["enable_comment"]) == ("Was it?", True)
    listed = call("GET", "label-schemas/list", experiment_id=experiment_id)["label_schemas"]
    default, own = sorted(listed, key=lambda each: not each["is_default"])
    assert (own["schema_id"], default["name"]) == (made["schema_id"], "Feedback")
    here, there = {"schema_id": made["schema_id"]}, {"schema_id": default["schema_id"]}
    call("PATCH", "label-schemas/update", 400, **there, name="y")
    for wrong in ({"name": "feedback"}, {"input": {"text": {}}}):
        call("PATCH", "label-schemas/update", 400, **here, **wrong)
    call("DELETE", "label-schemas/delete", 400, **there)
    for _ in range(2):
        call("DELETE", "label-schemas/delete", **here)
    call("GET", "label-schemas/get", 404, schema_id=made["schema_id"])


def test_review_queues(experiment_id, trace_id):
    made = call(
        "POST", "review-queues/create",
        experiment_id=experiment_id, name="night", queue_type="CUSTOM",
        users=["ann"], created_by="bob",
    )["review_queue"]  # fmt: skip
    own = {"experiment_id": experiment_id, "user": "ann"}
    first = call("POST", "review-queues/get-or-create-user", **own)["review_queue"]
    again = call("POST", "review-queues/get-or-create-user", **own)["review_queue"]
    assert first == again
    assert (first["queue_type"], first["users"]) == ("USER", ["ann"])
    queue = {"queue_id": made["queue_id"]}
    call("POST", "review-queues/items/add", **queue, item_type="TRACE", item_ids=[trace_id])
    call("POST", "review-queues/items/add", **queue, item_type="TRACE", item_ids=[trace_id])
    done = call(
        "POST", "review-queues/items/set-status",
        **queue, item_id=trace_id, status="COMPLETE", completed_by="ann",
    )["item"]  # fmt: skip
    assert (done["status"], done["completed_by"]) == ("COMPLETE", "ann")
    listed = call("GET", "review-queues/items/list", **queue, status="COMPLETE")["items"]
    assert [each["item_id"] for each in listed] == [trace_id]
    assert call("GET", "review-queues/items/list", **queue, status="PENDING").get("items", []) == []
    having = call("GET", "review-queues/list", experiment_id=experiment_id, item_id=trace_id)[
        "review_queues"
    ]
    assert [each["queue_id"] for each in having] == [made["queue_id"]]
    call("POST", "review-queues/update", **queue, update_users=True, users=["cleo"])
    assert call("GET", "review-queues/get", **queue)["review_queue"]["users"] == ["cleo"]
    call("POST", "review-queues/items/remove", **queue, item_ids=[trace_id[3:].upper()])
    assert call("GET", "review-queues/items/list", **queue).get("items", []) == []
    for _ in range(2):
        call("POST", "review-queues/delete", **queue)
    call("GET", "review-queues/get", 404, **queue)
    call("POST", "review-queues/items/add", 404, **queue, item_ids=[trace_id])


def test_the_rules_of_review_queues(experiment_id, trace_id):
    def post(path, expected=200, **told):
        return call("POST", f"review-queues/{path}", expected, **told)

    def schema(name):
        told = {"name": name, "type": "FEEDBACK", "input": {"text": {}}}
        made = call("POST", "label-schemas/create", experiment_id=experiment_id, **told)
        return made["label_schema"]["schema_id"]

    first, second = schema("first"), schema("second")
    named = {"experiment_id": experiment_id, "queue_type": "CUSTOM"}
    made = post(
        "create", **named, name="Night", users=["Bob@x.y", "bob@X.y ", "ann"], schema_ids=[first]
    )["review_queue"]
    assert (made["name"], sorted(made["users"])) == ("Night", ["ann", "bob@x.y"])
    post("create", 400, **named, name="night")
    post("create", 400, **named, name="other", schema_ids=["ls-nope"])
    post("get-or-create-user", 400, experiment_id=experiment_id, user="Night")
    bob = {"experiment_id": experiment_id, "user": "BOB@x.y"}
    own = post("get-or-create-user", **bob)["review_queue"]
    assert (own["name"], own["users"], own["created_by"]) == ("bob@x.y", ["bob@x.y"], "bob@x.y")
    post("update", 400, queue_id=own["queue_id"], name="mine")
    listed = call("GET", "review-queues/list", **bob)["review_queues"]
    assert sorted(each["name"] for each in listed) == ["Night", "bob@x.y"]

    queue = {"queue_id": made["queue_id"]}
    asks = {"update_schema_ids": True, "schema_ids": [second]}
    post("update", **queue, **asks)
    missing = "tr-" + "0" * 31 + "1"
    for ids in (["tr-nope"], [trace_id, missing]):
        post("items/add", 404, **queue, item_type="TRACE", item_ids=ids)
    post("items/add", **queue, item_type="TRACE", item_ids=[trace_id])
    post("update", 400, **queue, **asks)
    one = queue | {"item_id": trace_id}
    post("items/set-status", 400, **one, status="DECLINED")
    post("items/set-status", 400, **one, status="PENDING", completed_by="ann")
    for user in (" ANN", "cleo"):
        done = post("items/set-status", **one, status="DECLINED", completed_by=user)["item"]
        assert (done["status"], done["completed_by"]) == ("DECLINED", "ann")
    mlflow.MlflowClient().delete_traces(experiment_id, trace_ids=[trace_id])
    assert call("GET", "review-queues/items/list", **queue).get("items", []) == []
