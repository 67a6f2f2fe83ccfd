"""The report as JSON and as Markdown, and how numbers are written."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.records import TaskKind
from evaluator.report import FORMAT_VERSION, read_json, render_json, render_markdown
from evaluator.report.numbers import find, natural, number, percent, probability, ranked, seconds, short
from evaluator.summaries import (
    Comparison,
    Estimate,
    FaultCurve,
    ModelSummary,
    Robustness,
    RunSummary,
    SeverityPoint,
    TaskSummary,
)
from hooke.errors import InvalidRequestError
from tests import report_example as example

words = st.text(max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
estimate = st.builds(
    Estimate,
    words,
    st.none() | finite,
    st.none() | finite,
    st.none() | finite,
    st.sampled_from(["", "wilson", "bca"]),
    st.integers(0, 99),
    st.sampled_from([True, False, None]),
    words,
)
estimates = st.lists(estimate, max_size=2).map(tuple)
points = st.lists(st.builds(SeverityPoint, st.integers(1, 5), estimate, estimate), max_size=2).map(tuple)
curves = st.lists(st.builds(FaultCurve, words, points, estimate), max_size=2).map(tuple)
robustness = st.builds(Robustness, words, estimate, curves, estimate)
models = st.builds(
    ModelSummary,
    words,
    st.integers(0, 99),
    st.dictionaries(words, st.integers(0, 9), max_size=2),
    estimates,
    estimates,
    st.dictionaries(words, st.dictionaries(words, estimates, max_size=2), max_size=2),
    st.none() | st.fixed_dictionaries({"labels": st.lists(words, max_size=2), "matrix": st.just([[1, 2]])}),
    st.none() | finite,
    st.none() | finite,
    st.integers(0, 9),
    st.none() | robustness,
)
comparisons = st.builds(
    Comparison,
    words,
    words,
    estimate,
    st.none() | finite,
    st.none() | finite,
    st.sampled_from(["mcnemar", "permutation"]),
)
tasks = st.builds(
    TaskSummary,
    words,
    st.sampled_from(TaskKind),
    words,
    words,
    words,
    st.integers(0, 99),
    st.lists(models, max_size=2).map(tuple),
    st.lists(comparisons, max_size=2).map(tuple),
)
plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=5,
)
summaries = st.builds(
    RunSummary,
    words,
    words,
    words,
    words,
    st.dictionaries(words, plain_data, max_size=3),
    st.lists(tasks, max_size=2).map(tuple),
)


# What is written as JSON is read back equal.
@given(summaries)
def test_round_trip(summary: RunSummary) -> None:
    assert read_json(render_json(summary)) == summary


# The JSON names its format and every field of the records, so that other programs can rely on it.
def test_schema() -> None:
    content = json.loads(render_json(example.summary()))
    assert content["format_version"] == FORMAT_VERSION == 1
    assert set(content) == {field.name for field in dataclasses.fields(RunSummary)} | {"format_version"}
    task = content["tasks"][0]
    assert set(task) == {field.name for field in dataclasses.fields(TaskSummary)}
    assert set(task["models"][0]) == {field.name for field in dataclasses.fields(ModelSummary)}
    assert set(task["models"][0]["strict"][0]) == {field.name for field in dataclasses.fields(Estimate)}


# A report that was written before there were curves of faults, usage and references is read as without any.
def test_earlier_report() -> None:
    content = json.loads(render_json(example.summary()))
    for task in content["tasks"]:
        del task["references"]
        for model in task["models"]:
            del model["robustness"], model["usage"]
        for pair in task["comparisons"]:
            del pair["more_images"]
    read = read_json(json.dumps(content))
    assert [model.robustness for task in read.tasks for model in task.models] == [None] * 8
    assert [task.references for task in read.tasks] == [()] * 4


# Areas and curves of faults are one table, which says which way is worse; what is not there is undefined.
def test_markdown_robustness() -> None:
    _, nuclei, counts, classes, _ = render_markdown(example.summary()).split("\n## ")
    section = nuclei.split("### Robustness")[1].split("###")[0]
    assert "below it there is" in section
    assert "above it there is" in counts.split("### Robustness")[1].split("###")[0]
    rows = [re.sub(" +", " ", line) for line in section.splitlines() if line.startswith("|")]
    assert rows[0].startswith("| fault | model | coverage | area | severity 1 | severity 2")
    assert rows[2].startswith(
        "| Defocus | classical | 100.0 % | 0.833 [0.783, 0.933] | 0.917 [0.867, 1.017] |"
    )
    moths = rows[4]
    assert moths.startswith(
        "| \\<b\\>moths | classical | 100.0 % | undefined (the metric of the clean images is not above 0)"
    )
    assert moths.count("not asked about the fault") == 2
    assert [row.startswith("| all faults |") for row in rows[-2:]] == [True, True]
    assert "Robustness" not in classes


# A number that is not finite is written as null: NaN is no JSON.
def test_not_finite() -> None:
    estimate = Estimate("x", math.nan, -math.inf, math.inf, "", 0)
    model = ModelSummary("m", 1, {}, (estimate,), ())
    task = TaskSummary("t", TaskKind.COUNTING, "", "", "x", 1, (model,))
    summary = RunSummary("i", "s", "failed", "t", {"a": math.nan}, (task,))
    read = read_json(render_json(summary))
    assert read.tasks[0].models[0].strict == (Estimate("x", None, None, None, "", 0),)
    assert read.provenance == {"a": None}


# What is no report, not whole, or of another version is refused with the reason.
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no report"),
        ("[]", "no report"),
        ("{}", "no report"),
        ('{"format_version": 2}', "format version 2"),
        ('{"format_version": 1}', "not whole"),
        ('{"format_version": 1, "tasks": [{"kind": "poetry"}]}', "not whole"),
        ('{"format_version": 1, "tasks": 3}', "not whole"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        read_json(text)


# Every Markdown table has as many cells in each row as in its head, and its columns line up.
def test_markdown_tables() -> None:
    blocks = [b for b in render_markdown(example.summary()).strip().split("\n\n") if b.startswith("|")]
    assert len(blocks) == 4 * 4 + 2 + 1 + 2  # of all; of robustness, of references, of costs
    for block in blocks:
        lines = block.split("\n")
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(cells) == 1, block
        assert len({len(line) for line in lines}) == 1, block


# Markdown has the head, the leaderboard with intervals and coverage, and says undefined with the reason.
def test_markdown_content() -> None:
    text = render_markdown(example.summary())
    assert text.startswith(
        "# discs \\<3\n\nEvaluation evaluation-0001, 2025-03-01T12:00:00Z, partially succeeded."
    )
    row = next(line for line in text.splitlines() if line.startswith("| \\<script\\>"))
    assert [cell.strip() for cell in row.strip("|").split(" | ")][1:] == [
        "2",
        "0.650 [0.467, 0.820]",
        "0.750 [0.551, 0.880]",
        "87.5 %",
        *("21", "1", "1", "1"),
        *("41 ms", "1.4 s"),
    ]
    assert "undefined (nothing was matched)" in text
    assert re.search(
        r"0.250 \[0.100, 0.400\] +\| +24 \| < 0.001 +\| +< 0.001 \| +classical is better \|", text
    )
    assert " cannot be told apart |" in text


# Names from outside are plain text in Markdown: no element, link, emphasis or new table cell.
def test_markdown_is_escaped() -> None:
    model = ModelSummary("a|b\n*c* [d](e) `f` _g_ seg_acc", 1, {}, (), ())
    task = TaskSummary("# t", TaskKind.COUNTING, "d", "<b>", "mae", 1, (model,))
    text = render_markdown(RunSummary("i", "s", "succeeded", "t", {}, (task,)))
    assert "a\\|b \\*c\\* \\[d\\](e) \\`f\\` \\_g\\_ seg_acc" in text
    assert "## \\# t" in text
    assert "\\<b\\>" in text


# Numbers keep about four digits, durations and shares their unit; what is missing is said.
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number(0.84712), "0.847"),
        (number(-19.716), "-19.72"),
        (number(123.456), "123.5"),
        (number(12345.6), "12,346"),
        (number(3), "3"),
        (number(None), "undefined"),
        (number(math.nan), "undefined"),
        (short(4.0), "4"),
        (short(0.5), "0.500"),
        (short(None), "undefined"),
        (probability(0.0004), "< 0.001"),
        (probability(0.04), "0.040"),
        (probability(None), "undefined"),
        (percent(1.0), "100.0 %"),
        (percent(0.99999), "> 99.9 %"),
        (percent(0.00001), "< 0.1 %"),
        (percent(0.0), "0.0 %"),
        (seconds(0.0042), "4.2 ms"),
        (seconds(0.42), "420 ms"),
        (seconds(4.2), "4.2 s"),
        (seconds(None), "\N{EN DASH}"),
    ],
)
def test_numbers(written: str, expected: str) -> None:
    assert written == expected


# Numbers in names are sorted as numbers.
def test_natural_order() -> None:
    assert sorted(["10", "2", "1-10", "0.5", "b10", "b9", "11-30"], key=natural) == [
        "0.5",
        "1-10",
        "2",
        "10",
        "11-30",
        "b9",
        "b10",
    ]


# The best model comes first by its strict headline number, whichever end is better; undefined ones last.
@pytest.mark.parametrize(("higher_is_better", "order"), [(True, "bca-"), (False, "acb-"), (None, "cab-")])
def test_ranked(higher_is_better: bool | None, order: str) -> None:
    values = {"-": None, "a": -5.0, "b": 9.0, "c": 1.0}
    task = TaskSummary(
        "t",
        TaskKind.COUNTING,
        "",
        "",
        "x",
        1,
        tuple(
            ModelSummary(name, 1, {}, (Estimate("x", value, None, None, "", 1, higher_is_better),), ())
            for name, value in values.items()
        ),
    )
    assert "".join(model.model for model in ranked(task)) == order


# A metric that a model lacks is undefined, and says that it was not computed.
def test_missing_metric() -> None:
    missing = find((), "mae")
    assert (missing.value, missing.note) == (None, "not computed")
