"""The quality gate of `hooke evaluate`, and `hooke report compare`."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from evaluator.contrast import contrast, contrast_files, read_folder
from evaluator.metrics.catalogue import COCO_AP, METRICS
from hooke import errors
from hooke.cli import gate
from tests.unit.evaluator.contrast.written import write_run
from tests.unit.hooke.command_line import Hooke
from tests.unit.hooke.lab import Lab
from tests.unit.hooke.test_cli import report_archive

TRUE = [3, 5, 8, 2, 9, 4, 7, 6]


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Reports of two runs: the second counts better."""
    worse = [count + 4 for count in TRUE]
    return (
        write_run(tmp_path / "a", {"counts": {"m0": worse}}, {"counts": TRUE}, evaluation_id="before"),
        write_run(tmp_path / "b", {"counts": {"m0": TRUE}}, {"counts": TRUE}, evaluation_id="after"),
    )


# The metrics that the command line knows are those of the evaluator that have a strict value.
def test_metrics() -> None:
    known = [*(metric for metrics in METRICS.values() for metric in metrics), *COCO_AP]
    assert dict(gate.METRICS) == {m.name: m.higher_is_better for m in known if not m.calibration}


# A figure within its bounds, the bound included, passes; one beyond ends with exit code 4 and its name,
# once the report is there; a bound may name the task, or task and model.
@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ("seg_accuracy@0.5=0.8", 0),
        ("seg_accuracy@0.5=0.8125", 0),
        ("seg_accuracy@0.5=0.82", 4),
        ("nuclei/seg_accuracy@0.5=0.82", 4),
        ("nuclei/m0/seg_accuracy@0.5=0.8", 0),
        ("*/m0/seg_accuracy@0.5=0.82", 4),
    ],
)
def test_fail_under(bound: str, code: int, hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    lab.states, lab.report = [4], report_archive()
    done = hooke("evaluate", "demo", "--fail-under", bound, "--out", "there")
    assert done.code == code
    assert (tmp_path / "there" / "index.html").is_file()
    broken = [line for line in done.err.splitlines() if line.startswith("--fail-under")]
    said = "--fail-under: nuclei, m0: seg_accuracy@0.5 (strict) is 0.8125, below 0.82."
    assert broken == ([said] if code else [])


# Programs read of every bound what it was held against, and whether it passed.
def test_gate_as_json(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    bounds = ("--fail-under", "seg_accuracy@0.5=0.9", "--fail-under", "seg_accuracy@0.5=0.1")
    done = hooke("evaluate", "demo", *bounds, "--json")
    assert done.code == 4
    first, second = done.document["gate"]
    assert (first["task"], first["model"], first["value"], first["passed"]) == ("nuclei", "m0", 0.8125, False)
    assert first["bound"]["limit"] == 0.9
    assert second["passed"]


# What cannot be decided fails: a figure that is undefined or that the report lacks, or no report at all.
def test_undecided(hooke: Hooke, lab: Lab) -> None:
    model = {"model": "m", "strict": [{"name": "mae", "value": None}]}
    report = {"tasks": [{"task": "t", "models": [model]}]}
    (bound,) = gate.bounds_of([], ["mae=3"])
    assert [str(check) for check in gate.checks([bound], report)] == ["t, m: mae (strict) is undefined."]
    (bound,) = gate.bounds_of([], ["other/mae=3"])
    (check,) = gate.checks([bound], report)
    assert str(check) == "mae: the report has no task 'other'; there are t."
    assert not check.passed
    assert not gate.checks([bound], None)[0].passed
    lab.report = report_archive()
    assert hooke("evaluate", "demo", "--fail-over", "mae=3").code == 4


# A bound on a task that the evaluation does not have stops it as soon as its tasks are known, and names them.
def test_unknown_task(hooke: Hooke, lab: Lab) -> None:
    lab.states, lab.report = [1, 2, 4], report_archive()
    done = hooke("evaluate", "demo", "--fail-under", "t/exact=0.5", "--fail-over", "other/m0/mae=3")
    assert done.code == 2
    said = " ".join(done.err.replace("│", " ").split())
    assert "Invalid value for --fail-over: there is no task 'other'; there are t." in said
    assert len(lab.calls("CancelEvaluation")) == 1
    assert lab.calls("GetReport") == []
    lab.request_id = ""
    assert hooke("evaluate", "demo", "--fail-under", "t/exact=0.5").code == 4
    assert len(lab.calls("CancelEvaluation")) == 1


# Of an evaluation that has ended, the report says which tasks there are.
def test_unknown_task_of_the_report(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    lab.states = [4]
    done = hooke("evaluate", "demo", "--fail-over", "other/mae=3")
    assert done.code == 4
    assert "--fail-over: mae: the report has no task 'other'; there are nuclei." in done.err


# A dry run says which tasks there are where a bound names another one.
def test_unknown_task_of_a_dry_run(hooke: Hooke, lab: Lab) -> None:
    bounds = ("--fail-under", "t/exact=0.5", "--fail-over", "other/mae=3")
    done = hooke("evaluate", "demo", "--dry-run", *bounds)
    assert done.code == 0
    assert "--fail-over: no model is asked about a task 'other'; there are t." in done.err
    assert "--fail-under" not in done.err


# A run that did not succeed says so first: its exit code is 1, whatever its figures are.
def test_gate_of_a_failed_run(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    lab.states = [2, 5]
    done = hooke("evaluate", "demo", "--fail-under", "seg_accuracy@0.5=0.9")
    assert done.code == 1
    assert "below 0.9" in done.err


# What is no bound, or would let pass what is worse, is refused before anything is sent.
@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--fail-under", "seg_accuracy=0.7", "no metric 'seg_accuracy'"),
        ("--fail-under", "brier=0.7", "no metric 'brier'"),
        ("--fail-under", "exact", "METRIC=VALUE"),
        ("--fail-under", "exact=high", "METRIC=VALUE"),
        ("--fail-under", "exact=nan", "METRIC=VALUE"),
        ("--fail-under", "/exact=1", "METRIC=VALUE"),
        ("--fail-under", "a/b/c/exact=1", "METRIC=VALUE"),
        ("--fail-under", "mae=3", "use --fail-over"),
        ("--fail-over", "exact=0.5", "use --fail-under"),
    ],
)
def test_bad_bounds(option: str, text: str, said: str, hooke: Hooke, lab: Lab) -> None:
    done = hooke("evaluate", "demo", option, text)
    assert done.code == 2
    assert said in " ".join(done.err.replace("│", " ").split())
    assert lab.seen == []


# A bias is better at neither end: it can be held from both sides.
def test_bias() -> None:
    low, high = gate.bounds_of(["bias=-2"], ["bias=2"])
    assert [bound.allows(value) for bound in (low, high) for value in (-3, 0, 3)] == [
        *(False, True, True),
        *(True, True, False),
    ]


# Two folders are compared without a server: tables for people, everything for programs, a page on demand.
def test_compare_folders(hooke: Hooke, lab: Lab, runs: tuple[Path, Path], tmp_path: Path) -> None:
    page, text = tmp_path / "page.html", tmp_path / "text.md"
    done = hooke("report", "compare", *map(str, runs), "--html", str(page), "--markdown", str(text))
    assert done.code == 0
    assert text.read_text().startswith("# Two runs compared: mine\n")
    assert "before (first) and after (second)" in done.out
    assert "second is better" in done.out
    assert "-4" in done.out
    assert "Difference and p of the n samples that both have" in " ".join(done.out.split())
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert lab.seen == []
    document = hooke("report", "compare", *map(str, runs), "--json").document
    assert document == json.loads(contrast_files(contrast(*map(read_folder, runs)))["comparison.json"])
    assert document["contrasts"][0]["changes"][0]["difference"]["value"] == -4.0


# Two ids are compared by the evaluator, the first as what was before; where it refuses, its reason is shown.
def test_compare_ids(hooke: Hooke, lab: Lab, runs: tuple[Path, Path]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contrast_files(contrast(*map(read_folder, runs))).items():
            archive.writestr(name, content)
    lab.report = buffer.getvalue()
    done = hooke("report", "compare", "e0", "e1")
    assert done.code == 0
    assert "second is better" in done.out
    assert hooke("report", "compare", str(runs[0]), "e1").code == 0  # a folder stands for its evaluation
    asked = [(c.request.compared_to_evaluation_id, c.request.evaluation_id) for c in lab.calls("GetReport")]
    assert asked == [("e0", "e1"), ("before", "e1")]
    lab.failures["GetReport"].append(errors.InvalidRequestError("the two runs have no task in common"))
    done = hooke("report", "compare", "e0", "e1")
    assert done.code == 1
    assert "no task in common" in done.err


# The command has examples in its help, and the meaning of its exit code stands where all of them do.
def test_help(hooke: Hooke) -> None:
    assert "\n    hooke report compare" in hooke("report", "compare", "--help").out
    assert "4    a figure is beyond what --fail-under or --fail-over allow" in hooke("--help").out


# What cannot be compared is refused with what to do: a folder without a report, one evaluation with itself.
def test_compare_refused(hooke: Hooke, lab: Lab, runs: tuple[Path, Path], tmp_path: Path) -> None:
    done = hooke("report", "compare", str(runs[0]), str(tmp_path))
    assert done.code == 1
    assert "report.json is missing" in done.err
    for pair in ((tmp_path, "e1"), (runs[0], "before"), ("e1", "e1")):
        done = hooke("report", "compare", *map(str, pair))
        assert done.code == 1
        assert "holds no report" in done.err or "keeps one state" in done.err
    assert lab.seen == []
