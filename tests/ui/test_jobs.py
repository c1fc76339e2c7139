"""The five things that people on call do all day, each with its actions and keys counted."""

from playwright.sync_api import Page, expect

from tests.conftest import RunningServer
from tests.spans import public_id
from tests.ui.sending import send


class Hands:
    """Does what a person does, and counts."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.clicks = 0
        self.keys = 0

    def click(self, role: str, name: str) -> None:
        self.clicks += 1
        self._page.get_by_role(role, name=name).click()  # type: ignore[arg-type]

    def press(self, key: str) -> None:
        self.keys += 1
        self._page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.keys += len(text)
        self._page.keyboard.type(text)


def test_the_failing_traces_of_one_user_in_the_last_hour(server: RunningServer, page: Page) -> None:
    for n in range(1, 9):
        send(server, n, error=n % 2 == 0, user="yara" if n < 5 else "zoe", late=n > 2)
    page.goto(f"{server.url}/p/0/traces")
    expect(page.get_by_test_id("trace-row")).to_have_count(8)
    hands = Hands(page)
    hands.click("button", "All time")
    hands.click("button", "Last hour")
    hands.press("/")
    hands.type("failed user:ya")
    expect(page.get_by_role("option", name="yara")).to_be_visible()
    hands.press("Tab")
    hands.press("Enter")
    expect(page.get_by_test_id("trace-row")).to_have_count(1)
    assert hands.clicks + 1 <= 3  # the bar is one action
    assert hands.keys <= 30


def test_two_releases_from_a_dashboard(server: RunningServer, page: Page) -> None:
    for n in range(21, 29):
        release = "2.0" if n % 2 else "2.1"
        send(server, n, error=n == 22, mlflow__traceTag__service__version=release)
    page.goto(f"{server.url}/p/0/dashboard")
    hands = Hands(page)
    hands.click("link", "Versions")
    hands.click("link", "with 2.")
    expect(page.get_by_test_id("compare")).to_contain_text("pts")
    assert (hands.clicks, hands.keys) == (2, 0)


def test_the_cost_of_each_user(server: RunningServer, page: Page) -> None:
    for n, dollars in ((31, 0.5), (32, 2.5), (33, 1.0)):
        cost = f'{{"input_cost": 0, "output_cost": {dollars}, "total_cost": {dollars}}}'
        send(server, n, user=f"payer-{n}", mlflow__llm__cost=cost)
    page.goto(f"{server.url}/p/0/traces")
    hands = Hands(page)
    hands.click("link", "Users")
    expect(page.get_by_test_id("user-row").first).to_contain_text("payer-32")
    expect(page.get_by_test_id("user-row").nth(1)).to_contain_text("payer-33")
    assert (hands.clicks, hands.keys) == (1, 0)


def test_a_thumb_down_with_a_comment(server: RunningServer, page: Page) -> None:
    send(server, 41)
    page.goto(f"{server.url}/p/0/t/{public_id(41)}")
    expect(page.get_by_test_id("span-row")).to_have_count(2)
    hands = Hands(page)
    hands.press("-")
    comment = "wrong city"
    hands.type(comment)
    with page.expect_response(lambda answer: answer.url.endswith("/assessments")) as posted:
        hands.press("Control+Enter")
    assert posted.value.status == 200
    assert hands.keys - len(comment) <= 3
    assert hands.clicks == 0


def test_a_trace_that_grows_is_followed(server: RunningServer, page: Page) -> None:
    send(server, 51, late=True, running=True)
    page.goto(f"{server.url}/p/0/t/{public_id(51)}")
    rows = page.get_by_test_id("span-row")
    expect(rows.filter(has_text="find_parcel")).to_have_count(1)
    expect(rows.filter(has_text="support")).to_have_count(0)
    send(server, 51, late=True)
    expect(rows.filter(has_text="support")).to_have_count(1, timeout=5_000)
    expect(rows).to_have_count(2)
