"""WCAG 2.1 A and AA by axe-core, on every page, in both themes."""

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import RunningServer
from tests.spans import public_id
from tests.ui.sending import send

AXE = Path(__file__).parents[2] / "ui/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
PAGES = {
    "experiments": "/",
    "traces": "/p/0/traces",
    "a filter that is refused": "/p/0/traces?q=usr:x",
    "nothing found": "/p/0/traces?q=user:nobody%20failed",
    "an empty experiment": "/p/{empty}/traces",
    "trace": f"/p/0/t/{public_id(2)}",
    "its log": f"/p/0/t/{public_id(2)}?view=log",
    "it raw": f"/p/0/t/{public_id(2)}?view=raw",
    "its chat": f"/p/0/t/{public_id(2)}?tab=chat",
    "sessions": "/p/0/sessions",
    "session": "/p/0/s/s-1",
    "users": "/p/0/users",
    "dashboard": "/p/0/dashboard",
    "errors": "/p/0/errors",
    "versions": "/p/0/versions?a=release:1.4&b=release:1.5",
}


@pytest.fixture(scope="module")
def filled(server: RunningServer) -> RunningServer:
    for n in range(1, 13):
        send(
            server,
            n,
            error=n % 4 == 2,
            tool_error=n % 4 == 1,
            message="no answer in 5 s",
            user=f"user-{n % 3}",
            session__id=f"s-{n % 3}",
            mlflow__traceTag__service__version="1.4" if n % 2 else "1.5",
        )
    return server


@pytest.fixture(scope="module")
def empty_experiment(server: RunningServer) -> str:
    body = json.dumps({"name": "empty"}).encode()
    request = Request(
        f"{server.url}/api/v1/experiments", body, {"content-type": "application/json"}
    )
    with urlopen(request, timeout=10) as answer:
        return json.load(answer)["experiment_id"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_violation(
    filled: RunningServer, browser: Browser, name: str, theme: str, empty_experiment: str
) -> None:
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light")
    page = context.new_page()
    page.goto(filled.url + PAGES[name].format(empty=empty_experiment))
    expect(page.locator("main")).to_be_visible()
    page.wait_for_timeout(800)  # a live page is never idle
    page.evaluate(AXE.read_text())  # a tag would be stopped by the policy of the page
    found: Any = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    wrong = [
        f"{each['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
        for each in found["violations"]
        for node in each["nodes"]
    ]
    context.close()
    assert wrong == []
