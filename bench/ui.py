"""`make bench-ui`: how soon a person sees rows, completions and charts over many traces.

Debian's Chromium without a screen, 1440 by 900, on the server's machine. Cold is a browser that has
never been there; warm one that has its files. The peers' figures are those of 10,000 traces.
"""

import shutil
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

import words
from load import percentile
from report import Report, options
from search_store import ensure, make_source

_FILTERS: Final = {
    "filter": "failed cost:>0.01",
    "common word": words.COMMON_WORD,
    "absent word": words.ABSENT_WORD,
}
_PEERS: Final = {
    "warm": "3.4 s; 6.5 s",
    "cold": "4.8 s; 9.3 s",
    "filter": "–",
    "value": "none",
    "common word": "9.1 s; 1.9 to 2.6 s",
    "absent word": "over 4 min 55 s; 1.2 s",
    "dashboard": "3.6 s; 3.9 s, the first chart",
}


class Measured:
    """Times of one thing, in seconds."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @contextmanager
    def timed(self) -> Generator[None]:
        began = time.monotonic()
        yield
        self.seconds.append(time.monotonic() - began)

    @property
    def median(self) -> float:
        return percentile(self.seconds, 0.5)

    @property
    def p95(self) -> float:
        return percentile(self.seconds, 0.95)


def rows_are_there(page: Page) -> None:
    page.get_by_test_id("trace-row").first.wait_for()


def first_rows(browser: Browser, url: str, repeats: int) -> tuple[Measured, Measured]:
    """In new browsers, and in one that was there before."""
    cold, warm = Measured(), Measured()
    for _ in range(repeats):
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        with cold.timed():
            page.goto(url, wait_until="commit")
            rows_are_there(page)
        with warm.timed():
            page.goto(url, wait_until="commit")
            rows_are_there(page)
        page.context.close()
    return cold, warm


def typing(page: Page, url: str, repeats: int) -> dict[str, Measured]:
    """From the last key to the option, and from Enter to the rows."""
    found = {name: Measured() for name in ("field", "value", *_FILTERS)}
    bar = page.get_by_test_id("filter-bar")
    for number in range(repeats):
        page.goto(url)
        rows_are_there(page)
        bar.click()
        page.keyboard.type("failed us")
        with found["field"].timed():
            page.keyboard.press("e")
            page.get_by_role("option", name="user:").wait_for()
        page.keyboard.press("Tab")
        page.keyboard.type("user-00")
        page.get_by_role("option").first.wait_for()
        begins = f"user-00{number % 10}"
        with found["value"].timed():
            page.keyboard.press(begins[-1])
            # What the server answered to the key: no other value is left.
            page.get_by_role("option").filter(has_not_text=begins).first.wait_for(state="detached")
            page.get_by_role("option").first.wait_for()
        for name, text in _FILTERS.items():
            page.goto(url)
            rows_are_there(page)
            bar.fill(text)
            with found[name].timed():
                page.keyboard.press("Enter")
                page.wait_for_url(lambda address: "q=" in address)
                state = page.get_by_text("No trace matches") if name == "absent word" else None
                (state or page.get_by_test_id("trace-row").first).wait_for()
    return found


def dashboards(page: Page, url: str, repeats: int) -> Measured:
    drawn = Measured()
    for _ in range(repeats):
        with drawn.timed():
            page.goto(url, wait_until="commit")
            page.locator(".chart-plot canvas").nth(7).wait_for()
            page.get_by_test_id("tile-Traces").wait_for()
            page.get_by_test_id("ranking-tool").get_by_role("row").nth(1).wait_for()
            page.get_by_test_id("ranking-error").get_by_role("row").nth(1).wait_for()
    return drawn


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--traces", type=int, default=10_000, help="in the store")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    folder: Path = arguments.stores.absolute() / f"search-{arguments.traces}"
    folder.mkdir(parents=True, exist_ok=True)
    system = ensure(folder, arguments.traces, make_source(arguments.traces))
    report = Report("ui")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            host, port = system.addresses[0]
            measure(browser, f"http://{host}:{port}", report, arguments.repeats)
            browser.close()
    finally:
        system.stop()
    return report.finish(write=arguments.write)


def measure(browser: Browser, base: str, report: Report, repeats: int) -> None:
    traces = f"{base}/p/0/traces"
    cold, warm = first_rows(browser, traces, repeats)
    report.bar("1", "first rows, warm: median ≤ 600 ms", told(warm.median), warm.median <= 0.6)
    report.bar("1", "first rows, warm: p95 ≤ 1,000 ms", told(warm.p95), warm.p95 <= 1.0)
    report.bar("1", "first rows, cold: median ≤ 1,500 ms", told(cold.median), cold.median <= 1.5)
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    found = typing(page, traces, repeats)
    limits = {"field": 0.05, "value": 0.15, "filter": 0.4, "common word": 1.0, "absent word": 2.0}
    for name, limit in limits.items():
        row = "7" if "word" in name else "6"
        p95 = found[name].p95
        report.bar(row, f"{name}: p95 ≤ {limit * 1000:,.0f} ms", told(p95), p95 <= limit)
    drawn = dashboards(page, f"{base}/p/0/dashboard", repeats)
    report.bar(
        "12", "dashboard, 30 days of traces: p95 ≤ 1,500 ms", told(drawn.p95), drawn.p95 <= 1.5
    )
    every: dict[str, Measured] = {"cold": cold, "warm": warm, **found, "dashboard": drawn}
    report.table(
        ("what", "median ms", "p95 ms", "peers at 10,000 traces: MLflow; Phoenix"),
        [
            (name, told(each.median), told(each.p95), _PEERS.get(name, "–"))
            for name, each in every.items()
        ],
    )


def told(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
