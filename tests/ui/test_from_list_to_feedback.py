"""The UI in a real browser against a real server: what a person on call does first."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import RunningServer, start_server
from tests.spans import make_request, make_span, public_id

CHAT = '{"messages":[{"role":"user","content":"Where is my parcel?"}]}'
ANSWER = '{"choices":[{"message":{"role":"assistant","content":"In Arras."}}]}'


@pytest.fixture(scope="module")
def chromium() -> str:
    """Debian's chromium, installed where it is missing."""
    found = shutil.which("chromium")
    if found is None:
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=300)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        subprocess.run(install, check=True, timeout=900, stdout=subprocess.DEVNULL)
        found = shutil.which("chromium")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home: Path = tmp_path_factory.mktemp("home")
    running = start_server(home, f"sqlite:///{home / 'tracelake.db'}")
    yield running
    running.process.terminate()
    running.process.wait(30)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        outside: list[str] = []
        page.on("request", lambda r: None if "127.0.0.1" in r.url else outside.append(r.url))
        yield page
        browser.close()
    assert problems == []
    assert outside == []


def send(server: RunningServer, trace: int, *, error: bool = False) -> None:
    root = make_span(
        trace,
        1,
        name="support",
        error=error,
        mlflow__spanType="AGENT",
        mlflow__spanInputs=CHAT,
        mlflow__spanOutputs=ANSWER,
        user__id=f"user-{trace}",
    )
    tool = make_span(trace, 2, 1, name="find_parcel", mlflow__spanType="TOOL")
    body = make_request([root, tool]).SerializeToString()
    headers = {"content-type": "application/x-protobuf"}
    with urlopen(Request(server.url + "/v1/traces", body, headers), timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.timeout(1200)
def test_from_the_list_to_feedback(server: RunningServer, page: Page) -> None:
    send(server, 1)
    send(server, 2, error=True)
    page.goto(f"{server.url}/p/0/traces")
    rows = page.get_by_test_id("trace-row")
    expect(rows).to_have_count(2)

    send(server, 3)
    expect(rows).to_have_count(3, timeout=10_000)  # live: it comes by itself

    bar = page.get_by_test_id("filter-bar")
    field = bar if bar.evaluate("e => e.tagName") in ("INPUT", "TEXTAREA") else bar.locator("input")
    field.fill("status = 'ERROR'")
    field.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("user-2")
    page.reload()  # the address is the state
    expect(rows).to_have_count(1)

    rows.first.click()
    expect(page.get_by_test_id("span-row")).to_have_count(2)
    page.get_by_test_id("tab-chat").click()  # a failed span opens with its error
    expect(page.get_by_text("Where is my parcel?").first).to_be_visible()
    expect(page.get_by_text("In Arras.").first).to_be_visible()

    page.get_by_test_id("thumbs-down").click()
    comment = page.get_by_test_id("feedback-comment")
    comment.fill("It was in Lille.")
    with page.expect_response(lambda answer: answer.url.endswith("/assessments")) as posted:
        comment.press("Control+Enter")
    assert posted.value.status == 200
    with urlopen(f"{server.url}/api/v1/traces/{public_id(2)}", timeout=10) as answer:
        assert b"It was in Lille." in answer.read()
    page.reload()
    page.get_by_role("button", name="1 assessment").click()
    expect(page.get_by_text("It was in Lille.").first).to_be_visible()


def test_a_wrong_filter_says_where(server: RunningServer, page: Page) -> None:
    send(server, 1)
    page.goto(f"{server.url}/p/0/traces?q=status%20%3D%20OK")
    expect(page.get_by_test_id("filter-error")).to_contain_text("column 10")
