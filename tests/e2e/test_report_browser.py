"""The report in a real browser, opened from disk: what its scripts make of it, on a phone and on a desk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from evaluator.contrast import contrast, contrast_files, read_folder
from evaluator.report import write_report
from tests import report_example as example
from tests.unit.evaluator.contrast.written import write_run

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
WAIT_MS = 20_000

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium or chrome is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_report(folder / "a report #1", example.summary(), example.samples()).parent


Open = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, report: Path) -> Iterator[Open]:
    """Opens a page of the report, or a file; in the end, no error and no dialog may have been heard of."""
    faults: list[str] = []
    pages: list[Page] = []

    def open_page(name: str | Path, address: str = "", viewport: dict[str, int] = DESK) -> Page:
        page = chromium.new_page(viewport=viewport)
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.extend(_lost(request)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        pages.append(page)
        page.goto((report / name).as_uri() + address)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert faults == []


def _lost(request: Request) -> list[str]:
    """What could not be loaded; not what was given up since the page went on to something else."""
    aborted = "ERR_ABORTED" in (request.failure or "")
    return [] if aborted else [f"not loaded: {request.url}"]


def browse(visit: Open, address: str = "", viewport: dict[str, int] = DESK) -> Page:
    """Open the sample browser and wait until it shows something."""
    page = visit("samples.html", address, viewport)
    expect(page.locator("#status")).not_to_be_empty()
    return page


def expect_status(page: Page, text: str) -> None:
    """The sample browser says how much it shows, once its rows are there."""
    expect(page.locator("#status")).to_have_text(text)


def fits(page: Page) -> bool:
    """Whether the page, once loaded, is no wider than the window; parts of it may scroll by themselves."""
    page.wait_for_load_state("load")
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


# Without a server all results are there, those without an answer first, then the worst; names stay text.
def test_worst_first(visit: Open) -> None:
    page = browse(visit)
    expect_status(page, "48 results")
    expect(page.locator(".cards .outcome")).to_have_text(["failed", "unparsed", "abstained"])
    expect(page.locator(".cards strong")).to_have_count(45)
    values = [float(value) for value in page.locator(".cards strong").all_inner_texts()]
    assert values == sorted(values)
    expect(page.locator(".cards img")).to_have_count(46)  # one sample of two models cannot be shown
    expect(page.locator(".card-text").filter(has_text=example.HOSTILE).first).to_be_visible()
    expect(page.locator(".cards script, .cards i, .cards b")).to_have_count(0)


# The address says what is shown: task, model, outcome, slice and order can be linked to.
def test_address(visit: Open) -> None:
    wanted = "#task=task2&model=%3Cscript%3Ealert(1)%3C%2Fscript%3E&slice.blur=2&sort=%3Elatency"
    page = browse(visit, wanted)
    expect_status(page, "8 results")
    for place, title in enumerate(("field_022.png", "field_019.png", "field_016.png")):
        expect(page.locator(".card-title").nth(place)).to_have_text(title)
    for place, latency in enumerate(("240 ms", "210 ms")):
        expect(page.locator(".cards strong").nth(place)).to_have_text(latency)


# Choosing in the form filters at once, and the address follows; another task starts without filters.
def test_form(visit: Open) -> None:
    page = browse(visit)
    page.select_option("[name=outcome]", "unanswered")
    expect_status(page, "3 results")
    page.select_option("[name=outcome]", "")
    page.fill("[name=find]", "FIELD_01")
    expect_status(page, "20 results")
    page.select_option("[name=task]", "task3")
    expect(page.locator("[name=sort]")).to_have_value("<correct")
    expect_status(page, "48 results")
    expect(page).to_have_url(re.compile("task=task3"))
    expect(page.locator("[name=find]")).to_have_value("")


# A sample opens over the list; the arrow keys step through the filtered results in their order.
def test_viewer(visit: Open) -> None:
    page = browse(visit, "#task=task1&outcome=unanswered")
    page.locator("a.card").first.click()
    place = page.locator("#place")
    expect(place).to_have_text("1 of 3: field_011.png")
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text("2 of 3: field_007.png")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text("1 of 3: field_011.png")
    frame = page.frame_locator("#frame")
    # A frame shows its page some time after the page around it says so.
    expect(frame.locator("h1")).to_contain_text("field_011.png")
    expect(page.locator("#frame")).to_have_attribute("src", re.compile("^samples/task1/"))
    frame.locator("h1").click()  # the keys go on working where the sample itself has the focus
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text("2 of 3: field_007.png")
    expect(frame.locator("h1")).to_contain_text("field_007.png")
    page.click("#close")
    expect(page.locator("#viewer")).to_be_hidden()


# Many results come in pages; a page further shows the rest, and there is no page beyond the last.
def test_pages(visit: Open) -> None:
    page = browse(visit)
    page.evaluate("state.data.rows = Array(4).fill(state.data.rows).flat(); apply();")
    expect_status(page, "192 results, page 1 of 4")
    expect(page.locator("a.card")).to_have_count(60)
    expect(page.locator("#before")).to_be_disabled()
    for _ in range(3):
        page.click("#after")
    expect_status(page, "192 results, page 4 of 4")
    expect(page.locator("a.card")).to_have_count(12)
    expect(page.locator("#after")).to_be_disabled()


# Found objects are green, spurious ones red, missed ones blue, and a kind is hidden when its box is cleared.
def test_outlines(visit: Open, report: Path) -> None:
    page = visit(next((report / "samples" / "task1").glob("*.html")))
    page.uncheck('input[data-outline="tp"]')
    shown = page.evaluate(
        "[...document.querySelectorAll('g[data-kind]')].filter((g) => g.style.display !== 'none')"
        ".map((g) => g.dataset.kind)"
    )
    assert set(shown) == {"truth", "fp", "fn"}
    for kind, strongest in (("tp", 1), ("fp", 0), ("fn", 2)):
        colour = page.evaluate(f"getComputedStyle(document.querySelector('.key .{kind}')).stroke")
        channels = [int(part) for part in colour[4:-1].split(",")]
        assert channels.index(max(channels)) == strongest, (kind, colour)


# A question in words can be found by what is wrong with its answers.
def test_verdicts(visit: Open) -> None:
    page = browse(visit, "#task=task4&find=off+by")
    expect_status(page, "9 results")
    expect(page.locator(".card-text").filter(has_text="12 mm, off by 10^3 / true 12 um")).to_have_count(9)


# From the leaderboard to a task, a sample, the filters and through the samples: on a phone and on a desk
# nothing is wider than the window, and every step leads where it says.
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_click_through(visit: Open, viewport: dict[str, int]) -> None:
    page = visit("index.html", viewport=viewport)
    assert fits(page)
    page.click(f"section.task h2 a:has-text('{example.NUCLEI}')")
    expect(page.locator("h1")).to_have_text(example.NUCLEI)
    assert fits(page)
    card = page.locator(".strip a.card").first
    title = card.locator(".card-title").get_attribute("title")
    assert title
    card.click()
    expect(page.locator("h1")).to_have_text(title)
    assert fits(page)
    page.click(".kicker a:has-text('samples')")
    expect_status(page, "48 results")
    assert fits(page)
    page.select_option("[name=model]", example.HOSTILE)
    page.select_option("[name=outcome]", "scored")
    page.select_option("[name='slice.blur']", "10")
    page.select_option("[name=sort]", ">spurious")
    expect_status(page, "7 results")
    page.locator("a.card").first.click()
    page.click("#next")
    expect(page.locator("#place")).to_have_text(re.compile("^2 of 7: "))
    frame = page.frame_locator("#frame")
    expect(frame.locator("h2", has_text="Answers")).to_be_visible()
    expect(frame.locator("header.site")).to_be_hidden()  # by then its script and its style are there
    assert frame.locator("html").evaluate("(html) => html.scrollWidth <= html.clientWidth")
    page.click("#close")
    assert fits(page)


# Every kind of page fits a phone and a desk: leaderboards, each kind of task, samples of each, a comparison.
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_widths(visit: Open, report: Path, viewport: dict[str, int], tmp_path: Path) -> None:
    true = [3, 5, 8, 2, 9, 4]
    runs = [
        write_run(
            tmp_path / name,
            {"counts": {"a model of a long name": [n + more for n in true]}},
            {"counts": true},
        )
        for name, more in (("a", 1), ("b", 0))
    ]
    repeated = write_run(
        tmp_path / "repeated",
        {"counts": {"a model of a long name": [(n, n + 1, 10 * n, n, n) for n in true]}},
        {"counts": true},
        repeats=5,
    )
    comparison = tmp_path / "comparison.html"
    comparison.write_bytes(contrast_files(contrast(*map(read_folder, runs)))["index.html"])
    names = ["index.html", *(f"task{place}.html" for place in range(1, 5)), comparison]
    names += [next((report / "samples" / f"task{place}").glob("*.html")) for place in range(1, 5)]
    names += [repeated / "task1.html", *list((repeated / "samples" / "task1").iterdir())[:1]]
    for name in names:
        assert fits(visit(name, viewport=viewport)), name
