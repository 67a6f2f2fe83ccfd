"""The folder that `write_report` writes, read as a browser without scripts would."""

from __future__ import annotations

import gc
import json
import re
import weakref
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from evaluator.metrics.intervals import NO_SAMPLE
from evaluator.records import TaskKind
from evaluator.report import read_json, write_report
from evaluator.report.numbers import metric_names
from evaluator.summaries import Usage
from tests import report_example as example


class Page(HTMLParser):
    """Every element with its attributes, the text, and for each table its headings."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_report(folder / "out", example.summary(), example.samples()).parent


@pytest.fixture(scope="module")
def pages(report: Path) -> list[Page]:
    return [Page(path) for path in sorted(report.rglob("*.html"))]


def page(report: Path, name: str) -> Page:
    return Page(report / name)


def sample_page(report: Path, task: str, index: int) -> Page:
    """The page of the sample of that place, found as the browser finds it: by the rows."""
    rows = read_rows(report, task)["rows"]
    return Page(report / "samples" / task / f"{rows[index][0]}.html")


def read_rows(report: Path, task: str) -> dict:
    script = (report / "data" / f"{task}.js").read_text(encoding="utf-8")
    return json.loads(script.removeprefix("window.hookeRows = "))


# There is a page for the run, for each task, for the browser and for every sample.
def test_pages(report: Path, pages: list[Page]) -> None:
    assert {path.name for path in report.glob("*.html")} == {
        "index.html",
        "samples.html",
        "task1.html",
        "task2.html",
        "task3.html",
        "task4.html",
    }
    assert len(pages) == 6 + 4 * example.SAMPLE_COUNT


# Everything that a page loads or links to is in the folder, so it opens from disk without a network.
def test_links(report: Path, pages: list[Page]) -> None:
    seen = set()
    for each in pages:
        for tag, attributes in each.elements:
            for name in ("href", "src"):
                address = attributes.get(name, "")
                if not address or address.startswith(("#", "data:,", "about:blank")):
                    continue
                parts = urlsplit(address)
                assert not parts.scheme, (each.path, tag, address)
                assert not parts.netloc, (each.path, tag, address)
                target = (each.path.parent / unquote(parts.path)).resolve()
                assert target.is_file(), (each.path, tag, address)
                assert target.is_relative_to(report.resolve())
                seen.add(target)
    by_rows = set()
    for task in ("task1", "task2", "task3", "task4"):
        for row in read_rows(report, task)["rows"]:
            by_rows |= {report / "samples" / task / f"{row[0]}.html", report / "images" / row[1]}
    written = [path for folder in ("images", "samples", "assets") for path in (report / folder).rglob("*.*")]
    assert {path.resolve() for path in written} <= seen | {path.resolve() for path in by_rows}


# Names from a user's files are text on every page: no element, attribute or script comes from them.
def test_hostile_names(pages: list[Page]) -> None:
    for each in pages:
        for attributes in each.all("script"):
            assert attributes["src"].rsplit("/", 1)[-1] in ("sample.js", "browser.js")
        assert not [a for _, a in each.elements for name in a if name.startswith("on")]
        assert not each.all("i")
        assert not each.all("b")
    index = next(each for each in pages if each.path.name == "index.html")
    assert example.HOSTILE in index.text
    assert example.CLASSES in index.text
    assert 'Tom & "Jerry" <img src=x onerror=alert(1)>' in index.text


# The rows of the sample browser are JSON behind an assignment, with hostile names inside strings only.
def test_rows_are_data(report: Path) -> None:
    rows = read_rows(report, "task1")
    assert rows["models"] == list(example.MODELS)
    assert len(rows["rows"]) == example.SAMPLE_COUNT
    assert rows["slices"] == {"blur": ["0", "2", "10"], "objects": ["0", "1-10", "11-30"]}
    assert {metric["name"]: metric["higher_is_better"] for metric in rows["metrics"]}["spurious"] is False
    failed = rows["rows"][11][5][1]
    assert (rows["models"][failed[0]], rows["outcomes"][failed[1]], failed[3]) == (
        example.HOSTILE,
        "failed",
        "QUEUE_FULL",
    )


# No page, no JSON and no Markdown shows what a program calls an undefined number.
def test_no_nan(report: Path, pages: list[Page]) -> None:
    texts = [each.text for each in pages] + [
        (report / name).read_text(encoding="utf-8") for name in ("report.json", "report.md")
    ]
    for text in texts:
        assert not re.search(r"\b(nan|NaN|inf|Infinity|None)\b", text)


# An undefined metric says so, and why on hover.
def test_undefined(report: Path) -> None:
    undefined = [a["title"] for a in page(report, "task3.html").all("abbr") if a.get("class") == "undefined"]
    assert "the model gave no probabilities" in undefined


# The head says what was run, in which state, with which versions and digests, and holds the provenance.
def test_head(report: Path) -> None:
    index = page(report, "index.html")
    for said in ("partially succeeded", "2025-03-01 12:00:00 UTC", "sha256:" + "ab" * 32, "2024-05", "96"):
        assert said in index.text
    details = index.path.read_text().split("<details", 1)[1].split("</details>")[0]
    for said in ("4f77e21c0ffee", "78787878", "2405", "1.17.1"):
        assert said in details


# Strict and answered-only numbers, their interval and the coverage stand beside each other.
def test_leaderboard(report: Path) -> None:
    text = page(report, "task1.html").text
    assert "2 0.650 [0.467, 0.820] 0.750 [0.551, 0.880] 87.5 % 21 1 1 1" in text
    assert text.index("classical") < text.index(example.HOSTILE)


# Two models are compared in words, and share a rank where they cannot be told apart.
def test_comparisons(report: Path) -> None:
    apart, alike = page(report, "task1.html").text, page(report, "task3.html").text
    assert f"{example.HOSTILE} 0.250 [0.100, 0.400] 24 < 0.001 < 0.001 classical is better" in apart
    assert "0.600 1.000 cannot be told apart about 4,300" in alike
    assert f"{example.HOSTILE} 1 tied 0.650" in alike


# A metric is explained where it stands first, as this kind of task means it; so are its unit and intervals.
def test_meanings(report: Path) -> None:
    counts, classes = page(report, "task2.html").text, page(report, "task3.html").text
    assert "mae : mean absolute error, in objects; lower is better. Brackets hold 95 % intervals" in counts
    assert "mae (objects)" in counts
    assert "accuracy : share of right answers; higher is better" in classes
    assert "tolerance" not in classes  # which belongs to the accuracy of questions in words
    assert "Models that cannot be told apart are tied" in classes


# Why a number is undefined can be read without a mouse.
def test_remarks(report: Path) -> None:
    text = page(report, "task1.html").text
    assert f"sq of {example.GOOD}, {example.HOSTILE}:" in text


# A metric that no sample of any model has is no row, and no remark; report.json has it still.
def test_metrics_of_nothing(report: Path) -> None:
    text = page(report, "task4.html").text
    assert "within_tolerance" in text
    assert "grade_mean" not in text
    assert "grade_mean" not in (report / "report.md").read_text()
    assert '"grade_mean"' in (report / "report.json").read_text()


# A metric that a sample of one model has, and the headline metric in any case, are rows.
def test_metrics_of_one_model() -> None:
    task = example.summary().tasks[3]
    first, second = task.models
    graded = replace(first, strict=tuple(replace(each, note="") for each in first.strict))
    assert "grade_mean" in metric_names(replace(task, models=(graded, second)))
    failed = tuple(replace(each, note=NO_SAMPLE) for each in first.strict)
    assert metric_names(replace(task, models=(replace(first, strict=failed, answered=()),))) == ("accuracy",)


# Published figures stand below the models, as they were published, and are said to be none of the run.
def test_published_figures(report: Path) -> None:
    text = page(report, "task2.html").text
    told = text[text.index("Published figures.") :]
    assert "They are no models of this run: nothing was tested against them" in told
    assert "Whose mae bias n Source an expert 1.25 -0.4 50 <i>Journal of Discs</i> 3, 2024" in told
    assert "a vendor 0.1 to 0.3 \N{EN DASH} \N{EN DASH} a leaflet" in told
    assert "Published figures" not in page(report, "task1.html").text


# Where a model has tokens or costs there is a chart of quality against cost: free models stand at 0, one
# whose price is not known is left out by name, and tokens, cost and latency are in a table.
def test_costs(report: Path) -> None:
    counts, questions = page(report, "task2.html"), page(report, "task4.html")
    assert "Cost against quality" not in page(report, "task1.html").text
    assert "0 USD 0 USD \N{EN DASH} \N{EN DASH} 41 ms 390 ms" in counts.text
    assert "2.59 USD, price unknown of 3 answers 0.05175 USD 28,000 460 41 ms 1.4 s" in counts.text
    (chart,) = (svg["aria-label"] for svg in counts.all("svg") if "US dollars" in svg.get("aria-label", ""))
    assert "classical: 2.000 [1.400, 2.800] at 0 USD." in chart
    assert "price unknown \N{EN DASH} 24,000 900" in questions.text
    assert "Not in the chart, since their price is not known: classical." in questions.text
    (chart,) = (
        svg["aria-label"] for svg in questions.all("svg") if "US dollars" in svg.get("aria-label", "")
    )
    assert "classical" not in chart
    assert "1.5 USD" in chart


# What answers took is added up while they pass by, where the summary does not say it.
def test_usage_is_added_up(report: Path) -> None:
    tasks = read_json((report / "report.json").read_text(encoding="utf-8")).tasks
    assert [model.usage for model in tasks[0].models] == [
        Usage(24, None, None, 0, 0),
        Usage(23, None, None, 0, 0),
    ]
    assert tasks[1].models[1].usage == example.USAGES[TaskKind.COUNTING][1]


# A question in words is shown as it was put, with every image; beside it what each model wrote, how that was
# read, and what is right or wrong with it.
def test_question(report: Path) -> None:
    quantity = sample_page(report, "task4", 1)
    for said in (
        "Question, as it was put How large are the discs? End with one line",
        "Image 2 96 x 96 pixels.",
        "Truth 12 um 12 um Answer, as read 12.5 um 12 mm Verdict right off by 10^3 Written",
        "They are about that. Answer: 12.5 um",
    ):
        assert said in quantity.text
    assert len(quantity.all("img")) == 2
    choice = sample_page(report, "task4", 4).text
    assert "What is shown? (A) fibres (B) <b>pores (C) particles" in choice
    assert "Verdict" not in choice
    assert read_rows(report, "task4")["rows"][1][5][1][7] == "off by 10^3"


# Every table has column headings with a scope, and says how many of the samples could be scored.
def test_tables(report: Path) -> None:
    for name in ("task1.html", "task2.html", "task3.html", "task4.html"):
        for table in re.findall(r"<table.*?</table>", (report / name).read_text(), re.DOTALL):
            assert 'scope="col"' in table
            assert 'scope="row"' in table
            assert (
                "% were scored" in table
                or "% scored" in table
                or "Coverage" in table
                or '<th scope="col">So' in table
                or "Cost of 1,000" in table
                or "Published figures" in table
            )


# Every picture has an alternative text, and every plot says in words what it shows.
def test_alternatives(pages: list[Page]) -> None:
    for each in pages:
        assert all("alt" in a for a in each.all("img"))
        for attributes in each.all("svg"):
            assert attributes.get("aria-hidden") == "true" or len(attributes["aria-label"]) > 20
        assert len(each.all("h1")) == 1


# Each kind of task has its own plots.
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("task1.html", ["Accuracy by the overlap", "Kinds of error"]),
        ("task2.html", ["Predicted against true", "Bland-Altman", "limits of agreement"]),
        ("task3.html", ["Reliability", "Confusion of", "no answer"]),
    ],
)
def test_plots(report: Path, name: str, said: list[str]) -> None:
    text = page(report, name).text
    for words in said:
        assert words in text


# Faults have a curve each, from the clean image on, with every model's line; the areas stand in a table.
def test_robustness(report: Path) -> None:
    nuclei, counts, classes = (page(report, f"task{place}.html") for place in (1, 2, 3))
    assert "Robustness" not in classes.text
    for shown in (nuclei, counts):
        assert "Area under the curve of each fault." in shown.text
        assert "Defocus 1, 2, 3, 5, 8 px radius of the blur." in shown.text
        assert "<b>moths" in shown.text
    assert "below it there is" in nuclei.text
    assert "above it there is" in counts.text
    charts = [
        svg["aria-label"] for svg in nuclei.all("svg") if "Horizontal: severity" in svg.get("aria-label", "")
    ]
    assert [label.split(".")[0] for label in charts] == ["Defocus", "<b>moths"]
    assert "classical: 0.583 to 1.000." in charts[0]
    assert f"{example.HOSTILE}: 0.167 to 1.000." in charts[0]
    titles = [text for text in nuclei.texts if text.startswith("classical, ")]
    assert "classical, clean: 1" in titles
    assert "classical, severity 5: 0.583 [0.533, 0.683] n 24" in titles


# A task page shows first what has no answer, then the worst, and never what is wholly right.
def test_worst_first(report: Path) -> None:
    html = (report / "task1.html").read_text()
    cards = html.split("Look at these first")[1].split("Where accuracy is lost")[0]
    hostile = cards.split("&lt;script&gt;")[1]
    assert re.findall(r'class="outcome (\w+)"', hostile) == ["failed", "unparsed", "abstained"]
    values = [float(value) for value in re.findall(r"<strong>([\d.]+)</strong>", hostile)]
    assert values == sorted(values)
    assert max(values) < 1


# A sample's page shows truth, answer, outcome, why there is none, latency and what the model saw.
def test_sample(report: Path) -> None:
    failed = sample_page(report, "task1", 11).text
    for said in (
        "field_011.png",
        "11 objects",
        "failed",
        "QUEUE_FULL Too many requests <wait>.",
        "plate 1",
        "130 ms queue 1.0 ms, compute 15 ms",
        "rendered_image",
        "uint8",
    ):
        assert said in failed


# The outlines of a sample are counted in words, so that nothing hangs on colour.
def test_outline_counts(report: Path) -> None:
    text = sample_page(report, "task1", 19).text
    assert "5 found (TP) 0 spurious (FP) 1 missed (FN)" in text
    assert "6 true objects 96 x 96 pixels." in text


# An image that cannot be read is said to be so, and the sample keeps its page.
def test_unreadable_image(report: Path) -> None:
    broken = sample_page(report, "task1", 5)
    assert "The image cannot be shown" in broken.text
    assert not broken.all("img")


# A task without samples, and a run without tasks, have pages too.
def test_empty(tmp_path: Path) -> None:
    summary = example.summary()
    write_report(tmp_path / "no samples", summary, [])
    bare = type(summary)("id", "nothing", "cancelled", "now", {}, ())
    index = Page(write_report(tmp_path / "no tasks", bare, []))
    assert "This run has no tasks." in index.text
    assert "no answers" not in index.text


# Samples are taken one at a time: the one before can be freed before the next is made.
def test_samples_are_let_go(tmp_path: Path) -> None:
    alive: list[weakref.ref] = []
    most = 0

    def watched():
        nonlocal most
        for sample in example.samples():
            if sample.task != example.NUCLEI:
                continue
            alive.append(weakref.ref(sample.truth.labels))
            yield sample
            del sample
            gc.collect()
            most = max(most, sum(reference() is not None for reference in alive))

    gc.freeze()  # else every round looks at all modules
    try:
        write_report(tmp_path, example.summary(), watched())
    finally:
        gc.unfreeze()
    assert len(alive) == example.SAMPLE_COUNT
    assert most <= 1


# Written twice from the same run, a report is the same to the byte.
def test_deterministic(report: Path, tmp_path: Path) -> None:
    again = write_report(tmp_path, example.summary(), example.samples()).parent
    files = sorted(path.relative_to(report) for path in report.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in files:
        assert (report / name).read_bytes() == (again / name).read_bytes(), name
