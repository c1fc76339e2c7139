"""What a person on call does first: see a trace come, find the one that failed, judge it."""

from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import RunningServer
from tests.spans import public_id
from tests.ui.sending import send


@pytest.mark.timeout(1200)
def test_from_the_list_to_feedback(server: RunningServer, page: Page) -> None:
    send(server, 1)
    send(server, 2, error=True)
    page.goto(f"{server.url}/p/0/traces")
    rows = page.get_by_test_id("trace-row")
    expect(rows).to_have_count(2)

    send(server, 3)
    expect(rows).to_have_count(3, timeout=10_000)  # live: it comes by itself

    field = page.get_by_test_id("filter-bar")
    field.fill("failed")
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
