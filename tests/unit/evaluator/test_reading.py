from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from evaluator.records import SampleRow
from evaluator.runs import KnownOutcome, Place, RunSpec, TaskPlan
from evaluator.store import RunStore
from hooke.types import SampleOutcome
from tests.unit.evaluator.stored import (
    PLAN,
    RUN,
    TAG,
    WAIT_S,
    answer,
    failure,
    opened,
    outcomes_of,
    score,
    scored_by,
    scores_of,
)

IDENTITY: dict[str, Any] = {"provenance": {"model_version": "1", "weights_digest": None}}


# Repeats of a question lie beside each other: prediction, mask, score; each is read by its number.
def test_repeats_are_apart(store: RunStore) -> None:
    task = opened(store)
    store.add_sample(task, SampleRow("s1", 0, "file", {}, None), "t")
    for repeat in range(3):
        kept = answer("s1", count=repeat, repeat=repeat)
        store.add_prediction(task, kept, b"mask %d" % repeat).result(WAIT_S)
        store.add_score(task, score("s1", repeat=repeat, answer=str(repeat)), TAG).result(WAIT_S)
    store.add_prediction(task, answer("s1", count=9, repeat=2), b"mask 9").result(WAIT_S)
    found = [store.predictions(task, "s1", repeat)["classical"] for repeat in range(3)]
    assert [prediction.count for prediction in found] == [0, 1, 9]
    masks = [(store.folder(RUN) / (prediction.mask_file or "")).read_bytes() for prediction in found]
    assert masks == [b"mask 0", b"mask 1", b"mask 9"]
    assert [scored_by(store, task, "classical", TAG, repeat) for repeat in range(3)] == [
        {"s1"},
        {"s1"},
        set(),
    ]
    assert [s.answer for s in scores_of(store, task, "classical")] == ["0"]
    assert [s.repeat for _, s in store.iter_answers(task, "classical", repeats=2)] == [0, 1]
    record = store.get(RUN)
    assert record is not None
    assert store.evaluation(record).task_progress[0].scored_count == 1
    assert len(list(store.placed_scores(task, "", None, 9))) == 1
    store.release(RUN).result(WAIT_S)
    again = opened(store, replace(PLAN, repeats={"classical": 3}))
    assert [store.predictions(task, "s1", repeat)["classical"] for repeat in range(3)] == found
    assert again == store.tasks(RUN)[0]
    assert again.answers_of("classical") == 3
    assert store.evaluation(record).task_progress[0].scored_count == 2
    assert len(list(store.placed_scores(again, "", None, 9))) == 2


# What a run has spent is what all its answers cost, as far as prices are known.
def test_spent(store: RunStore) -> None:
    task = opened(store, TaskPlan("nuclei", "d" * 64, ("classical", "vlm")))
    store.add_prediction(task, answer("s1"), None).result(WAIT_S)
    assert store.spent(RUN) == 0
    store.add_prediction(task, answer("s1", model="vlm", cost_micro_usd=2**40), None)
    store.add_prediction(task, answer("s1", model="vlm", repeat=1, cost_micro_usd=2**40), None)
    store.add_prediction(task, answer("s2", model="vlm", price_missing=True), None)
    other = opened(store, run="run-2")
    store.add_prediction(other, answer("s1", model="vlm", cost_micro_usd=1), None).result(WAIT_S)
    assert store.spent(RUN) == 2**41


# An answer of any run to the same question by the same model is found, the newest first, with its mask.
def test_cached(store: RunStore) -> None:
    for number in range(3):
        task = opened(store, run=f"run-{number}")
        found = answer("s1", count=number, **IDENTITY)
        store.add_prediction(task, found, b"mask %d" % number).result(WAIT_S)
    cached = store.history.cached(task.digest, "classical", "s1", "1", None)
    assert cached is not None
    assert cached.prediction.count == 2
    assert (cached.folder / (cached.prediction.mask_file or "")).read_bytes() == b"mask 2"
    shutil.rmtree(store.folder("run-2"))
    assert store.history.cached(task.digest, "classical", "s1", "1", None) is None


# Neither a failure, nor another model, sample, question or repeat is taken for the answer.
def test_not_cached(store: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, answer("s1", **IDENTITY), None)
    store.add_prediction(task, failure("s2", "UPSTREAM_FAILED"), None).result(WAIT_S)
    sought = (task.digest, "classical", "s1", "1", None)
    assert store.history.cached(*sought) is not None
    for place, other in enumerate(["e" * 64, "sam", "s2", "2", "sha256:1"]):
        assert store.history.cached(*(*sought[:place], other, *sought[place + 1 :])) is None  # type: ignore[arg-type]
    assert store.history.cached(*sought, repeat=1) is None


