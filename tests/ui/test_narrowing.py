"""The list narrowed: by words that are completed, by facets, by the bars over time."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import RunningServer
from tests.ui.sending import send

USERS = ("ann", "bo", "Dr. No")
COUNT = 24


@pytest.fixture(scope="module")
def filled(server: RunningServer) -> RunningServer:
    """Every fourth trace fails, another fourth has a tool that failed."""
    for n in range(1, COUNT + 1):
        send(
            server,
            n,
            error=n % 4 == 0,
            tool_error=n % 4 == 1,
            user=USERS[n % 3],
            mlflow__traceTag__service__version="1.4" if n % 2 else "1.5",
        )
    return server


def asked(page: Page, name: str = "q") -> str:
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def test_values_are_completed_with_counts(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/traces")
    rows = page.get_by_test_id("trace-row")
    expect(rows).to_have_count(COUNT)
    page.keyboard.press("/")
    page.keyboard.type("failed us")
    page.keyboard.press("Tab")
    page.keyboard.type("Dr")
    option = page.get_by_role("option", name="Dr. No")
    expect(option).to_contain_text("8")
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("filter-bar")).to_have_value('failed user:"Dr. No" ')
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    assert asked(page) == 'failed user:"Dr. No"'


def test_a_wrong_filter_says_where_and_keeps_the_list(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/traces")
    rows = page.get_by_test_id("trace-row")
    expect(rows).to_have_count(COUNT)
    bar = page.get_by_test_id("filter-bar")
    bar.fill("failed usr:ann")
    bar.press("Enter")
    expect(page.get_by_test_id("filter-error")).to_contain_text("did you mean 'user'")
    expect(page.get_by_test_id("filter-error")).to_contain_text("column 8")
    expect(rows).to_have_count(COUNT)
    page.goto(f"{filled.url}/p/0/traces?q=cost:cheap")
    expect(page.get_by_test_id("filter-error")).to_contain_text("column 6")


def test_facets_are_the_same_state_as_the_bar(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/traces")
    rows = page.get_by_test_id("trace-row")
    rail = page.get_by_role("complementary", name="Filter by")
    status = rail.get_by_role("region", name="Status")
    expect(status.get_by_role("button", name="Failed")).to_contain_text("6")
    # The root of a trace that failed says so itself, and so does its span.
    expect(status.get_by_role("button", name="Has errors")).to_contain_text("12")
    status.get_by_role("button", name="Failed").click()
    expect(rows).to_have_count(6)
    assert asked(page) == "status:failed"
    users = rail.get_by_role("region", name="User")
    users.get_by_role("button", name="ann").click()
    expect(rows).to_have_count(2)
    users.get_by_role("button", name="Dr. No").click()
    expect(rows).to_have_count(4)
    assert asked(page) == 'status:failed user:ann,"Dr. No"'
    bar = page.get_by_test_id("filter-bar")
    expect(bar).to_have_value('status:failed user:ann,"Dr. No"')
    users.get_by_role("button", name="ann").click(modifiers=["Alt", "Shift"])
    assert asked(page) == 'status:failed user:"Dr. No" -user:ann'
    expect(rows).to_have_count(2)
    page.reload()
    expect(rows).to_have_count(2)
    expect(users.get_by_role("button", name="Dr. No")).to_have_attribute("aria-pressed", "true")


def test_bars_count_to_the_list_and_narrow_it(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/traces")
    table = page.get_by_role("table", name="Traces over time")
    expect(table.locator("tbody tr").first).to_be_attached()
    told = [
        [int(cell) for cell in row.locator("td").all_text_contents()]
        for row in table.locator("tbody tr").all()
    ]
    assert [sum(column) for column in zip(*told, strict=True)] == [12, 6, 6, 0]
    box = page.get_by_test_id("histogram").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20, steps=4)
    page.mouse.up()
    page.wait_for_url("**range=**")
    expect(page.get_by_test_id("trace-row")).to_have_count(COUNT)


def test_nothing_found_says_what_to_take_away(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/traces?q=failed%20user:nobody")
    way = page.get_by_role("button", name="Without user:nobody")
    expect(way).to_contain_text("6 traces")
    way.click()
    expect(page.get_by_test_id("trace-row")).to_have_count(6)


def test_users_are_ranked_and_lead_to_their_traces(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/traces")
    page.get_by_role("link", name="Users").click()
    rows = page.get_by_test_id("user-row")
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Failed").click()
    page.wait_for_url("**sort=-failed")
    bo = rows.filter(has_text="bo")
    expect(bo).to_contain_text("25 %")
    bo.get_by_role("link").filter(has_text="25 %").click()
    expect(page.get_by_test_id("trace-row")).to_have_count(2)
    assert asked(page) == "user:bo failed"


def test_two_releases_are_compared_in_two_clicks(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/dashboard")
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_test_id("release-row")).to_have_count(2)
    page.get_by_role("link", name="with 1.5").click()
    compared = page.get_by_test_id("compare")
    failed = compared.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Failed"))
    expect(failed).to_contain_text("50 %")
    expect(failed).to_contain_text("−50.0 pts")
    expect(failed).not_to_contain_text("chance")
    latency = page.get_by_role("rowheader", name="Latency, p50")
    expect(compared.get_by_role("row").filter(has=latency)).to_contain_text("may be chance")
    assert (asked(page, "a"), asked(page, "b")) == ("release:1.5", "release:1.4")
    page.reload()
    expect(failed).to_contain_text("−50.0 pts")
    failed.get_by_role("link", name="50 %").click()
    expect(page.get_by_test_id("trace-row")).to_have_count(6)
    assert asked(page) == "release:1.5 failed"


def test_the_dashboard_counts_to_the_lists(filled: RunningServer, page: Page) -> None:
    page.goto(f"{filled.url}/p/0/dashboard")
    for label, count in (("Traces", 24), ("Failed", 6), ("With errors", 12)):
        tile = page.get_by_test_id(f"tile-{label}")
        expect(tile.get_by_role("link")).to_have_text(str(count))
        tile.get_by_role("link").click()
        expect(page.get_by_test_id("trace-row")).to_have_count(count)
        page.go_back()
    chart = page.get_by_test_id("chart-traces")
    chart.get_by_role("button", name="Table").click()
    cells = chart.get_by_role("cell").all_text_contents()
    assert cells == ["6", "18"]
    tools = page.get_by_test_id("ranking-tool")
    tools.get_by_role("row").filter(has_text="find_parcel").get_by_role("link").click()
    expect(page.get_by_test_id("trace-row")).to_have_count(COUNT)


def test_errors_are_grouped_and_resolved_until_they_come_back(
    filled: RunningServer, page: Page
) -> None:
    for n in (101, 102, 103):
        send(filled, n, tool_error=True, message=f"no answer in {n} s", user="cleo")
    page.goto(f"{filled.url}/p/0/errors")
    row = page.get_by_test_id("error-row").filter(has_text="no answer in # s")
    expect(row.get_by_role("cell").nth(0)).to_have_text("3")
    expect(row.get_by_role("cell").nth(1)).to_have_text("1")
    row.get_by_role("button", name="Resolve").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Resolved").click()
    page.wait_for_url("**show=resolved")
    expect(row).to_have_count(1)
    page.reload()
    row.get_by_role("cell").nth(0).get_by_role("link").click()
    expect(page.get_by_test_id("trace-row")).to_have_count(3)
    send(filled, 104, tool_error=True, message="no answer in 9 s", user="bo", late=True)
    page.goto(f"{filled.url}/p/0/errors")
    expect(row).to_contain_text("Back")
    expect(row.get_by_role("cell").nth(0)).to_have_text("4")
