"""The page of a report in a real browser: what a person sees, and that nothing leaves it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from aegis.cli.page.report import Report, page
from aegis.domain.ids import Symbol
from tests.cli.test_page import HOSTILE, report_of, some
from tests.domain.kit import Desk

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

WIDE, PHONE, NARROW = (1200, 800), (390, 800), (320, 640)
CELLS = "table.trades tbody tr td:nth-child({column})"
PNL = 9

Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Tests run as root in containers, where Chromium's own sandbox cannot be.
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of(some(300), (Desk().holding(),))


@pytest.fixture
def shown(browser: Browser, tmp_path: Path, report: Report) -> Iterator[Opened]:
    """Open a page, and say at the end that it said and asked for nothing."""
    heard: list[str] = []
    asked: list[str] = []
    file = tmp_path / "page.html"

    def show(
        made: Report = report, size: tuple[int, int] = WIDE, scheme: Any = "light", **options: Any
    ) -> Page:
        file.write_text(page(made))
        opened = browser.new_page(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **options
        )
        opened.on("console", lambda message: heard.append(message.text))
        opened.on("pageerror", lambda error: heard.append(str(error)))
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(file.as_uri())
        return opened

    yield show
    assert heard == []
    assert set(asked) == {file.as_uri()}
    for context in browser.contexts:
        context.close()


def lines_of(opened: Page, key: str) -> str:
    path = opened.locator(f"#{key} path.line").get_attribute("d")
    assert path is not None
    return path


def is_wider_than_the_screen(opened: Page) -> bool:
    return bool(opened.evaluate("document.documentElement.scrollWidth > innerWidth"))


def test_both_curves_are_drawn_with_every_point(shown: Opened, report: Report) -> None:
    opened = shown()
    assert report.found.path is not None
    for key in ("equity", "drawdown"):
        assert lines_of(opened, key).count("V") + 1 == len(report.found.path.shown)
        box = opened.locator(f"#{key} path.line").bounding_box()
        assert box is not None
        assert box["width"] > 900
        assert box["height"] > 50


def test_every_trade_has_its_row(shown: Opened) -> None:
    opened = shown()
    assert opened.locator("table.trades tbody tr").count() == 300
    assert opened.locator("table.left tbody tr").count() == 1
    assert opened.locator("#days rect").count() == 13


@pytest.mark.parametrize("size", [WIDE, PHONE, NARROW])
def test_no_width_of_a_screen_is_too_small(shown: Opened, size: tuple[int, int]) -> None:
    opened = shown(size=size)
    assert not is_wider_than_the_screen(opened)
    words = opened.locator("#equity text").all()
    assert len(words) >= 2
    for word in words:
        assert word.evaluate("each => getComputedStyle(each).fontSize") == "12px"


def test_dark_and_light_are_different_and_both_can_be_read(shown: Opened) -> None:
    contrasts = []
    for scheme in ("light", "dark"):
        opened = shown(scheme=scheme)
        colors = opened.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body)"
            ".backgroundColor].map(each => each.match(/\\d+/g).map(Number))"
        )
        ink, ground = (sum(color[:3]) for color in colors)
        contrasts.append(ground - ink)
    light, dark = contrasts
    assert light > 500
    assert dark < -500


def test_a_pointer_reads_the_curve_and_leaves_it_as_it_was(shown: Opened) -> None:
    opened = shown()
    readout = opened.locator("#readout")
    resting = readout.text_content()
    opened.locator("#equity").hover(position={"x": 300, "y": 60})
    assert readout.text_content() != resting
    assert "USDT" in (readout.text_content() or "")
    assert opened.locator(".cursor.is-shown").count() == 2
    opened.mouse.move(1, 1)
    assert readout.text_content() == resting
    assert opened.locator(".cursor.is-shown").count() == 0


def test_a_heading_sorts_its_table_both_ways(shown: Opened) -> None:
    opened = shown()
    cells = opened.locator(CELLS.format(column=PNL))

    def figures() -> list[float]:
        return [float(text.replace("\N{MINUS SIGN}", "-")) for text in cells.all_text_contents()]

    before = figures()
    heading = opened.locator("table.trades thead th").nth(PNL - 1)
    heading.locator("button").click()
    assert figures() == sorted(before)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").click()
    assert figures() == sorted(before, reverse=True)


def test_it_is_whole_without_a_script(shown: Opened) -> None:
    opened = shown(java_script_enabled=False)
    assert opened.locator("table.trades tbody tr").count() == 300
    assert lines_of(opened, "equity")
    assert opened.locator("th button").count() == 0


def test_hostile_words_are_only_words(shown: Opened) -> None:
    hostile = some(3, close_reason=HOSTILE, strategy=HOSTILE, symbol=Symbol(HOSTILE))
    opened = shown(report_of(hostile, market=HOSTILE))
    assert opened.title().startswith("AEGIS report")
    assert opened.locator("img").count() == 0
    assert opened.locator("table.trades tbody tr").first.text_content() is not None


def test_no_script_in_it_can_call_out(browser: Browser, tmp_path: Path, report: Report) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(report))
    opened = browser.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(file.as_uri())
    refused = opened.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("securitypolicyviolation", (event) => done(event.blockedURI));
            fetch("http://127.0.0.1:9/out").catch(() => undefined);
        })"""
    )
    opened.context.close()
    assert refused == "http://127.0.0.1:9/out"
    assert asked == [file.as_uri()]


def test_a_page_without_trades_is_whole(shown: Opened) -> None:
    opened = shown(report_of([]), size=PHONE)
    assert opened.get_by_role("heading", name="No trades yet").count() == 1
    assert lines_of(opened, "equity")
    assert not is_wider_than_the_screen(opened)


def test_thousands_of_trades_are_no_trouble(shown: Opened) -> None:
    opened = shown(report_of(some(3_000)), size=PHONE)
    assert opened.locator("table.trades tbody tr").count() == 3_000
    assert not is_wider_than_the_screen(opened)
