"""The report in a real browser, opened from disk: what its scripts make of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from evaluator.report import write_report
from tests import report_example as example

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=20000",
    "--dump-dom",
)

# Runs before anything of the page: keeps every error, and every alert that a hostile name would raise.
WATCH = """
window.faults = [];
window.alert = (text) => faults.push("alert " + text);
window.addEventListener("error", (e) => faults.push(e.message || "not loaded: " + e.target.src), true);
window.addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
"""

# Runs a test's steps once the page is ready, and leaves what they return where the test finds it.
PROBE = """
const until = async (condition) => { while (!condition()) await new Promise((go) => setTimeout(go, 20)); };
const texts = (selector) => [...document.querySelectorAll(selector)].map((node) => node.textContent);
const status = () => document.getElementById("status").textContent;
(async () => {
  await until(() => status());
  const said = await (async () => { %s })();
  document.body.append(Object.assign(document.createElement("pre"), {
    id: "said", textContent: JSON.stringify({ said, faults }) }));
})();
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = [
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    ]
    if not found:
        pytest.skip("no chromium or chrome is installed")
    return found[0]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_report(folder / "a report #1", example.summary(), example.samples()).parent


def run(browser: str, report: Path, tmp_path: Path, steps: str, address: str = "") -> object:
    """Open the sample browser at `address` and return what the steps return; no error may be heard of."""
    html = (report / "samples.html").read_text(encoding="utf-8")
    html = html.replace("<head>", f"<head><script>{WATCH}</script>")
    html = html.replace("</body>", f"<script>{PROBE % steps}</script></body>")
    page = report / "probe.html"
    page.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={tmp_path}", page.as_uri() + address],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    page.unlink()
    found = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    told = json.loads(unescape(found[1]))
    assert told["faults"] == []
    return told["said"]


# Without a server all results are there, those without an answer first, then the worst; names stay text.
def test_worst_first(browser: str, report: Path, tmp_path: Path) -> None:
    steps = """
    return { status: status(), outcomes: texts(".cards .outcome"), values: texts(".cards strong"),
             names: texts(".card-text").includes("<script>alert(1)<" + "/script>"),
             scripts: document.querySelectorAll(".cards script, .cards i, .cards b").length,
             pictures: document.querySelectorAll(".cards img").length,
             task: document.querySelector("select[name=task]").selectedOptions[0].textContent };
    """
    said = run(browser, report, tmp_path, steps)
    assert said["status"] == "48 results"
    assert said["outcomes"] == ["failed", "unparsed", "abstained"]
    values = [float(value) for value in said["values"]]
    assert values == sorted(values)
    assert len(values) == 45
    assert said["pictures"] == 46  # one sample of two models has no image that can be shown
    assert (said["names"], said["scripts"], said["task"]) == (True, 0, example.NUCLEI)


# The address says what is shown: task, model, outcome, slice and order can be linked to.
def test_address(browser: str, report: Path, tmp_path: Path) -> None:
    address = "#task=task2&model=%3Cscript%3Ealert(1)%3C%2Fscript%3E&slice.blur=2&sort=%3Elatency"
    steps = "return { status: status(), titles: texts('.card-title'), values: texts('.cards strong') };"
    said = run(browser, report, tmp_path, steps, address)
    assert said["status"] == "8 results"
    assert said["titles"][:3] == ["field_022.png", "field_019.png", "field_016.png"]
    assert said["values"][:2] == ["240 ms", "210 ms"]


# Choosing in the form filters at once, and the address follows; another task starts without filters.
def test_form(browser: str, report: Path, tmp_path: Path) -> None:
    steps = """
    const form = document.getElementById("filters").elements;
    const choose = (name, value) => {
      form[name].value = value;
      form[name].dispatchEvent(new Event("input", { bubbles: true }));
    };
    const seen = [];
    choose("outcome", "unanswered"); seen.push(status());
    choose("outcome", ""); choose("find", "FIELD_01"); seen.push(status());
    choose("task", "task3");
    await until(() => [...form.sort.options].some((option) => option.value.endsWith("correct")));
    seen.push(status(), new URLSearchParams(location.hash.slice(1)).get("task"), form.find.value);
    return seen;
    """
    assert run(browser, report, tmp_path, steps) == ["3 results", "20 results", "48 results", "task3", ""]


# A sample opens over the list; the arrow keys step through the filtered results in their order.
def test_viewer(browser: str, report: Path, tmp_path: Path) -> None:
    steps = """
    const viewer = document.getElementById("viewer");
    const place = () => document.getElementById("place").textContent;
    const key = (name) => viewer.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    const seen = [viewer.open];
    document.querySelectorAll("a.card")[0].click();
    seen.push(viewer.open, place());
    key("ArrowRight"); seen.push(place());
    key("ArrowLeft"); key("ArrowLeft"); seen.push(place());
    seen.push(document.getElementById("frame").src === document.getElementById("whole").href);
    seen.push(decodeURI(document.getElementById("frame").src).includes("/samples/task1/"));
    document.getElementById("close").click(); seen.push(viewer.open);
    return seen;
    """
    said = run(browser, report, tmp_path, steps, "#task=task1&outcome=unanswered")
    assert said == [
        False,
        True,
        "1 of 3: field_011.png",
        "2 of 3: field_007.png",
        "1 of 3: field_011.png",
        True,
        True,
        False,
    ]


# Many results come in pages; a page further shows the rest, and there is no page beyond the last.
def test_pages(browser: str, report: Path, tmp_path: Path) -> None:
    steps = """
    state.data.rows = Array(4).fill(state.data.rows).flat(); apply();
    const cards = () => document.querySelectorAll("a.card").length;
    const after = document.getElementById("after");
    const seen = [status(), cards(), document.getElementById("before").disabled];
    after.click(); after.click(); after.click();
    return [...seen, status(), cards(), after.disabled];
    """
    said = run(browser, report, tmp_path, steps)
    assert said == ["192 results, page 1 of 4", 60, True, "192 results, page 4 of 4", 12, True]


# A sample's page hides the outlines of a kind when its box is cleared.
def test_outline_switches(browser: str, report: Path, tmp_path: Path) -> None:
    page = next((report / "samples" / "task1").glob("*.html"))
    script = """
    <script>
    const box = document.querySelector('input[data-outline="tp"]');
    box.click();
    const shown = [...document.querySelectorAll('g[data-kind]')].filter((g) => g.style.display !== "none");
    document.title = shown.map((g) => g.dataset.kind).join(" ");
    </script></body>
    """
    probe = page.with_name("probe.html")
    probe.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path}", probe.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    probe.unlink()
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None
    assert set(title[1].split()) == {"truth", "fp", "fn"}
