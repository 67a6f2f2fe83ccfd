from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from hooke import codecs, errors
from hooke.cli.inputs import result_names
from hooke.cli.report import unpack
from tests.unit.hooke.command_line import Hooke, write_image
from tests.unit.hooke.lab import LABELS, Lab


def report_archive(tuned_count: int | None = None, **files: str) -> bytes:
    """A report as the evaluator sends it."""
    estimate = {"name": "seg_accuracy@0.5", "value": 0.8125, "low": 0.75, "high": 0.875}
    model = {
        "model": "m0",
        "sample_count": 4,
        "outcome_counts": {"scored": 3, "failed": 1},
        "strict": [estimate],
        "answered": [{**estimate, "value": None}],
        "latency_p50_s": 0.25,
        "tuned_count": tuned_count,
    }
    task = {"task": "nuclei", "headline": "seg_accuracy@0.5", "sample_count": 4, "models": [model]}
    content = {"index.html": "<html>", "report.json": json.dumps({"format_version": 1, "tasks": [task]})}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {**content, **files}.items():
            archive.writestr(name, text)
    return buffer.getvalue()


# The version is that of the package.
def test_version(hooke: Hooke) -> None:
    assert hooke("--version").out.startswith("hooke ")


# Every command has examples in its help.
@pytest.mark.parametrize("command", ["models", "segment", "count", "classify", "ask", "evaluate", "doctor"])
def test_help(command: str, hooke: Hooke) -> None:
    done = hooke(command, "--help")
    assert done.code == 0
    assert f"\n    hooke {command}" in done.out


# Models come as a table for people and as JSON for programs.
def test_models(hooke: Hooke) -> None:
    done = hooke("models")
    assert (done.code, done.err) == (0, "")
    assert "m0" in done.out
    assert "classify, segment" in done.out
    assert [model["name"] for model in hooke("models", "--json").document] == ["m0", "m1"]


# What every command shares may stand before its name or after it.
@pytest.mark.parametrize("before", [True, False])
def test_shared_options(before: bool, hooke: Hooke, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKE_ADDRESS", "127.0.0.1:1")
    shared = ["--json", "--address", lab.address]
    done = hooke(*shared, "models") if before else hooke("models", *shared)
    assert len(done.document) == 2


# Where nobody listens, one line says so, and the exit code tells it from other failures.
@pytest.mark.parametrize(
    "command",
    [["models"], ["count", "a.png"], ["segment", "a.png"], ["ask", "a.png", "What?"], ["evaluate", "demo"]],
)
def test_unreachable(command: list[str], hooke: Hooke, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    done = hooke("--address", "127.0.0.1:1", "--timeout", "0.3", "--json", *command)
    assert done.code == 3
    assert done.err.count("\n") == 1
    assert "127.0.0.1:1" in done.err
    assert "127.0.0.1:1" in done.document["error"]["message"]


# Each image gives a label image, an overlay and a table, named after it.
def test_segment(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "scans" / "a.tif")
    write_image(tmp_path / "scans" / "b.TIF")
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    done = hooke("segment", "scans", "--model", "m0", "--diameter-px", "3", "--out", "masks")
    assert done.code == 0
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [
        f"{name}_{kind}" for name in "ab" for kind in ("labels.tif", "objects.csv", "overlay.png")
    ]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "masks" / "a_labels.tif"), LABELS)
    assert codecs.read(tmp_path / "masks" / "a_overlay.png").pixels.shape == (*LABELS.shape, 3)
    assert {call.request.expected_diameter_px for call in lab.calls("Segment")} == {3.0}
    assert "a.tif" in done.out


