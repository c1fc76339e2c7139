"""Large files: in parts, by range, and by addresses that need no token."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

import mlflow

SIZE = 12_345_678


@pytest.fixture
def run_id(experiment_id: str) -> str:
    with mlflow.start_run(experiment_id=experiment_id) as run:
        return str(run.info.run_id)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Methods and addresses of all that is sent."""
    sent: list[tuple[str, str]] = []
    send = requests.Session.request

    def noted(self: requests.Session, method: str, url: str, **told: Any) -> requests.Response:
        sent.append((method.upper(), url))
        return send(self, method, url, **told)

    monkeypatch.setattr(requests.Session, "request", noted)
    return sent


def test_a_large_file_goes_up_in_parts(
    run_id: str, tmp_path: Path, calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "5242880")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "5242880")
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    content = os.urandom(SIZE)
    (tmp_path / "weights.bin").write_bytes(content)
    client = mlflow.MlflowClient()
    client.log_artifact(run_id, str(tmp_path / "weights.bin"), "model")
    assert sum(method == "PUT" and "signed-parts" in url for method, url in calls) == 3
    (told,) = client.list_artifacts(run_id, "model")
    assert (told.path, told.file_size) == ("model/weights.bin", SIZE)
    path = client.download_artifacts(run_id, "model/weights.bin", str(tmp_path / "back"))
    assert Path(path).read_bytes() == content


def test_a_large_file_comes_back(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "5242880")
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", "5242880")
    content = os.urandom(SIZE)
    (tmp_path / "weights.bin").write_bytes(content)
    client = mlflow.MlflowClient()
    client.log_artifact(run_id, str(tmp_path / "weights.bin"))
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    path = client.download_artifacts(run_id, "weights.bin", str(tmp_path / "back"))
    assert Path(path).read_bytes() == content


def test_an_address_is_a_permission_for_one_file(
    run_id: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    base = os.environ["TRACKING_URI"] + "/api/2.0/mlflow/artifacts"
    asked = {"run_id": run_id, "path": "notes/a b.txt", "expiration": 60}
    headers = {}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if token:
        headers["Authorization"] = f"Bearer {token}"

    def ask(what: str, body: dict[str, Any]) -> requests.Response:
        return requests.post(f"{base}/{what}", json=body, headers=headers, timeout=30)

    up = ask("presigned-upload-url", asked).json()["presigned_url"]
    assert requests.put(up, data=b"written", timeout=30).status_code == 200
    assert requests.put(up.replace("notes", "other"), data=b"x", timeout=30).status_code == 403
    down = ask("presigned-download-url", asked).json()
    assert down["file_size"] == 7
    assert requests.get(down["presigned_url"], timeout=30).content == b"written"
    part = requests.get(down["presigned_url"], headers={"Range": "bytes=2-3"}, timeout=30)
    assert (part.status_code, part.content) == (206, b"it")
    assert part.headers["content-range"] == "bytes 2-3/7"
    assert requests.put(down["presigned_url"], data=b"x", timeout=30).status_code in (403, 405)
    path = mlflow.MlflowClient().download_artifacts(run_id, "notes/a b.txt", str(tmp_path))
    assert Path(path).read_bytes() == b"written"
    for wrong in (
        asked | {"path": "../up"},
        {"path": "x"},
        asked | {"model_id": "m-1"},
        asked | {"expiration": 0},
    ):
        answer = ask("presigned-upload-url", wrong)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    missing = ask("presigned-download-url", asked | {"path": "none"})
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_files_by_what_they_belong_to(run_id: str) -> None:
    """As scripts ask that were made after MLflow's UI, without its client."""
    url = os.environ["TRACKING_URI"]
    client = mlflow.MlflowClient()
    client.log_text(run_id, "of a run", "notes/a.txt")
    asked = {"run_id": run_id, "path": "notes/a.txt"}
    assert requests.get(f"{url}/get-artifact", asked, timeout=30).text == "of a run"
    missing = requests.get(f"{url}/get-artifact", asked | {"path": "no"}, timeout=30)
    assert missing.status_code == 404

    name = f"model-{run_id}"
    client.create_registered_model(name)
    folder = client.get_run(run_id).info.artifact_uri + "/notes"
    client.create_model_version(name, folder, run_id)
    asked = {"name": name, "version": "1", "path": "a.txt"}
    answer = requests.get(f"{url}/model-versions/get-artifact", asked, timeout=30)
    assert answer.text == "of a run"

    upload = f"{url}/ajax-api/2.0/mlflow/upload-artifact"
    where = {"run_uuid": run_id, "path": "notes/b.txt"}
    assert requests.post(upload, params=where, data=b"more", timeout=30).status_code == 200
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/b.txt") == "more"


def test_an_address_that_is_none_is_no_page(run_id: str) -> None:
    answer = requests.get(os.environ["TRACKING_URI"] + "/ajax-api/2.0/mlflow/nothing", timeout=30)
    assert answer.status_code == 404
    assert "html" not in answer.headers["content-type"] or "<script" not in answer.text