# A run that has ended takes more models and tasks, and keeps every answer and score that it has.
def test_growing_keeps_everything(store: RunStore) -> None:
    task = opened(store)
    store.add_sample(task, SampleRow("s1", 0, "file", {}, None), "t")
    store.set_sample_count(task, 1)
    store.add_prediction(task, answer("s1"), None)
    store.add_score(task, score("s1"), TAG).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    grown = RunSpec("r", suite_name="larger", models=("classical", "sam"))
    store.set_spec(RUN, grown, "larger").result(WAIT_S)
    plans = [
        TaskPlan("cells", "e" * 64, ("classical", "sam")),
        TaskPlan("nuclei", PLAN.digest, ("classical", "sam")),
    ]
    cells, nuclei = store.open(RUN, ["classical", "sam"], plans).result(WAIT_S)
    assert (nuclei.number, nuclei.sample_count, nuclei.ordinal) == (task.number, 1, 1)
    assert cells.sample_count is None
    assert outcomes_of(store, nuclei, "classical") == {"s1": SampleOutcome.SCORED}
    assert scored_by(store, nuclei, "classical", TAG) == {"s1"}
    assert [known.sample_id for known in store.iter_known_samples(nuclei)] == ["s1"]
    store.add_prediction(nuclei, answer("s1", model="sam"), None)
    store.add_score(nuclei, score("s1", model="sam"), TAG).result(WAIT_S)
    record = store.get(RUN)
    assert record is not None
    assert (record.spec, record.suite_name, record.models) == (grown, "larger", ("classical", "sam"))
    progress = store.evaluation(record).task_progress
    assert [(p.task, p.model, p.scored_count) for p in progress] == [
        ("cells", "classical", 0),
        ("cells", "sam", 0),
        ("nuclei", "classical", 1),
        ("nuclei", "sam", 1),
    ]


# Row by row there is the same as in one list, in the order of the dataset, however many rows there are.
def test_row_by_row(store: RunStore) -> None:
    task = opened(store)
    count = 2500
    for index in range(count):
        name = f"s{count - index:04}"
        store.add_sample(task, SampleRow(name, index, "file", {"blur": "1"}, None), "t")
        store.add_prediction(task, answer(name), None)
        if index % 2:
            last = store.add_score(task, score(name), TAG)
    last.result(WAIT_S)
    assert [known.position for known in store.iter_known_samples(task)] == list(range(count))
    assert [row.index for row in list(store.iter_samples(task))] == list(range(count))
    scores = [found for _, found in store.iter_answers(task, "classical")]
    assert [found.sample_id for found in scores] == [f"s{count - index:04}" for index in range(1, count, 2)]
    assert {found.sample_id for found in scores_of(store, task, "classical")} == {s.sample_id for s in scores}
    outcomes = list(store.iter_outcomes(task, "classical"))
    assert outcomes[:2] == [
        KnownOutcome(0, f"s{count:04}", SampleOutcome.SCORED, None),
        KnownOutcome(1, f"s{count - 1:04}", SampleOutcome.SCORED, TAG),
    ]
    assert {known.sample_id: known.outcome for known in outcomes} == outcomes_of(store, task, "classical")


# Who stops reading in the middle, or writes meanwhile, disturbs nobody.
@pytest.mark.parametrize("stop", [False, True])
def test_reading_and_writing_at_the_same_time(store: RunStore, stop: bool) -> None:
    task = opened(store)
    for index in range(1500):
        last = store.add_sample(task, SampleRow(f"s{index}", index, "file", {}, None), "t")
    last.result(WAIT_S)
    rows = store.iter_samples(task)
    next(rows)
    store.add_sample(task, SampleRow("new", 1500, "file", {}, None), "t").result(WAIT_S)
    if not stop:
        assert len(list(rows)) == 1499  # it sees what there was when it began
    del rows
    assert len(list(store.iter_samples(task))) == 1501


# What is read in parts is found part by part: SQLite neither sorts all scores of a task for each nor goes
# through them.
def test_parts_cost_what_they_hold(store: RunStore) -> None:
    engine = store.queries.engine
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by what the tables hold")
    task = opened(store)
    for index in range(3):
        store.add_sample(task, SampleRow(f"s{index}", index, "file", {}, None), "t")
        store.add_prediction(task, answer(f"s{index}"), None)
        store.add_score(task, score(f"s{index}"), TAG).result(WAIT_S)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert len(list(store.iter_results(task))) == 3
        assert len(list(store.iter_answers(task, "classical", 2))) == 3
        assert len(list(store.iter_outcomes(task, "classical"))) == 3
        for model in ("", "classical"):
            for after in (None, Place(task.ordinal, 0, "classical", 0)):
                assert len(list(store.placed_scores(task, model, after, 2))) == 2
    finally:
        event.remove(engine, "before_cursor_execute", note)
    selects = [(statement, values) for statement, values in asked if statement.startswith("SELECT")]
    assert len(selects) >= 8
    with engine.connect() as connection:
        for statement, values in selects:
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert not any("SCAN" in step or "TEMP" in step or "scores_by" in step for step in plan), plan
