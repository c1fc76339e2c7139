"""Webhooks by the client of MLflow, and a receiver that checks signatures as it is documented."""

import base64
import hashlib
import hmac
import json
import os
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from mlflow.entities.webhook import WebhookEvent, WebhookStatus

import mlflow

SECRET = "correct horse"
ALL = [
    "registered_model.created", "model_version.created", "model_version_tag.set",
    "model_version_tag.deleted", "model_version_alias.created", "model_version_alias.deleted",
    "prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted",
    "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created",
    "prompt_alias.deleted",
]  # fmt: skip
OWN_TAG = "_mlflow_experiment_ids"
"""The client puts it on prompts whenever it comes to it."""
REST = os.environ["TRACKING_URI"] + "/api/2.0/mlflow/webhooks"


class Receiver:
    """Keeps what it is told. Answers `statuses` in turn, then 200."""

    def __init__(self):
        self.told = []
        self.refused = []
        self.statuses = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                (receiver.told if status == 200 else receiver.refused).append((self.headers, body))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", receiver.url + "/elsewhere")
                answer = f"answer {status}".encode()
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self, count, about=""):
        """The first so many events about whatever has such a name."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            bodies = [checked(*each) for each in self.told]
            found = [
                each
                for each in bodies
                if each["data"]["name"].startswith(about) and each["data"].get("key") != OWN_TAG
            ]
            if len(found) >= count:
                time.sleep(0.3)
                assert len(found) == count, found
                return [(f"{e['entity']}.{e['action']}", e["data"]) for e in found]
            time.sleep(0.05)
        raise AssertionError(f"told of {self.told}, and not of {count} events")


def checked(headers, body):
    """What it says, when the signature is right."""
    assert headers["Content-Type"] == "application/json"
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body.decode()}"
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert hmac.compare_digest(headers["X-MLflow-Signature"], expected)
    assert abs(time.time() - int(headers["X-MLflow-Timestamp"])) < 60
    told = json.loads(body)
    assert set(told) == {"entity", "action", "timestamp", "data"}
    return told


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client():
    return mlflow.MlflowClient()


@pytest.fixture
def hook(client, receiver, unique):
    made = client.create_webhook(
        name=unique("hook"), url=receiver.url + "/told", events=ALL, secret=SECRET
    )
    yield made
    client.delete_webhook(made.webhook_id)


def test_a_webhook_is_made_changed_and_deleted(client, unique, refused):
    name = unique("hook")
    made = client.create_webhook(
        name=name,
        url="http://127.0.0.1:9/a",
        events=["registered_model.created", "prompt.created"],
        description="tells",
        secret=SECRET,
        status="DISABLED",
    )
    assert (made.name, made.description, made.url) == (name, "tells", "http://127.0.0.1:9/a")
    assert made.status == WebhookStatus.DISABLED
    assert [str(each) for each in made.events] == ["registered_model.created", "prompt.created"]
    got = client.get_webhook(made.webhook_id)
    assert (got.webhook_id, got.creation_timestamp) == (made.webhook_id, made.creation_timestamp)
    assert SECRET not in requests.get(f"{REST}/{made.webhook_id}", timeout=9).text
    changed = client.update_webhook(
        made.webhook_id,
        name=name + "-2",
        description="still tells",
        url="http://127.0.0.1:9/b",
        events=[WebhookEvent.from_str("model_version.created")],
        status=WebhookStatus.ACTIVE,
    )
    assert (changed.name, changed.description) == (name + "-2", "still tells")
    assert (changed.url, changed.status) == ("http://127.0.0.1:9/b", WebhookStatus.ACTIVE)
    assert changed.events == [WebhookEvent.from_str("model_version.created")]
    assert changed.last_updated_timestamp >= made.last_updated_timestamp
    same = client.update_webhook(made.webhook_id, description="")
    assert (same.name, same.events) == (changed.name, changed.events)
    assert not same.description
    client.delete_webhook(made.webhook_id)
    for call in (client.get_webhook, client.delete_webhook, client.test_webhook):
        refused("RESOURCE_DOES_NOT_EXIST", lambda call=call: call(made.webhook_id))
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.update_webhook(made.webhook_id, name="x"))


def test_webhooks_are_listed_by_pages(client, unique):
    ids = [
        client.create_webhook(unique("hook"), "http://127.0.0.1:9/", ["prompt.created"]).webhook_id
        for _ in range(3)
    ]
    found, token = [], None
    while True:
        page = client.list_webhooks(max_results=2, page_token=token)
        assert len(page) <= 2
        found += [each.webhook_id for each in page]
        token = page.token
        if not token:
            break
    assert [each for each in found if each in ids]
    assert len(set(found)) == len(found)
    assert set(ids) <= {each.webhook_id for each in client.list_webhooks()} & set(found)
    for webhook_id in ids:
        client.delete_webhook(webhook_id)


def test_what_no_webhook_can_be_is_refused(client, unique, refused):
    for change in (
        {"name": "two words"},
        {"name": "a" * 64},
        {"url": "ftp://127.0.0.1/"},
        {"url": "not a url"},
        {"url": "http://10.0.0.1/"},
        {"url": "https://169.254.169.254/latest"},
        {"url": "https://[::1]/"},
        {"events": []},
        {"events": ["prompt.created", "prompt.created"]},
    ):
        told = {"name": "hook", "url": "http://127.0.0.1:9/", "events": ["prompt.created"]}
        refused("INVALID_PARAMETER_VALUE", lambda told=told | change: client.create_webhook(**told))
    for limit in (-1, 1001):
        refused("INVALID_PARAMETER_VALUE", lambda limit=limit: client.list_webhooks(limit))
    refused("INVALID_PARAMETER_VALUE", lambda: client.list_webhooks(page_token="x"))
    told = {"name": "hook", "url": "http://127.0.0.1:9/"}
    for event in ({"entity": "PROMPT", "action": "DELETED"}, {"entity": "PROMPT"}, "prompt", None):
        answer = requests.post(REST, json=told | {"events": [event]}, timeout=9)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "hook" not in {each.name for each in client.list_webhooks()}


def test_models_tell_of_themselves(client, receiver, hook, unique):
    name = unique("model")
    client.create_registered_model(name, tags={"a": "1"}, description="about")
    run_id = client.create_run("0").info.run_id
    client.create_model_version(
        name, source=f"runs:/{run_id}/m", run_id=run_id, tags={"b": "ü"}, description="first"
    )
    client.set_registered_model_tag(name, "nobody", "is told")
    client.set_model_version_tag(name, "1", "k", "v")
    client.delete_model_version_tag(name, "1", "k")
    client.set_registered_model_alias(name, "best", "1")
    client.delete_registered_model_alias(name, "best")
    told = receiver.events(6, name)
    of_version = {"name": name, "version": "1"}
    source = told[1][1].pop("source")
    assert source
    assert told == [
        ("registered_model.created", {"name": name, "tags": {"a": "1"}, "description": "about"}),
        (
            "model_version.created",
            of_version | {"run_id": run_id, "tags": {"b": "ü"}, "description": "first"},
        ),
        ("model_version_tag.set", of_version | {"key": "k", "value": "v"}),
        ("model_version_tag.deleted", of_version | {"key": "k"}),
        ("model_version_alias.created", of_version | {"alias": "best"}),
        ("model_version_alias.deleted", {"name": name, "alias": "best"}),
    ]


def test_prompts_tell_of_themselves(client, receiver, hook, unique):
    name = unique("prompt")
    mlflow.genai.register_prompt(name, "Hi {{who}}", commit_message="first", tags={"b": "2"})
    mlflow.genai.set_prompt_alias(name, "best", 1)
    mlflow.genai.delete_prompt_alias(name, "best")
    client.set_prompt_tag(name, "k", "v")
    client.delete_prompt_tag(name, "k")
    client.set_prompt_version_tag(name, "1", "k", "v")
    client.delete_prompt_version_tag(name, "1", "k")
    client_events = [
        ("prompt_alias.created", {"name": name, "alias": "best", "version": "1"}),
        ("prompt_alias.deleted", {"name": name, "alias": "best"}),
        ("prompt_tag.set", {"name": name, "key": "k", "value": "v"}),
        ("prompt_tag.deleted", {"name": name, "key": "k"}),
        ("prompt_version_tag.set", {"name": name, "version": "1", "key": "k", "value": "v"}),
        ("prompt_version_tag.deleted", {"name": name, "version": "1", "key": "k"}),
    ]
    told = receiver.events(len(client_events) + 2, name)
    assert told[0][0] == "prompt.created"
    assert told[0][1]["name"] == name
    assert "mlflow.prompt.is_prompt" not in told[0][1]["tags"]
    assert told[1] == (
        "prompt_version.created",
        {
            "name": name, "version": "1", "template": "Hi {{who}}", "tags": {"b": "2"},
            "description": "first",
        },
    )  # fmt: skip
    assert told[2:] == client_events


def test_only_what_was_asked_for_is_told(client, receiver, unique):
    made = client.create_webhook(
        unique("hook"), receiver.url, ["model_version_alias.created"], secret=SECRET
    )
    name = unique("model")
    client.create_registered_model(name)
    client.create_model_version(name, source="s3://bucket/m")
    client.set_registered_model_alias(name, "best", "1")
    assert [event for event, _ in receiver.events(1, name)] == ["model_version_alias.created"]
    client.update_webhook(made.webhook_id, status="DISABLED")
    client.set_registered_model_alias(name, "other", "1")
    client.update_webhook(made.webhook_id, status="ACTIVE")
    client.set_registered_model_alias(name, "third", "1")
    assert [data["alias"] for _, data in receiver.events(2, name)] == ["best", "third"]
    client.delete_webhook(made.webhook_id)


def test_a_receiver_that_fails_is_told_again(client, receiver, hook, unique):
    receiver.statuses = [503, 500]
    first, second = unique("model"), unique("model")
    client.create_registered_model(first)
    client.create_registered_model(second)
    told = receiver.events(2)
    assert {data["name"] for _, data in told} == {first, second}
    assert len(receiver.refused) == 2
    ids = {headers["X-MLflow-Delivery-Id"]: body for headers, body in receiver.told}
    assert len(ids) == 2
    for headers, body in receiver.refused:
        assert ids[headers["X-MLflow-Delivery-Id"]] == body


def test_a_webhook_is_tried(client, receiver, hook):
    for event in [None, *ALL]:
        result = client.test_webhook(hook.webhook_id, event and WebhookEvent.from_str(event))
        assert (result.success, result.response_status) == (True, 200)
        assert result.response_body == "answer 200"
        told = checked(*receiver.told[-1])
        assert f"{told['entity']}.{told['action']}" == (event or ALL[0])
        assert told["data"]["name"]
    receiver.statuses = [500, 302]
    for status in (500, 302):
        result = client.test_webhook(hook.webhook_id)
        assert (result.success, result.response_status) == (False, status)
        assert result.response_body == f"answer {status}"
    assert len(receiver.told) == 1 + len(ALL)


def test_a_receiver_that_is_not_there_is_tried_in_vain(client, unique):
    made = client.create_webhook(unique("hook"), "http://127.0.0.1:9/", ["prompt.created"])
    result = client.test_webhook(made.webhook_id)
    assert not result.success
    assert result.response_status is None
    assert "ConnectError" in result.error_message
    client.delete_webhook(made.webhook_id)


def test_without_a_secret_nothing_is_signed(client, receiver, unique):
    made = client.create_webhook(unique("hook"), receiver.url, ["prompt.created"])
    assert client.test_webhook(made.webhook_id).success
    headers, _ = receiver.told[0]
    assert headers["X-MLflow-Signature"] is None
    assert uuid.UUID(headers["X-MLflow-Delivery-Id"])
    client.delete_webhook(made.webhook_id)
