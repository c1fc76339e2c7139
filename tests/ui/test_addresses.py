"""The address is the state: what a person sees, another sees who opens the same address."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import RunningServer
from tests.ui.sending import send

Steps = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def filled(server: RunningServer) -> RunningServer:
    for n in range(1, 25):
        send(
            server,
            n,
            error=n % 4 == 0,
            tool_error=n % 4 == 1,
            message=f"no answer in {n} s",
            user=f"user-{n % 3}",
            session__id=f"s-{n % 5}",
            mlflow__traceTag__service__version="1.4" if n % 2 else "1.5",
        )
    return server


def narrowed_traces(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/traces")
    bar = page.get_by_test_id("filter-bar")
    bar.fill("errors -user:user-1")
    bar.press("Enter")
    page.get_by_role("button", name="Failed").click()
    page.get_by_text("Live", exact=True).click()
    page.wait_for_url("**live=false**")


def hidden_facets(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/traces")
    page.get_by_role("button", name="Hide the facets").click()


def selected_span(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/traces")
    page.get_by_test_id("trace-row").nth(3).click()
    page.get_by_test_id("span-row").nth(1).click()
    page.get_by_role("tab", name="Attributes").click()


def trace_as_a_log(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/traces")
    page.get_by_test_id("trace-row").first.click()
    expect(page.get_by_test_id("span-row")).to_have_count(2)
    page.keyboard.press("l")
    expect(page.get_by_test_id("log-entry")).to_have_count(2)


def one_session(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/sessions?q=user:user-1")
    page.get_by_test_id("session-row").first.click()


def sorted_users(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/users")
    page.get_by_role("button", name="Last seen").click()
    page.get_by_role("button", name="Last seen").click()
    page.wait_for_url("**sort=last")


def all_errors(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/errors?q=release:1.4")
    page.get_by_role("group", name="Status").get_by_role("button", name="All").click()


def compared_releases(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/versions")
    page.get_by_role("link", name="with 1.").click()


def narrowed_dashboard(page: Page, base: str) -> None:
    page.goto(f"{base}/p/0/dashboard")
    bar = page.get_by_test_id("filter-bar")
    bar.fill("release:1.5")
    bar.press("Enter")
    page.wait_for_url("**q=release**")


@pytest.mark.parametrize(
    "steps",
    [
        narrowed_traces,
        hidden_facets,
        selected_span,
        trace_as_a_log,
        one_session,
        sorted_users,
        all_errors,
        compared_releases,
        narrowed_dashboard,
    ],
    ids=lambda steps: steps.__name__,
)
def test_an_address_brings_back_what_was_seen(
    filled: RunningServer, page: Page, browser: Browser, steps: Steps
) -> None:
    steps(page, filled.url)
    page.wait_for_timeout(800)
    seen = page.locator("main").inner_text()
    fresh = browser.new_context(viewport={"width": 1440, "height": 900})
    other = fresh.new_page()
    other.goto(page.url)
    expect(other.locator("main")).to_have_text(seen, use_inner_text=True)
    fresh.close()


def test_an_address_is_good_after_a_thousand_newer_traces(
    filled: RunningServer, page: Page, browser: Browser
) -> None:
    page.goto(f"{filled.url}/p/0/traces?q=failed%20user:user-1")
    expect(page.get_by_test_id("trace-row")).to_have_count(2)
    page.get_by_test_id("trace-row").last.click()
    expect(page.get_by_test_id("span-row")).to_have_count(2)
    address, seen = page.url, page.locator("main").inner_text()
    for n in range(1000, 2000, 50):
        send(filled, *range(n, n + 50), late=True)
    fresh = browser.new_context(viewport={"width": 1440, "height": 900})
    other = fresh.new_page()
    other.goto(address)
    expect(other.get_by_test_id("span-row")).to_have_count(2)
    expect(other.locator("main")).to_have_text(seen, use_inner_text=True)
    other.goto(f"{filled.url}/p/0/traces?q=failed%20user:user-1")
    expect(other.get_by_test_id("trace-row")).to_have_count(2)
    fresh.close()
