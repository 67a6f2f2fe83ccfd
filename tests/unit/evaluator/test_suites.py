"""Suites: what can be said in them, and what is said about mistakes."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from evaluator.corruptions import FAULTS, SEVERITIES
from evaluator.metrics.catalogue import METRICS
from evaluator.records import TaskKind
from evaluator.suites import builtin_suite, builtin_suite_names, load_suite
from hooke.errors import InvalidRequestError

SIMULATED = {"loader": "simulated", "images": 4}
FOLDERS = {"loader": "class_folders", "labels": ["a", "b"]}


def suite(**task) -> str:
    fields = {"name": "count", "kind": "counting", "dataset": SIMULATED, **task}
    return yaml.safe_dump({"name": "mine", "tasks": [fields]})


# Every built-in suite loads, under the name of its file, and says what it is.
@pytest.mark.parametrize("name", builtin_suite_names())
def test_builtin_suites_load(name):
    found = builtin_suite(name)
    assert found.name == name
    assert found.description
    assert all(task.description for task in found.tasks)


# The demo has both tasks on at least 120 images in all, with slices by overlap and blur that begin at 0.
def test_the_demo_is_what_it_must_be():
    tasks = builtin_suite("demo").tasks
    assert [task.kind for task in tasks] == [TaskKind.SEGMENTATION, TaskKind.COUNTING]
    assert sum(task.dataset.images for task in tasks) >= 120
    for task in tasks:
        assert {"overlap", "blur"} < set(task.slices)
        assert task.dataset.overlaps[0] == task.dataset.blurs_px[0] == 0


# An unknown suite is refused with the names there are.
def test_unknown_suite():
    with pytest.raises(InvalidRequestError, match="demo"):
        builtin_suite("../demo")


# Each mistake is said with the path of its field.
@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("tasks: []", "suite.name", "required"),
        ("name: x\ntasks: []", "suite", "there are none"),
        ("name: Über\ntasks: []", "suite.name", "pattern"),
        ("- 1", "suite", "object"),
        ("", "suite", "object"),
        (suite(kind="guessing"), "suite.tasks[0].kind", "'segmentation'"),
        (suite(colour="red"), "suite.tasks[0].colour", "not permitted"),
        (suite(dataset={"loader": "magic"}), "suite.tasks[0].dataset", "simulated"),
        (suite(dataset={}), "suite.tasks[0].dataset", "loader"),
        (suite(dataset={**SIMULATED, "images": "4"}), "suite.tasks[0].dataset.simulated.images", "integer"),
        (suite(dataset={**SIMULATED, "count_max": 5000}), "suite.tasks[0].dataset.simulated", "do not fit"),
        (
            suite(dataset={**SIMULATED, "overlaps": [0.9]}),
            "suite.tasks[0].dataset.simulated.overlaps[0]",
            "0.6",
        ),
        (suite(kind="classification"), "suite.tasks[0]", "no truth for classification"),
        (suite(dataset=FOLDERS), "suite.tasks[0]", "no truth for counting"),
        (suite(headline="accuracy"), "suite.tasks[0]", "not a metric of counting"),
        (suite(slices=["plate"]), "suite.tasks[0]", "'plate' is not one of overlap, blur, objects"),
        (suite(corruption={"kind": "moths"}), "suite.tasks[0].corruption[0].kind", "stain_shift"),
        (
            suite(corruption={"kind": "jpeg", "severities": [0]}),
            "suite.tasks[0].corruption[0].severities[0]",
            "1",
        ),
        (
            suite(corruption={"kind": "jpeg", "severities": []}),
            "suite.tasks[0].corruption[0].severities",
            "at least",
        ),
        (
            suite(corruption={"kind": "jpeg", "severities": [2, 1]}),
            "suite.tasks[0].corruption[0].severities",
            "ascend",
        ),
        (
            suite(corruption={"kind": "jpeg", "level": 1}),
            "suite.tasks[0].corruption[0].level",
            "not permitted",
        ),
        (suite(corruption=[{"kind": "jpeg"}, {"kind": "jpeg"}]), "suite.tasks[0]", "'jpeg' stands twice"),
        (suite(slices=["fault"]), "suite.tasks[0]", "'fault' is not one of"),
        (
            suite(
                corruption={"kind": "jpeg"},
                imported=[{"model": "people", "table": "t.csv", "sample": "file", "answer": "count"}],
            ),
            "suite.tasks[0]",
            "made of other images",
        ),
        (
            suite(
                dataset={
                    "loader": "image_label_pairs",
                    "image": "{fault}/{id}.png",
                    "truth": "{id}.png",
                    "slices": ["fault"],
                },
                corruption={"kind": "jpeg"},
            ),
            "suite.tasks[0]",
            "an axis 'fault' of its own",
        ),
        (suite(expected_diameter_px=0), "suite.tasks[0].expected_diameter_px", "greater than 0"),
        (suite(expected_diameter_px=5.0, expected_diameter_um=3.0), "suite.tasks[0]", "exclude each other"),
        (
            suite(kind="classification", dataset=FOLDERS, expected_diameter_px=5.0),
            "suite.tasks[0]",
            "says nothing to classification",
        ),
        (
            suite(kind="classification", dataset={**FOLDERS, "labels": ["a"]}),
            "suite.tasks[0].dataset.class_folders.labels",
            "at least 2",
        ),
        (
            suite(kind="classification", dataset={**FOLDERS, "patterns": ["{name}"]}),
            "suite.tasks[0].dataset.class_folders",
            "lacks {label}",
        ),
        (
            suite(kind="classification", dataset={**FOLDERS, "cluster": "patient"}),
            "suite.tasks[0].dataset.class_folders",
            "lacks {patient}",
        ),
        (
            suite(dataset={"loader": "image_label_pairs", "image": "{id}.png", "truth": "{nr}.png"}),
            "suite.tasks[0].dataset.image_label_pairs",
            "lacks {nr}",
        ),
        (
            suite(dataset={"loader": "image_label_pairs", "image": "{id.png", "truth": "m.png"}),
            "suite.tasks[0].dataset.image_label_pairs.image",
            "brace",
        ),
        (
            suite(
                kind="segmentation",
                dataset={
                    "loader": "image_label_pairs",
                    "image": "{id}.png",
                    "truth": "{id}.png",
                    "truth_format": "dots",
                },
            ),
            "suite.tasks[0]",
            "not their outlines",
        ),
        (
            suite(
                kind="classification",
                dataset={"loader": "table", "table": "t.csv", "image": "{a}", "truth": "b"},
            ),
            "suite.tasks[0]",
            "label schema",
        ),
        (
            suite(
                dataset={
                    "loader": "table",
                    "table": "t.csv",
                    "image": "{a}",
                    "truth": "b",
                    "labels": ["x", "y"],
                }
            ),
            "suite.tasks[0]",
            "belong to classification",
        ),
    ],
)
def test_mistakes_name_their_field(text, field, message):
    with pytest.raises(InvalidRequestError) as caught:
        load_suite(text)
    found = {violation.field: violation.description for violation in caught.value.violations}
    assert field in found
    assert message in found[field]
    assert found[field] in caught.value.message


# Two tasks of one name cannot be told apart, so they are refused.
def test_task_names_are_unique():
    task = "{name: count, kind: counting, dataset: {loader: simulated}}"
    with pytest.raises(InvalidRequestError, match="'count' stands twice"):
        load_suite(f"name: mine\ntasks: [{task}, {task}]")


# Only plain data are read: no aliases (they can expand without bound), no tags, no key twice, no dates.
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x", "aliases"),
        ("name: !!python/object/apply:os.getcwd []", "python/object"),
        ("name: a\nname: b", "stands twice"),
        ("name: 2001-01-01", "date"),
        ("name: .nan", "JSON compliant"),
        ("name: [", "line"),
        ("[" * 5000, "recursion"),
        ("a" * (64 * 1024 + 1), "at most"),
    ],
)
def test_only_plain_yaml(text, message):
    with pytest.raises(InvalidRequestError, match=message):
        load_suite(text)


# The digest of a task is of what is asked: data and hints change it, descriptions do not.
def test_task_digest():
    def digest(**changes) -> str:
        return load_suite(suite(**changes)).tasks[0].digest

    assert digest(name="other", description="text", headline="r2", slices=["blur"]) == digest()
    others = [
        digest(expected_diameter_px=8.0),
        digest(dataset={**SIMULATED, "seed": 1}),
        digest(kind="segmentation"),
    ]
    assert len({digest(), *others}) == 4


# Faults are part of what is asked; a task without any keeps the digest that it had before there were faults.
def test_digest_of_faults():
    plain = load_suite(suite()).tasks[0]
    asked = plain.model_dump_json(
        include={"kind", "dataset", "expected_diameter_px", "expected_diameter_um", "prompt"}
    )
    assert plain.digest == hashlib.sha256(asked.encode()).hexdigest()
    digests = {
        load_suite(suite(corruption=corruption)).tasks[0].digest
        for corruption in (
            [],
            {"kind": "jpeg"},
            {"kind": "jpeg", "seed": 1},
            {"kind": "jpeg", "severities": [1]},
            {"kind": "drift"},
            [{"kind": "jpeg"}, {"kind": "drift"}],
        )
    }
    assert len(digests) == 6
    assert plain.digest in digests


# One fault or several, one severity or several: a single one needs no list; both are axes to slice by.
def test_faults_are_written_as_one_likes():
    one = load_suite(suite(corruption={"kind": "jpeg", "severities": 3}, slices=["fault", "severity"])).tasks[
        0
    ]
    several = load_suite(suite(corruption=[{"kind": "jpeg", "severities": [3]}])).tasks[0]
    assert one.corruption == several.corruption
    assert load_suite(suite(corruption={"kind": "jpeg"})).tasks[0].corruption[0].severities == (1, 2, 3, 4, 5)


# The built-in suite has every fault that a grey image can have, in every severity, on two kinds of task.
def test_robustness_has_every_fault():
    tasks = builtin_suite("robustness").tasks
    assert [task.kind for task in tasks] == [TaskKind.SEGMENTATION, TaskKind.COUNTING]
    for task in tasks:
        assert {spec.kind for spec in task.corruption} == FAULTS.keys() - {"stain_shift"}
        assert {spec.severities for spec in task.corruption} == {SEVERITIES}


# The digest of a suite is of everything in it, and the same every time.
def test_suite_digest():
    assert load_suite(suite()).digest == load_suite(suite()).digest
    assert load_suite(suite()).digest != load_suite(suite(description="text")).digest


# Every kind of task has a headline by default, and a suite may choose another.
def test_headlines():
    task = load_suite(suite()).tasks[0]
    assert task.headline_metric == "mae"
    assert load_suite(suite(headline="r2")).tasks[0].headline_metric == "r2"
    for kind in TaskKind:
        assert METRICS[kind]


# Labels can be a list, or name in other words what the data call them.
def test_labels():
    as_list = load_suite(suite(kind="classification", dataset=FOLDERS)).tasks[0]
    assert as_list.labels == ("a", "b")
    renamed = {**FOLDERS, "labels": {"1": "neutrophil", "2": "lymphocyte", "3": "neutrophil"}}
    assert load_suite(suite(kind="classification", dataset=renamed)).tasks[0].labels == (
        "neutrophil",
        "lymphocyte",
    )
    assert load_suite(suite()).tasks[0].labels == ()
