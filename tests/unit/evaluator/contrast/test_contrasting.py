"""Two runs compared: the right samples and sign, chance told from change, and what was not the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluator.contrast import FORMAT_VERSION, contrast, contrast_files, read_folder
from hooke.errors import InvalidRequestError
from hooke.types import SampleOutcome
from tests.unit.evaluator.contrast.written import write_run

TRUE = [3, 5, 8, 2, 9, 4, 7, 6, 10, 1, 12, 11]
CLASSES = ["cat", "dog", "owl"] * 8


def compared(first: Path, second: Path):
    return contrast(read_folder(first), read_folder(second))


def counting(out: Path, answers, **run) -> Path:
    return write_run(out, {"counts": {"model": answers}}, {"counts": TRUE[: len(answers)]}, **run)


# A difference is second minus first, and is that of the two runs' own figures where all samples are shared.
def test_difference(tmp_path: Path) -> None:
    before = counting(tmp_path / "a", [count + 4 for count in TRUE])
    after = counting(tmp_path / "b", [count + 1 for count in TRUE[:-1]] + [TRUE[-1]])
    (found,) = compared(before, after).contrasts
    mae = found.changes[0]
    assert (mae.metric, found.headline, found.shared_count) == ("mae", "mae", 12)
    assert (mae.first.value, mae.second.value) == (4.0, pytest.approx(11 / 12))
    assert mae.difference.value == pytest.approx(11 / 12 - 4)
    assert mae.difference.low is not None
    assert mae.difference.low <= mae.difference.value <= mae.difference.high
    assert mae.verdict == "better"  # fewer errors: lower is better
    assert mae.p_value is not None
    assert mae.p_value < 0.01
    assert {change.metric for change in found.changes} >= {"rmse", "bias", "r2", "exact"}
    assert all(change.adjusted_p_value is None for change in found.changes[1:])


# Runs with the same answers differ in nothing: no difference, p = 1, cannot be told apart.
def test_the_same(tmp_path: Path) -> None:
    folders = [counting(tmp_path / name, TRUE) for name in "ab"]
    result = compared(*folders)
    assert [change.difference.value for change in result.contrasts[0].changes] == [
        0.0 for _ in result.contrasts[0].changes
    ]
    assert result.contrasts[0].changes[0].p_value == 1.0
    assert result.contrasts[0].changes[0].verdict == "alike"
    assert result.provenance == ()


# Only samples that both runs have, and on which neither failed, are compared, whatever their order; figures
# beside the difference are those of the whole runs.
def test_shared_samples(tmp_path: Path) -> None:
    before = counting(tmp_path / "a", [SampleOutcome.FAILED, *TRUE[1:]])
    # The numbers count from 6: samples 6 to 11 are shared, the rest are others.
    truth = [*TRUE[6:], *TRUE[:6]]
    answers = [SampleOutcome.FAILED, *(count + 2 for count in truth[1:])]
    after = write_run(tmp_path / "b", {"counts": {"model": answers}}, {"counts": truth}, first_sample=6)
    (found,) = compared(before, after).contrasts
    assert (found.first_count, found.second_count, found.shared_count) == (12, 12, 5)
    assert found.changes[0].difference.value == 2.0
    assert (found.changes[0].first.n, found.changes[0].second.n) == (11, 11)


# A non-answer counts as wrong in the difference, as it does in strict figures.
def test_strict(tmp_path: Path) -> None:
    before = counting(tmp_path / "a", TRUE)
    after = counting(tmp_path / "b", [SampleOutcome.ABSTAINED, *TRUE[1:]])
    (found,) = compared(before, after).contrasts
    assert found.changes[0].difference.value == pytest.approx(TRUE[0] / len(TRUE))


# Without a shared sample the figures stand side by side, and the difference is undefined and says why.
def test_nothing_shared(tmp_path: Path) -> None:
    before, after = counting(tmp_path / "a", TRUE), counting(tmp_path / "b", TRUE, first_sample=100)
    (found,) = compared(before, after).contrasts
    assert found.shared_count == 0
    assert found.changes[0].difference.value is None
    assert found.changes[0].difference.note == "no sample is the same in both runs"
    assert found.changes[0].first.value == found.changes[0].second.value == 0.0
    assert "not the same samples" in contrast_files(compared(before, after))["index.html"].decode()


# Classes are compared by their whole confusion, accuracies by McNemar's exact test, and the p-values of the
# headline metrics are corrected for their number.
def test_classes(tmp_path: Path) -> None:
    truths = {"classes": CLASSES, "counts": TRUE}
    shifted = [CLASSES[(place + (place < 8)) % 3] for place in range(len(CLASSES))]
    runs = [
        write_run(tmp_path / name, {"classes": {"model": said}, "counts": {"model": TRUE}}, truths)
        for name, said in (("a", shifted), ("b", CLASSES))
    ]
    classes, counts = compared(*runs).contrasts
    by_name = {change.metric: change for change in classes.changes}
    assert by_name["accuracy"].method == "mcnemar"
    assert by_name["accuracy"].p_value == pytest.approx(2 * 0.5**8)
    assert by_name["accuracy"].difference.value == pytest.approx(8 / 24)
    assert classes.changes[0].metric == "balanced_accuracy"
    assert classes.changes[0].adjusted_p_value == pytest.approx(2 * classes.changes[0].p_value)
    assert (classes.changes[0].verdict, counts.changes[0].verdict) == ("better", "alike")


# Where samples were asked about again, all answers are compared, the first with the first and so on; that
# makes no more samples, and a sample is a cluster.
def test_repeats(tmp_path: Path) -> None:
    before = counting(tmp_path / "a", [(count + 1, count + 3) for count in TRUE], repeats=2)
    after = counting(tmp_path / "b", [(count, count + 2) for count in TRUE], repeats=2)
    (found,) = compared(before, after).contrasts
    assert (found.shared_count, found.changes[0].difference.n) == (12, 24)
    assert found.changes[0].difference.value == -1.0
    assert found.changes[0].method == "permutation-clustered"
    (first,) = compared(counting(tmp_path / "c", TRUE), after).contrasts
    assert (first.shared_count, first.changes[0].difference.n, first.changes[0].difference.value) == (
        12,
        12,
        0,
    )


# What only one of the runs has is named; a task that asks something else is not compared.
def test_only_in_one(tmp_path: Path) -> None:
    before = write_run(
        tmp_path / "a", {"counts": {"old": TRUE, "both": TRUE}}, {"counts": TRUE}, evaluation_id="a"
    )
    after = write_run(tmp_path / "b", {"counts": {"both": TRUE, "new": TRUE}}, {"counts": TRUE})
    result = compared(before, after)
    assert result.only_first == (("counts", "old"),)
    assert result.only_second == (("counts", "new"),)
    with pytest.raises(InvalidRequestError, match="no task with a model in common"):
        compared(before, counting_of_other(tmp_path / "c"))


def counting_of_other(out: Path) -> Path:
    return write_run(out, {"counts": {"other": TRUE}}, {"counts": TRUE})


# Everything of code, models, data and questions that is not the same is listed, with the prompts that were
# really used; what tells any two runs apart is not.
def test_provenance(tmp_path: Path) -> None:
    def provenance(commit: str, digest: str, manifest: str) -> dict[str, object]:
        return {
            "code": {"git_commit": commit, "packages": {"numpy": "2.4.6"}},
            "models": {"model": {"version": "1", "weights_digest": digest}},
            "datasets": {"counts": {"manifest_sha256": manifest}},
            "request": {"request_id": commit},
            "parts": [commit],
        }

    before = counting(tmp_path / "a", TRUE, provenance=provenance("c1", "w1", "m1"), prompt="p1")
    after = counting(tmp_path / "b", TRUE, provenance=provenance("c2", "w2", "m1"), prompt="p2")
    told = {(d.topic, d.what): (d.first, d.second) for d in compared(before, after).provenance}
    assert told == {
        ("code", "code.git_commit"): ("c1", "c2"),
        ("models", "models.model.weights_digest"): ("w1", "w2"),
        ("questions", "prompt of counts, model"): ("v1 p1", "v1 p2"),
    }


# The JSON has every field and the verdicts; the page needs no other file, and names in it stay text.
def test_files(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    answers = [count + 3 for count in TRUE]
    before = write_run(tmp_path / "a", {"counts": {hostile: answers}}, {"counts": TRUE})
    after = write_run(tmp_path / "b", {"counts": {hostile: TRUE}}, {"counts": TRUE})
    files = contrast_files(compared(before, after))
    assert set(files) == {"comparison.json", "comparison.md", "index.html"}
    content = json.loads(files["comparison.json"])
    assert content["format_version"] == FORMAT_VERSION == 1
    assert content["contrasts"][0]["verdict"] == "better"
    assert content["contrasts"][0]["changes"][0]["difference"]["value"] == -3.0
    page = files["index.html"].decode()
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "second is better" in page
    assert 'src="' not in page
    assert 'rel="stylesheet"' not in page
    text = files["comparison.md"].decode()
    assert hostile not in text
    row = next(line for line in text.splitlines() if "second is better" in line)
    assert [cell.strip() for cell in row.split("|")][1:5] == [
        "counts",
        r"\<script\>alert(1)\</script\>",
        "mae",
        "second is better",
    ]
    assert "-3.000" in row
    assert {line.count("|") for line in text.splitlines() if line.startswith("| counts")} == {10}


# A folder without a report, or one from before `samples.parquet`, is refused with what to do.
def test_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"report\.json is missing"):
        read_folder(tmp_path)
    folder = counting(tmp_path / "a", TRUE)
    (folder / "samples.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read_folder(folder)
    (folder / "samples.parquet").unlink()
    with pytest.raises(InvalidRequestError, match="evaluate again"):
        read_folder(folder)
