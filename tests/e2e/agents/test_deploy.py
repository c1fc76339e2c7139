"""Deploying to a real server: real environments, real processes, and what goes wrong with them."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import RunningServer, start_server
from tracelake.agents.client import Deployer, DeployFailed, Deployment, deploy
from tracelake.model.errors import InvalidInput, Unavailable

AGENT = """
import os, time
from tracelake.agents import last_user_text, set_agent

VERSION = {version!r}

def answer(request):
    text = last_user_text(request)
    if text == "die":
        os._exit(9)
    if text == "who":
        return f"{{os.getpid()}} {{os.getcwd()}} {{os.environ.get('FLAVOUR')}}"
    if text.startswith("sleep "):
        time.sleep(float(text.split()[1]))
    return f"{{VERSION}}: {{text}}"

def stream(request):
    for word in last_user_text(request).split():
        if word == "die":
            os._exit(9)
        time.sleep(0.2)
        yield word + " "

class Agent:
    predict = staticmethod(answer)
    predict_stream = staticmethod(stream)

set_agent(Agent())
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[RunningServer]:
    running = start_server(home, f"sqlite:///{home / 'tracelake.db'}")
    yield running
    stop(running)


def stop(running: RunningServer) -> None:
    """TERM the server; its agents must be gone with it."""
    children = psutil.Process(running.process.pid).children(recursive=True)
    running.process.terminate()
    assert running.process.wait(30) in (0, -15)
    _, alive = psutil.wait_procs(children, timeout=1)
    assert alive == []


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write an agent file; its answers begin with `version`."""

    def write_file(version: str = "v1", before: str = "", source: str | None = None) -> Path:
        path = tmp_path / "agent.py"
        path.write_text(before + (AGENT.format(version=version) if source is None else source))
        return path

    return write_file


def ask(deployment: Deployment, text: str, **more: Any) -> httpx.Response:
    return httpx.post(deployment.url, json={"input": text, **more}, timeout=30)


def text_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.json()["output"][0]["content"][0]["text"]


def wait_for(condition: Callable[[], Any], timeout_s: float = 20) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not so within {timeout_s} s")


def find_trace(server: RunningServer, trace_id: str) -> Any:
    answer = httpx.get(f"{server.url}/api/v1/traces/{trace_id}")
    return answer.json() if answer.status_code == 200 else None


def test_an_agent_answers_and_its_trace_says_where_it_came_from(
    server: RunningServer, write: Callable[..., Path]
) -> None:
    made = deploy(
        write(), name="main.test.basic", environment={"FLAVOUR": "mint"}, tracking_uri=server.url
    )
    assert (made.version, made.endpoint) == (1, "agents_main-test-basic")
    answer = ask(made, "hi", context={"conversation_id": "c1", "user_id": "u1"})
    assert text_of(answer) == "v1: hi"
    assert answer.headers["served-model-name"] == "main-test-basic_1"
    trace = wait_for(lambda: find_trace(server, answer.headers["x-tracelake-trace-id"]))
    assert (trace["state"], trace["name"]) == ("OK", "basic")
    assert (trace["session_id"], trace["user"]) == ("c1", "u1")
    assert trace["experiment_id"] == made.experiment_id
    assert trace["client_request_id"] == answer.headers["x-request-id"]
    told = {key: value for key, value in trace["tags"].items() if key.startswith("tracelake.")}
    assert told == {
        "tracelake.endpoint": "agents_main-test-basic",
        "tracelake.agent": "main.test.basic",
        "tracelake.agent_version": "1",
        "tracelake.request_id": answer.headers["x-request-id"],
    }
    pid, folder, flavour = text_of(ask(made, "who")).split()
    assert int(pid) != server.process.pid
    assert folder.endswith("endpoints/agents_main-test-basic/work")
    assert flavour == "mint"
    served = made.url.replace("/invocations", "/served-models/main-test-basic_1/invocations")
    assert httpx.post(served, json={"input": "x"}).status_code == 200
    assert httpx.post(served.replace("_1/", "_2/"), json={"input": "x"}).status_code == 404


def test_the_experiment_can_be_named(server: RunningServer, write: Callable[..., Path]) -> None:
    made = deploy(
        write(), name="main.test.named", experiment="a place of my own", tracking_uri=server.url
    )
    found = httpx.get(f"{server.url}/api/v1/experiments/{made.experiment_id}").json()
    assert found["name"] == "a place of my own"


def test_a_stream_comes_piece_by_piece(server: RunningServer, write: Callable[..., Path]) -> None:
    made = deploy(write(), name="main.test.stream", tracking_uri=server.url)
    arrived: list[tuple[float, str]] = []
    body = {"input": "one two three four", "stream": True}
    with httpx.stream("POST", made.url, json=body, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line:
                arrived.append((time.monotonic(), line))
    assert arrived[-1][1] == "data: [DONE]"
    words = [json.loads(line[6:])["delta"] for _, line in arrived[:-1]]
    assert words == ["one ", "two ", "three ", "four "]
    assert arrived[3][0] - arrived[0][0] > 0.4
    trace = wait_for(lambda: find_trace(server, answer.headers["x-tracelake-trace-id"]))
    assert (trace["response_preview"], trace["span_count"]) == ("one two three four ", 1)


def test_a_caller_who_leaves_ends_the_stream(
    server: RunningServer, write: Callable[..., Path]
) -> None:
    made = deploy(write(), name="main.test.leaver", tracking_uri=server.url)
    body = {"input": " ".join(["word"] * 500), "stream": True}
    with httpx.stream("POST", made.url, json=body, timeout=30) as answer:
        next(answer.iter_lines())
        trace_id = answer.headers["x-tracelake-trace-id"]
    trace = wait_for(lambda: find_trace(server, trace_id))
    assert trace["execution_duration_ms"] < 20_000
    assert trace["state"] == "ERROR"


def test_a_process_that_dies_is_told_and_comes_back(
    server: RunningServer, write: Callable[..., Path]
) -> None:
    made = deploy(write(), name="main.test.dying", tracking_uri=server.url)
    first = int(text_of(ask(made, "who")).split()[0])
    answer = ask(made, "die")
    assert answer.status_code == 502
    assert answer.json()["error_code"] == "AGENT_ERROR"
    away = ask(made, "hi")
    if away.status_code != 200:
        assert away.status_code == 503
        assert int(away.headers["retry-after"]) > 0
    wait_for(lambda: ask(made, "hi").status_code == 200)
    assert int(text_of(ask(made, "who")).split()[0]) != first
    streamed = ask(made, "one die", stream=True)
    lines = [line for line in streamed.text.splitlines() if line]
    assert "the agent's process ended" in lines[-2]
    assert lines[-1] == "data: [DONE]"


def test_a_version_that_does_not_start_leaves_the_old_one(
    server: RunningServer, write: Callable[..., Path]
) -> None:
    name = "main.test.failing"
    broken = "print('about to fail')\nraise RuntimeError('no database here')\n"
    with pytest.raises(DeployFailed, match="no database here") as failure:
        deploy(write(source=broken), name=name, tracking_uri=server.url)
    assert "about to fail" in failure.value.message
    first = httpx.get(f"{server.url}/api/v1/endpoints/agents_main-test-failing").json()
    assert first["state"] == "FAILED"
    assert "no database here" in first["message"]
    url = f"{server.url}/serving-endpoints/agents_main-test-failing/invocations"
    assert httpx.post(url, json={"input": "x"}).status_code == 503
    made = deploy(write("v2"), name=name, tracking_uri=server.url)
    assert text_of(ask(made, "hi")) == "v2: hi"
    with pytest.raises(DeployFailed, match="names no agent"):
        deploy(write(source="x = 1"), name=name, tracking_uri=server.url)
    assert text_of(ask(made, "hi")) == "v2: hi"
    after = httpx.get(f"{server.url}/api/v1/endpoints/agents_main-test-failing").json()
    assert (after["state"], after["agent_version"]) == ("READY", 2)
    assert "version 3 did not start" in after["message"]
    logs = httpx.get(f"{server.url}/api/v1/endpoints/agents_main-test-failing/logs").json()
    assert "about to fail" in logs["logs"]


def test_a_new_version_takes_over_without_a_failed_request(
    server: RunningServer, write: Callable[..., Path]
) -> None:
    name = "main.test.rolling"
    made = deploy(write("v1"), name=name, tracking_uri=server.url)
    answers: list[str] = []
    done = threading.Event()

    def keep_asking() -> None:
        with httpx.Client(timeout=30) as client:
            while not done.is_set():
                answer = client.post(made.url, json={"input": "sleep 0.02"})
                answers.append(text_of(answer) if answer.status_code == 200 else answer.text)

    slow: list[httpx.Response] = []
    askers = [threading.Thread(target=keep_asking) for _ in range(4)]
    askers.append(threading.Thread(target=lambda: slow.append(ask(made, "sleep 4"))))
    for asker in askers:
        asker.start()
    for version in ("v2", "v3"):
        deploy(write(version), name=name, tracking_uri=server.url)
        wait_for(lambda version=version: answers[-1].startswith(version))
    done.set()
    for asker in askers:
        asker.join()
    assert {answer[:3] for answer in answers} == {"v1:", "v2:", "v3:"}
    assert text_of(slow[0]) == "v1: sleep 4"


def test_updates_of_one_endpoint_come_one_at_a_time(
    server: RunningServer, write: Callable[..., Path]
) -> None:
    name = "main.test.queue"
    deploy(write(before="import time; time.sleep(2)\n"), name=name, tracking_uri=server.url)
    wish = {"agent_name": name, "agent_version": 1}
    answers: list[int] = []

    def put() -> None:
        url = f"{server.url}/api/v1/endpoints"
        answers.append(httpx.post(url, json=wish, timeout=30).status_code)

    callers = [threading.Thread(target=put) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(answers) == [200, 409]


def test_requirements_are_installed_for_this_agent_alone(
    server: RunningServer, write: Callable[..., Path]
) -> None:
    source = (
        "# /// script\n# dependencies = ['sortedcollections']\n# ///\n"
        "import sortedcollections\n"
        "def agent(request): return sortedcollections.__file__\n"
    )
    made = deploy(write(source=source), name="main.test.needing", tracking_uri=server.url)
    assert "/environments/" in text_of(ask(made, "x"))
    with pytest.raises(ImportError):
        __import__("sortedcollections")


def test_requirements_that_do_not_exist_are_told(
    server: RunningServer, write: Callable[..., Path], tmp_path: Path
) -> None:
    needs = tmp_path / "needs.txt"
    needs.write_text("iniconfig==999.0\n")
    with pytest.raises(DeployFailed, match=r"(?s)could not be installed.*iniconfig"):
        deploy(write(), name="main.test.unmet", requirements=needs, tracking_uri=server.url)


def test_an_endpoint_can_be_deleted(server: RunningServer, write: Callable[..., Path]) -> None:
    made = deploy(write(), name="main.test.passing", tracking_uri=server.url)
    pid = int(text_of(ask(made, "who")).split()[0])
    address = f"{server.url}/api/v1/endpoints/{made.endpoint}"
    assert httpx.delete(address, timeout=30).json() == {}
    assert not psutil.pid_exists(pid)
    assert httpx.get(address).status_code == 404
    assert ask(made, "x").status_code == 404
    again = deploy(write(), name="main.test.passing", tracking_uri=server.url)
    assert again.version == 2


def test_bad_input_is_told(server: RunningServer, write: Callable[..., Path]) -> None:
    with pytest.raises(InvalidInput, match="three parts"):
        deploy(write(), name="airline", tracking_uri=server.url)
    with pytest.raises(InvalidInput, match="set by the server"):
        deploy(write(), name="a.b.c", environment={"TRACELAKE_X": "1"}, tracking_uri=server.url)
    versions = f"{server.url}/api/v1/agents/a.b.c/versions"
    answer = httpx.post(versions, files={"package": ("x.zip", b"not a zip")})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    wish = {"agent_name": "a.b.c", "agent_version": 7}
    assert httpx.post(f"{server.url}/api/v1/endpoints", json=wish).status_code == 404
    made = deploy(write(), name="main.test.strict", tracking_uri=server.url)
    answer = httpx.post(made.url, json={"messages": []})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    odd = httpx.post(made.url, json={"input": "x"}, headers=[(b"x-request-id", b"\xe4\xf6")])
    assert odd.status_code == 200
    assert odd.headers["x-request-id"] == "%C3%A4%C3%B6"
    big = httpx.post(made.url, content=bytes(17 << 20), timeout=30)
    assert big.status_code == 413


def test_endpoints_survive_the_server_stopped_and_killed(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'tracelake.db'}"
    running = start_server(tmp_path, store)
    made = deploy(write(), name="main.test.lasting", tracking_uri=running.url)
    stop(running)
    running = start_server(tmp_path, store, running.port)
    wait_for(lambda: ask(made, "hi").status_code == 200)
    pid = int(text_of(ask(made, "who")).split()[0])
    # Stopped, it cannot see that its server is gone: the next server has to end it.
    os.kill(pid, 19)
    running.process.kill()
    running.process.wait()
    running = start_server(tmp_path, store, running.port)
    wait_for(lambda: ask(made, "hi").status_code == 200)
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
    pid = int(text_of(ask(made, "who")).split()[0])
    # A running one sees it by itself.
    running.process.kill()
    running.process.wait()
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


def test_of_two_servers_on_one_store_one_serves(write: Callable[..., Path], tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'tracelake.db'}"
    one = start_server(tmp_path / "one", store)
    made = deploy(write(), name="main.test.single", tracking_uri=one.url)
    other = start_server(tmp_path / "other", store)
    try:
        told = httpx.get(f"{other.url}/api/v1/endpoints/{made.endpoint}").json()
        assert (told["state"], told["message"]) == (
            "NOT_READY",
            "served by the server that it was deployed to",
        )
        asked = httpx.post(made.url.replace(one.url, other.url), json={"input": "hi"})
        assert asked.status_code == 404
        assert "is served here" in asked.json()["message"]
        assert ask(made, "hi").status_code == 200
    finally:
        stop(other)
        stop(one)


def test_the_last_answer_before_a_stop_is_traced(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'tracelake.db'}"
    running = start_server(tmp_path, store)
    made = deploy(write(), name="main.test.last", tracking_uri=running.url)
    trace_id = ask(made, "hi").headers["x-tracelake-trace-id"]
    stop(running)
    running = start_server(tmp_path, store, running.port)
    assert find_trace(running, trace_id)["state"] == "OK"
    stop(running)


def run_cli(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tracelake", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_command_says_what_it_does(server: RunningServer, write: Callable[..., Path]) -> None:
    options = ("--server", server.url, "--env", "FLAVOUR=lime")
    done = run_cli("deploy", str(write()), "--name", "main.test.said", *options)
    assert done.returncode == 0, done.stderr
    assert "Packaged" in done.stdout
    assert "1 file," in done.stdout
    assert "Registered main.test.said version 1" in done.stdout
    curl = next(line for line in done.stdout.splitlines() if line.strip().startswith("curl"))
    said = subprocess.run(curl, shell=True, capture_output=True, text=True, check=True)
    assert "v1: Hello!" in said.stdout
    assert f"{server.url}/p/" in done.stdout


def test_the_command_tells_what_to_do_next(write: Callable[..., Path], tmp_path: Path) -> None:
    done = run_cli("deploy", str(write()), "--name", "a.b.c", "--server", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "Start one with `tracelake server`" in done.stderr
    assert "Traceback" not in done.stderr
    done = run_cli("deploy", str(tmp_path / "none.py"), "--name", "a.b.c")
    assert "there is no file" in done.stderr
    with pytest.raises(Unavailable):
        Deployer("http://127.0.0.1:9").check_server()


def test_the_demo_leaves_sessions_errors_and_opinions(
    server: RunningServer,
) -> None:
    done = run_cli("demo", "--server", server.url)
    assert done.returncode == 0, done.stderr
    found = httpx.get(
        f"{server.url}/api/v1/experiments", params={"name": "main.support.outfitter"}
    ).json()["experiments"]
    search = {"experiment_ids": [found[0]["experiment_id"]], "max_results": 100}
    traces = wait_for(lambda: _enough(server, search, 14))
    assert {trace["state"] for trace in traces} == {"OK", "ERROR"}
    assert len({trace["session_id"] for trace in traces}) == 6
    assert all(trace["token_usage"]["total_tokens"] > 0 for trace in traces)
    opinions = [each for trace in traces for each in trace["assessments"]]
    assert sorted(each["feedback"]["value"] for each in opinions) == [False, True]
    tent = next(trace for trace in traces if "tent" in trace["request_preview"])
    spans = httpx.get(f"{server.url}/api/v1/traces/{tent['trace_id']}/spans").json()["spans"]
    kinds = [span["span_type"] for span in spans]
    assert kinds == ["AGENT", "CHAT_MODEL", "TOOL", "CHAT_MODEL", "TOOL", "CHAT_MODEL"]
    again = run_cli("demo", "--server", server.url, "--once")
    assert "nothing to do" in again.stdout


def _enough(server: RunningServer, search: dict[str, Any], count: int) -> list[Any] | None:
    found = httpx.post(f"{server.url}/api/v1/traces/search", json=search).json()["traces"]
    whole = [trace for trace in found if trace["state"] != "IN_PROGRESS"]
    return whole if len(whole) >= count else None