# With --json there is one document on standard output, with the files that were written.
def test_segment_json(hooke: Hooke, tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif")
    done = hooke("segment", "a.tif", "--json")
    (entry,) = done.document
    assert entry["image"] == "a.tif"
    assert Path(entry["result"]["labels_file"]).is_file()
    assert entry["result"]["answer"]["provenance"]["model"] == "m"
    assert done.err == ""


# Two images of one name do not overwrite each other's results.
def test_equal_stems(hooke: Hooke, tmp_path: Path) -> None:
    for name in ("day1/cells.tif", "day2/cells.tif", "day2/cells.png", "other.tif"):
        write_image(tmp_path / name)
    assert hooke("segment", "day1", "day2", "other.tif").code == 0
    written = sorted(path.name for path in (tmp_path / "hooke-results").glob("*_labels.tif"))
    assert written == [
        "day1_cells_tif_labels.tif",
        "day2_cells_png_labels.tif",
        "day2_cells_tif_labels.tif",
        "other_labels.tif",
    ]


# Names of results are never alike, not even where they differ in case only or are built to clash.
def test_result_names_differ(tmp_path: Path) -> None:
    names = ["a/b.tif", "a/B.png", "a_b.tif", "a/b_tif", "c/a_b.tif", "a_b_tif.x", "x/a_b_tif.y", "d.tif"]
    paths = [tmp_path / name for name in names]
    results = result_names(paths)
    assert len({name.casefold() for name in results.values()}) == len(paths)
    assert results[paths[-1]] == "d"


# An image is never overwritten by the results of another.
def test_inputs_are_safe(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif")
    write_image(tmp_path / "a_labels.tif")
    done = hooke("segment", "a.tif", "a_labels.tif", "--out", ".")
    assert done.code == 2
    assert "a_labels.tif" in done.err
    assert lab.seen == []


# Files, folders and globs are expanded, and a file that is named twice is asked about once.
def test_inputs(hooke: Hooke, tmp_path: Path) -> None:
    for name in ("x/1.png", "x/y/2.png", "3.png"):
        write_image(tmp_path / name)
    done = hooke("count", "x", "x/**/*.png", "3.png", "./3.png", "--json")
    assert [Path(entry["image"]).name for entry in done.document] == ["1.png", "2.png", "3.png"]


# What stands for no image, and numbers that cannot be meant, are wrong usage and name the argument.
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["count", "missing.png"], "missing.png"),
        (["count", "empty"], "empty"),
        (["count", "*.jpg"], "*.jpg"),
        (["count", "a.png", "--diameter-px", "0"], "--diameter-px"),
        (["count", "a.png", "--diameter-px", "1", "--diameter-um", "1"], "--diameter-um"),
        (["count", "a.png", "--pixel-size-um", "nan"], "--pixel-size-um"),
        (["count", "a.png", "--project", "sum"], "--project"),
        (["count", "a.png", "--z", "1", "--project", "max"], "--project"),
        (["count", "a.png", "--channel", "-1"], "--channel"),
        (["segment", "a.png", "--point", "3"], "--point"),
        (["segment", "a.png", "--box", "1,2,3,x"], "--box"),
        (["segment", "a.png", "--preset", "mine"], "--preset"),
        (["segment", "a.png", "--point", "1,2", "--model", "classical"], "--point: only for sam, not for"),
        (["segment", "a.png", "--box", "1,2,3,4", "-m", "cellpose"], "--box: only for sam, not for cellpose"),
        (["segment", "a.png", "--preset", "paper", "-m", "classical"], "--preset: only for sam, not for"),
        (["ask"], "Missing argument 'QUESTION'"),
        (["ask", "What?"], "Missing argument 'IMAGE'"),
        (["ask", "a.png"], "'QUESTION': it is missing; say what to ask"),
        (["ask", "empty"], "'QUESTION': it is missing; say what to ask"),
        (["ask", "a.png", "b.png"], "'QUESTION': it is missing; say what to ask"),
        (["ask", "a.png", "What?", "--temperature", "0.5"], "--temperature"),
        (["ask", "a.png", "What?", "--model", "llava", "--temperature", "3"], "--temperature"),
        (["classify", "a.png"], "--examples"),
        (["classify", "a.png", "--examples", "empty"], "--examples"),
        (["evaluate"], "SUITE"),
        (["evaluate", "missing.yaml"], "missing.yaml"),
        (["evaluate", "a.png"], "a.png cannot be read"),
        (["evaluate", "folder/suite"], "folder/suite"),
        (["--tls-cert", "a.png", "models"], "--tls-key"),
    ],
)
def test_wrong_usage(arguments: list[str], named: str, hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    done = hooke(*arguments)
    assert done.code == 2
    assert named in done.err
    assert lab.seen == []


# An address without a port is asked back about before anybody is looked for.
@pytest.mark.parametrize(
    "arguments", [["--address", "localhost", "models"], ["models", "--address", "localhost"]]
)
def test_address_without_a_port(arguments: list[str], hooke: Hooke) -> None:
    done = hooke(*arguments)
    assert (done.code, done.err) == (1, "Error: address: no port given; localhost:50051?\n")


# A deadline is spoken of by the name that it has on the command line.
@pytest.mark.parametrize(
    ("timeout", "error"),
    [("60", errors.DeadlineExceededError("late; a longer `timeout_s` may help.")), ("inf", None)],
)
def test_deadline(
    timeout: str, error: errors.HookeError | None, hooke: Hooke, lab: Lab, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png")
    if error:
        lab.failures["Count"].append(error)
    done = hooke("--timeout", timeout, "count", "a.png")
    assert done.code == 1
    assert "`hooke --timeout SECONDS` sets the deadline." in done.err


# One bad image fails alone: the others are answered, one line names it, the exit code tells.
def test_one_bad_image(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for name in "abc":
        write_image(tmp_path / f"{name}.png")
    lab.failures["Count"].append(errors.ImageUnreadableError("this is no image"))
    done = hooke("count", "a.png", "b.png", "c.png", "--jobs", "1", "--json")
    assert done.code == 1
    assert [entry.get("result", {}).get("count") for entry in done.document] == [None, 7, 7]
    assert done.document[0]["error"]["reason"] == "IMAGE_UNREADABLE"
    assert done.err.splitlines() == ["a.png: this is no image.", "1 of 3 images failed."]


# What is wrong with every image is said once, with what to do about it on the command line.
def test_one_fault_of_many(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for name in "abc":
        write_image(tmp_path / f"{name}.png")
    lab.failures["Count"].extend([errors.UnknownModelError("no model x")] * 3)
    done = hooke("count", "a.png", "b.png", "c.png", "--model", "x")
    first, last = done.err.splitlines()
    assert first == "a.png and 2 more: no model x. `hooke models` lists the models."
    assert last == "3 of 3 images failed."
    assert done.out == ""


# A server that goes away ends the work at once: what is left is not tried.
def test_server_goes_away(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for number in range(5):
        write_image(tmp_path / f"{number}.png")
    lab.failures["Count"].extend([errors.UnavailableError("gone", metadata={"code": "UNAVAILABLE"})] * 5)
    done = hooke("count", *(f"{number}.png" for number in range(5)), "--jobs", "1")
    assert done.code == 3
    assert len(lab.calls("Count")) == 5  # the attempts of the first image


# Counts go to a table and to a CSV file.
def test_count_csv(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    done = hooke("count", "a.png", "--csv", "tables/counts.csv", "--pixel-size-um", "0.5", "--channel", "1")
    assert "7" in done.out
    with (tmp_path / "tables" / "counts.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["image"], row["count"], row["outcome"]) == ("a.png", "7", "answered")
    request = lab.calls("Count")[0].request
    assert request.image.pixel_size.pixel_size_y_um == 0.5
    assert list(request.view.channel_indices) == [1]


# The folders of the examples are the classes.
def test_classify(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for name in ("known/a/1.png", "known/a/2.png", "known/b/3.png", "new.png"):
        write_image(tmp_path / name)
    done = hooke("classify", "new.png", "--examples", "known", "--csv", "classes.csv")
    assert done.code == 0
    assert "100.0%" in done.out
    assert [example.label for example in lab.calls("Classify")[0].request.examples] == ["a", "a", "b"]
    assert (tmp_path / "classes.csv").read_text().splitlines() == [
        "image,label,outcome,p(a)",
        "new.png,a,answered,1.0",
    ]


# A bad example is named by its file, not by its place in the request.
def test_bad_example(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for name in ("known/a/1.png", "known/b/2.png", "new.png"):
        write_image(tmp_path / name)
    fault = errors.FieldViolation("examples[1].image", "no image")
    lab.failures["Classify"].append(
        errors.ImageUnreadableError("examples[1].image: no image", violations=[fault])
    )
    done = hooke("classify", "new.png", "--examples", "known")
    assert done.err.splitlines()[0] == f"new.png: {Path('known/b/2.png')}: no image."


# An evaluation is started, followed, and its report unpacked; the table has intervals and coverage.
def test_evaluate(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    lab.report = report_archive()
    done = hooke("evaluate", "demo", "--model", "m1", "--model", "m0", "--limit", "4")
    assert done.code == 0
    request = lab.calls("CreateEvaluation")[0].request
    assert (request.suite_name, list(request.models), request.sample_limit) == ("demo", ["m1", "m0"], 4)
    index = tmp_path / "hooke-report" / "demo-e0" / "index.html"
    assert index.read_text() == "<html>"
    assert "0.812 (0.75 to 0.875)" in done.out
    assert "undefined" in done.out
    assert "75%" in done.out
    assert done.err.splitlines()[0] == "Started evaluation e0 of suite demo."
    assert str(index.relative_to(tmp_path)) in done.err


# Without a terminal there is a line for every tenth, and none for what lies between.
def test_evaluate_without_a_terminal(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    lab.done_counts = [0, 4, 10, 19, 20, 95, 100]
    lines = hooke("evaluate", "demo").err.splitlines()
    said = [line for line in lines if line.endswith(" answers.")]
    assert said[:4] == [
        "10 of 100 answers.",
        "20 of 100 answers.",
        "95 of 100 answers.",
        "t, m0: 100 answers.",
    ]


# A large report has more time than other calls, and who waits for it is told so.
def test_evaluate_waits_for_the_report(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    done = hooke("evaluate", "demo")
    (call,) = lab.calls("GetReport")
    (other,) = lab.calls("CreateEvaluation")
    assert call.seconds_left is not None
    assert other.seconds_left is not None
    assert call.seconds_left > 10 * other.seconds_left
    assert "Fetching the report." in done.err


# A suite file travels as its text, and a folder that is here as an absolute path.
def test_evaluate_a_file(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text("name: mine\n")
    (tmp_path / "data").mkdir()
    lab.report = report_archive()
    hooke("evaluate", "suite.yaml", "--data", "data", "--out", "there")
    hooke("evaluate", "suite.yaml", "--data", "elsewhere", "--out", "there")
    first, second = (call.request for call in lab.calls("CreateEvaluation"))
    assert first.suite_yaml == "name: mine\n"
    assert first.data_dir == str(tmp_path / "data")
    assert second.data_dir == "elsewhere"
    assert (tmp_path / "there" / "index.html").is_file()


# The same command is the same evaluation, another one is not, and --new always begins afresh.
def test_evaluate_resumes(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    commands = (["demo"], ["demo"], ["demo", "--limit", "1"], ["demo", "--model", "m0"], ["demo", "--new"])
    said = [hooke("evaluate", *arguments).err for arguments in commands]
    ids = [call.request.request_id for call in lab.calls("CreateEvaluation")]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert [text.startswith("Started") for text in said] == [True, False, True, True, True]
    assert "--new" in said[1]
    assert not hooke("evaluate", "demo").err.startswith("Started")
    assert lab.calls("CreateEvaluation")[-1].request.request_id == ids[-1]


# The exit code says whether the evaluation succeeded; the reason is shown, with a hint about the folder.
@pytest.mark.parametrize(("state", "word"), [(5, "partially succeeded"), (6, "failed"), (7, "cancelled")])
def test_evaluate_fails(state: int, word: str, hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    lab.states, lab.state_message = [2, state], "no such folder"
    done = hooke("evaluate", "demo", "--data", "/nowhere")
    assert done.code == 1
    assert word in done.err
    assert "no such folder" in done.err
    assert ("same path" in done.err) == (word == "failed")


# What an evaluation says while it runs is shown once, line by line: which folder it reads, for example.
def test_evaluate_says_what_it_reads(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    lab.states, lab.state_message = [2, 2, 4], "Data: /data/nuclei\nm0 does not answer now."
    lines = hooke("evaluate", "demo").err.splitlines()
    assert lines[0].startswith("Started")
    assert lines[1:3] == ["Data: /data/nuclei", "m0 does not answer now."]
    assert lines.count("Data: /data/nuclei") == 1


# Where an evaluation broke off before its report was written, the reason is what is shown.
def test_evaluate_without_report(hooke: Hooke, lab: Lab) -> None:
    lab.states, lab.state_message = [2, 6], "the model has changed"
    lab.failures["GetReport"].append(errors.InvalidRequestError("report_format: no HTML report"))
    done = hooke("evaluate", "demo", "--json")
    assert done.code == 1
    assert "the model has changed" in done.err
    assert "report_format" not in done.err
    assert done.document["evaluation"]["state"] == "failed"
    assert done.document["index_html"] is None


# Answers that a model was tuned on count in no figure, and the table says how many they were, be it none.
def test_evaluate_tuned(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive(tuned_count=2)
    assert "m0: 2 answers left out, tuned on" in hooke("evaluate", "demo").out
    lab.report = report_archive(tuned_count=0)
    assert "m0: 0 answers left out, tuned on" in hooke("evaluate", "demo", "--new").out
    lab.report = report_archive()
    assert "tuned on" not in hooke("evaluate", "demo", "--new").out


# A folder that the evaluator does not see is refused with what to do about it.
def test_evaluate_foreign_folder(hooke: Hooke, lab: Lab) -> None:
    fault = errors.FieldViolation("data_dir", "no such folder")
    lab.failures["CreateEvaluation"].append(
        errors.InvalidRequestError("data_dir: no such folder", violations=[fault])
    )
    done = hooke("evaluate", "demo", "--data", "/nowhere", "--json")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "no such folder" in done.err
    assert "no such folder. The evaluator must see the folder of --data at the same path" in done.err
    assert done.document["error"]["violations"] == [{"field": "data_dir", "description": "no such folder"}]


# A dry run creates nothing, and shows calls, tokens, cost and time, or that they are unknown.
def test_evaluate_dry_run(hooke: Hooke, lab: Lab) -> None:
    done = hooke("evaluate", "demo", "--model", "m0", "--limit", "1000", "--dry-run", "--no-cache")
    assert done.code == 0
    (call,) = lab.calls("EstimateEvaluation")
    asked = call.request.evaluation_request
    assert (asked.suite_name, asked.sample_limit, asked.reuse_answers) == ("demo", 1000, False)
    assert lab.calls("CreateEvaluation") == []
    first, second = (line for line in done.out.splitlines() if " m0 " in line or " m1 " in line)
    assert all(word in first for word in ("1,000", "900", "4,500", "none", "$1.2300", "1.0 to 10.0"))
    assert second.count("unknown") == 4
    assert "1,900 calls would be made, for $1.2300; the cost of 1 of the 2 rows is unknown" in done.err


# Limits travel as what they say; what is not of their form is refused with the name of the option.
def test_evaluate_limits(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    options = ["--in-flight", "a=4", "--per-minute", "a=15", "--per-minute", "b=1", "--max-cost-usd", "2.5"]
    hooke("evaluate", "demo", *options, "--max-failed", "20%", "--max-minutes", "1.5")
    hooke("evaluate", "demo", "--max-failed", "7")
    hooke("evaluate", "demo")
    first, second, third = (call.request for call in lab.calls("CreateEvaluation"))
    assert len({first.request_id, second.request_id, third.request_id}) == 1
    assert {m.model: (m.max_in_flight, m.requests_per_minute) for m in first.limits.model_limits} == {
        "a": (4, 15),
        "b": (0, 1),
    }
    assert first.limits.max_cost_micro_usd == 2_500_000
    assert first.limits.max_failed_fraction == 0.2
    assert first.limits.max_sending_duration.ToSeconds() == 90
    assert second.limits.max_failed_count == 7
    assert not third.HasField("limits")
    for option, value in (
        ("--in-flight", "4"),
        ("--in-flight", "a=0"),
        ("--per-minute", "a=x"),
        ("--max-cost-usd", "-1"),
        ("--max-cost-usd", "nan"),
        ("--max-failed", "many"),
        ("--max-failed", "120%"),
        ("--max-failed", "-1"),
        ("--max-minutes", "0"),
    ):
        done = hooke("evaluate", "demo", option, value)
        assert (done.code, option in done.err) == (2, True), (option, value, done.err)


# A server that goes away in the middle is told of at once; where it stays away, the error says how to go on.
def test_evaluate_loses_the_server(hooke: Hooke, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooke._steps.AWAY_S", 0.01)
    lab.states, lab.held = [2], True

    def go_away() -> None:
        assert lab.watched.wait(30)
        lab.failures["WatchEvaluation"].extend([errors.UnavailableError("gone")] * 50)
        lab.hold.set()

    leaving = threading.Thread(target=go_away)
    leaving.start()
    done = hooke("evaluate", "demo", "--new")
    leaving.join()
    assert done.code == 3
    _started, *rest, last = done.err.splitlines()
    assert [line for line in rest if "is lost" in line] == [
        f"The connection to {lab.address} is lost; waiting up to 5 minutes for it. "
        "The evaluation goes on at the server, as soon as that is back."
    ]
    again = "Evaluation e0 goes on at the server; to follow it again, run the same command, without --new."
    assert last.endswith(again)


# With --add-to, the evaluation of that id grows; nothing can be added to a new one.
def test_evaluate_add_to(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    lab.request_id = "of another command"
    done = hooke("evaluate", "demo", "--model", "m0", "--model", "m1", "--add-to", "e0")
    assert lab.calls("CreateEvaluation")[0].request.request_id == "of another command"
    assert done.err.startswith("Adding to evaluation e0 of suite demo.")
    assert hooke("evaluate", "demo", "--add-to", "e0", "--new").code == 2


# The metrics of an evaluation can be computed again by its id alone, and its report is shown.
def test_evaluate_rescore(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    done = hooke("evaluate", "--rescore", "e0")
    assert done.code == 0
    assert lab.calls("RescoreEvaluation")[0].request.evaluation_id == "e0"
    assert lab.calls("CreateEvaluation") == []
    assert "0.812 (0.75 to 0.875)" in done.out


# An evaluation can be stopped by its id.
def test_cancel(hooke: Hooke, lab: Lab) -> None:
    done = hooke("evaluate", "--cancel", "e0", "--json")
    assert (done.code, done.document["state"]) == (0, "cancelling")
    assert lab.calls("CreateEvaluation") == []


# With --json, the numbers of the report come with the path of its page.
def test_evaluate_json(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive()
    document = hooke("evaluate", "demo", "--json").document
    assert document["evaluation"]["state"] == "succeeded"
    assert document["report"]["tasks"][0]["task"] == "nuclei"
    assert Path(document["index_html"]).is_file()


# A report of a later format is unpacked, if not understood.
def test_evaluate_later_report(hooke: Hooke, lab: Lab) -> None:
    lab.report = report_archive(**{"report.json": '{"format_version": 2}'})
    done = hooke("evaluate", "demo")
    assert done.code == 0
    assert "index.html" in done.err


def marked(local: int, central: int, value: int) -> bytes:
    """A report with another value in a field of the headers of its first member, at these offsets."""
    archive = bytearray(report_archive())
    archive[local] = value
    archive[archive.index(b"PK\x01\x02") + central] = value
    return bytes(archive)


# A later report takes the place of an earlier one as a whole; no page of the earlier is left.
def test_report_replaces_report(tmp_path: Path) -> None:
    unpack(report_archive(**{"samples/1.html": "", "samples/2.html": ""}), tmp_path / "there")
    unpack(report_archive(**{"samples/1.html": ""}), tmp_path / "there")
    assert [path.name for path in (tmp_path / "there" / "samples").iterdir()] == ["1.html"]
    names = ["index.html", "report.json", "samples"]
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == names


# A folder with files of somebody's own is refused and left as it is, be there a report in it or not.
@pytest.mark.parametrize("reported", [False, True])
def test_report_beside_other_files(tmp_path: Path, reported: bool) -> None:
    if reported:
        unpack(report_archive(), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(errors.InvalidRequestError, match="holds other files"):
        unpack(report_archive(), tmp_path)
    assert sorted(tmp_path.iterdir()) == before


# A report cannot write outside of its folder, and a broken one is an error and no traceback.
@pytest.mark.parametrize(
    "archive",
    [
        report_archive(**{"../evil": ""}),
        report_archive(**{"/evil": ""}),
        report_archive(**{"a/../../evil": ""}),
        report_archive(**{"..\\evil": ""}),
        b"no archive",
        report_archive()[:-30],
        marked(6, 8, 1),
        marked(8, 10, 99),
        marked(8, 10, zipfile.ZIP_DEFLATED),
    ],
    ids=["parent", "absolute", "through", "windows", "garbage", "cut", "locked", "method", "stream"],
)
def test_unsafe_reports(archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(errors.InternalError):
        unpack(archive, tmp_path / "report")
    assert list(tmp_path.rglob("*")) == []


def interrupt(lab: Lab, moment: threading.Event, folder: Path, *arguments: str) -> str:
    """Run `hooke`, press Ctrl-C at a moment, and return what it said."""
    child = subprocess.Popen(
        [sys.executable, "-c", "from hooke.cli import main; main()", *arguments],
        env={**os.environ, "HOOKE_ADDRESS": lab.address},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert moment.wait(60)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in said
    return said


# Ctrl-C leaves the evaluation alone, and says how to come back to it or stop it.
def test_evaluate_detaches(lab: Lab, tmp_path: Path) -> None:
    lab.states, lab.held = [2], True
    said = interrupt(lab, lab.watched, tmp_path, "evaluate", "demo")
    assert "hooke evaluate --cancel e0" in said
    assert lab.calls("CancelEvaluation") == []


# Ctrl-C during other work cancels what is under way.
def test_interrupted_work(lab: Lab, tmp_path: Path) -> None:
    lab.held = True
    write_image(tmp_path / "a.png")
    assert interrupt(lab, lab.entered, tmp_path, "segment", "a.png") == "Interrupted.\n"
    assert lab.cancelled.wait(10)


# The doctor reports every finding and is content with a server that answers.
def test_doctor(hooke: Hooke, lab: Lab) -> None:
    document = hooke("doctor", "--json").document
    assert document["healthy"] is True
    findings = {check["name"]: check for check in document["checks"]}
    assert findings["reachable"]["ok"] is True
    assert findings["hooke.v1.InferenceService"]["ok"] is True
    assert hooke("doctor").code == 0


# The doctor names what fails: no server, a service that sleeps, a model that does not answer.
def test_doctor_finds_faults(hooke: Hooke, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.asleep = "hooke.v1.ImageService"
    done = hooke("doctor", "--json")
    assert done.code == 1
    assert [check["name"] for check in done.document["checks"] if check["ok"] is False] == [lab.asleep]
    lab.asleep = "asleep"
    lab.countable = True
    lab.failures["Count"].extend([errors.InternalError("broken", request_id="r-7")] * 2)
    done = hooke("doctor", "--json")
    failed = [check for check in done.document["checks"] if check["ok"] is False]
    assert [check["name"] for check in failed] == ["ask m0", "ask m1"]
    assert "r-7" in failed[0]["detail"]
    monkeypatch.setenv("HOOKE_ADDRESS", "127.0.0.1:1")
    done = hooke("--timeout", "0.3", "doctor")
    assert done.code == 1
    assert "127.0.0.1:1" in done.out
    told = " ".join(done.out.replace("│", " ").split())
    assert "`make up` in a checkout starts one, --address or HOOKE_ADDRESS names another." in told
    assert "hooke doctor" not in told
