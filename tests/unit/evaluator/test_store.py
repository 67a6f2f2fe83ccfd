from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from evaluator.records import Prediction, SampleRow
from evaluator.runs import Place, RunSpec, TaskPlan
from evaluator.schema import PREDICTIONS
from evaluator.store import RunStore
from hooke.types import EvaluationState, SampleOutcome
from tests.postgres import Postgres
from tests.unit.evaluator.stored import (
    RUN,
    TAG,
    WAIT_S,
    answer,
    failure,
    journal_of,
    opened,
    outcomes_of,
    score,
    scored_by,
    scores_of,
)


# A prediction comes back from disk with everything that was in it.
def test_prediction_survives_a_round_trip(store: RunStore) -> None:
    task = opened(store)
    whole = Prediction(
        task="nuclei",
        model="classical",
        sample_id="a" * 64,
        outcome=SampleOutcome.SCORED,
        count=3,
        label="Fibre µ",
        probabilities={"Fibre µ": 0.75, "tip": 0.25},
        scores=(0.5, 1.0),
        provenance={"model_version": "1", "rendered_image": {"width_px": 4}},
        latency_s=0.25,
        queue_s=0.1,
        compute_s=0.05,
        attempt=2,
    )
    kept = store.add_prediction(task, whole, b"II*\0 a mask").result(WAIT_S)
    assert kept.mask_file is not None
    assert (store.folder(RUN) / kept.mask_file).read_bytes() == b"II*\0 a mask"
    assert store.predictions(task, "a" * 64) == {"classical": kept}
    assert store.any_answer(RUN, "classical") == kept
    assert list(store.iter_latencies(task, "classical")) == [0.25]


# A model may be called anything that the gateway lists; its masks stay inside the folder of the run.
@pytest.mark.parametrize("model", ["..", "../../x", "lab/net:1", "ünet", "."])
def test_masks_stay_in_their_folder(store: RunStore, model: str) -> None:
    task = opened(store)
    kept = store.add_prediction(task, answer("s1", model=model), b"x").result(WAIT_S)
    path = (store.folder(RUN) / (kept.mask_file or "")).resolve()
    assert path.is_relative_to((store.folder(RUN) / "masks").resolve())
    assert path.parent.parent.parent == (store.folder(RUN) / "masks").resolve()


# The last prediction of a sample counts, and the score of the one before goes with it.
def test_last_prediction_wins(store: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, failure("s1", "UPSTREAM_FAILED"), None).result(WAIT_S)
    store.add_score(task, score("s1", SampleOutcome.FAILED), TAG).result(WAIT_S)
    store.add_prediction(task, answer("s1", count=7, attempt=2), None).result(WAIT_S)
    assert outcomes_of(store, task, "classical") == {"s1": SampleOutcome.SCORED}
    assert scored_by(store, task, "classical", TAG) == set()
    assert store.predictions(task, "s1")["classical"].count == 7
    assert len(journal_of(store).read_text().splitlines()) == 2


# Whatever number of bytes of the last line a crash leaves behind, the lines before it are all there, the
# rest is cut off, and the next line is whole.
@pytest.mark.parametrize("kept_bytes", [1, 20, -2, -1])
def test_torn_line_is_dropped(store: RunStore, kept_bytes: int) -> None:
    task = opened(store)
    for name in ("s1", "s2", "s3"):
        store.add_prediction(task, answer(name), None).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    lines = journal_of(store).read_bytes().splitlines(keepends=True)
    journal_of(store).write_bytes(lines[0] + lines[1] + lines[2][:kept_bytes])
    task = opened(store)
    assert set(outcomes_of(store, task, "classical")) == {"s1", "s2"}
    assert journal_of(store).read_bytes() == lines[0] + lines[1]
    store.add_prediction(task, answer("s3", count=9), None).result(WAIT_S)
    assert store.predictions(task, "s3")["classical"].count == 9
    assert [json.loads(line)["sample_id"] for line in journal_of(store).read_text().splitlines()] == [
        "s1",
        "s2",
        "s3",
    ]


# A power cut may leave a block of zeros behind; what follows nothing whole is cut off.
def test_zeros_after_the_last_line_are_dropped(store: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, answer("s1"), None).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    sound = journal_of(store).read_bytes()
    journal_of(store).write_bytes(sound + b"\0" * 4096)
    assert set(outcomes_of(store, opened(store), "classical")) == {"s1"}
    assert journal_of(store).read_bytes() == sound


# One damaged line in the middle costs its own sample and no other.
def test_damage_in_the_middle_costs_one_sample(store: RunStore) -> None:
    task = opened(store)
    for name in ("s1", "s2", "s3"):
        store.add_prediction(task, answer(name, count=5), None).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    lines = journal_of(store).read_bytes().splitlines(keepends=True)
    journal_of(store).write_bytes(lines[0] + b"?" * (len(lines[1]) - 1) + b"\n" + lines[2])
    task = opened(store)
    assert set(outcomes_of(store, task, "classical")) == {"s1", "s3"}
    assert store.predictions(task, "s3")["classical"].count == 5


# Without its database a run still has every answer: the index is made again from the journal.
def test_index_is_made_again(tmp_path: Path, url: SecretStr | None, request: pytest.FixtureRequest) -> None:
    store = RunStore(tmp_path, url)
    task = opened(store)
    for number in range(20):
        store.add_prediction(task, answer(f"s{number}", count=number), None)
    store.close()
    for path in tmp_path.glob("runs.sqlite*"):
        path.unlink()
    if url is not None:
        server: Postgres = request.getfixturevalue("postgres")
        url = SecretStr(server.url(server.new_database()))
    store = RunStore(tmp_path, url)
    task = opened(store)
    assert len(outcomes_of(store, task, "classical")) == 20
    assert store.predictions(task, "s13")["classical"].count == 13
    store.close()


# A line that was on disk when the process died, but not yet in the index, replaces the earlier prediction
# and takes its score away.
def test_score_of_a_replaced_prediction_is_dropped_on_recovery(store: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, answer("s1", count=None, outcome=SampleOutcome.FAILED), None).result(WAIT_S)
    store.add_prediction(task, answer("s2"), None).result(WAIT_S)
    for name, outcome in (("s1", SampleOutcome.FAILED), ("s2", SampleOutcome.SCORED)):
        store.add_score(task, score(name, outcome), TAG).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    first = json.loads(journal_of(store).read_text().splitlines()[0])
    with journal_of(store).open("a") as journal:
        journal.write(json.dumps({**first, "outcome": "scored", "count": 4}) + "\n")
    task = opened(store)
    assert outcomes_of(store, task, "classical")["s1"] is SampleOutcome.SCORED
    assert scored_by(store, task, "classical", TAG) == {"s2"}


# A task whose definition changed starts anew; what was answered to the old one counts again if it returns.
def test_predictions_belong_to_the_digest_of_their_task(store: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, answer("s1"), None).result(WAIT_S)
    changed = opened(store, TaskPlan("nuclei", "e" * 64, ("classical",)))
    assert outcomes_of(store, changed, "classical") == {}
    assert [task.digest for task in store.tasks(RUN)] == ["e" * 64]
    assert set(outcomes_of(store, opened(store), "classical")) == {"s1"}


# Creating twice gives the run that is there, whatever the second call says.
def test_creating_again_changes_nothing(store: RunStore) -> None:
    first = store.create(RUN, RunSpec("r", models=("a", "b"), sample_limit=3), "demo").result(WAIT_S)
    store.set_state(RUN, EvaluationState.RUNNING).result(WAIT_S)
    again = store.create(RUN, RunSpec("r", suite_name="other"), "other").result(WAIT_S)
    assert again.spec == first.spec == RunSpec("r", models=("a", "b"), sample_limit=3)
    assert (again.number, again.state) == (first.number, EvaluationState.RUNNING)


# An end time stands exactly while a run has ended, and unfinished runs are found oldest first.
def test_states(store: RunStore) -> None:
    for number, state in enumerate(EvaluationState):
        store.create(f"run{number}", RunSpec(f"r{number}"), "demo").result(WAIT_S)
        store.set_state(f"run{number}", state, "why").result(WAIT_S)
        record = store.get(f"run{number}")
        assert record is not None
        assert (record.state, record.state_message) == (state, "why")
        assert (record.end_time is not None) == state.ended
    unfinished = [f"run{n}" for n, state in enumerate(EvaluationState) if not state.ended]
    assert store.unfinished() == unfinished
    newest = store.newest(3)
    assert [run.evaluation_id for run in newest] == ["run6", "run5", "run4"]
    assert [run.evaluation_id for run in store.newest(9, newest[-1].number)] == [
        "run3",
        "run2",
        "run1",
        "run0",
    ]
    assert store.get("nothing") is None


# Pages of scores join without gap or repeat, in the order of the dataset, at any size of page.
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_scores_are_paged_in_the_order_of_the_dataset(store: RunStore, size: int) -> None:
    plans = [TaskPlan(name, name * 64, ("b", "a")) for name in ("y", "x")]
    opened(store, *plans)
    tasks = store.tasks(RUN)
    for task in tasks:
        for index in reversed(range(3)):
            store.add_sample(
                task, SampleRow(f"{task.name}{9 - index}", index, "file", {"blur": "1"}, None), "t"
            )
            for model in ("a", "b"):
                store.add_prediction(task, answer(f"{task.name}{9 - index}", model=model), None)
                store.add_score(task, score(f"{task.name}{9 - index}", model=model), TAG).result(WAIT_S)
    seen: list[tuple[str, str]] = []
    after: Place | None = None
    while True:
        page = [scored for task in tasks for scored in store.placed_scores(task, "", after, size)][:size]
        if not page:
            break
        seen += [(scored.score.sample_id, scored.score.model) for scored in page]
        after = page[-1].place
    assert seen == [(f"{name}{9 - i}", model) for name in "yx" for i in range(3) for model in "ab"]
    assert [known.position for known in store.iter_known_samples(tasks[0])] == [0, 1, 2]
    only_b = [scored.score.model for scored in store.placed_scores(tasks[0], "b", None, 9)]
    assert only_b == ["b", "b", "b"]
    assert list(store.iter_samples(tasks[0]))[1] == SampleRow("y8", 1, "file", {"blur": "1"}, None)


# Progress counts every outcome of every model of every task.
def test_progress(store: RunStore) -> None:
    task = opened(store, TaskPlan("nuclei", "d" * 64, ("classical", "sam")))
    store.set_sample_count(task, 9)
    for number, outcome in enumerate([*SampleOutcome, SampleOutcome.SCORED]):
        store.add_prediction(task, answer(f"s{number}", outcome=outcome), None)
        store.add_score(task, score(f"s{number}", outcome), TAG).result(WAIT_S)
    record = store.get(RUN)
    assert record is not None
    classical, sam = store.evaluation(record).task_progress
    assert (classical.sample_count, classical.scored_count, classical.done_count) == (9, 2, 5)
    assert (classical.abstained_count, classical.unparsed_count, classical.failed_count) == (1, 1, 1)
    assert (sam.model, sam.sample_count, sam.done_count) == ("sam", 9, 0)


# What cannot be written fails for whoever wrote it, and the store goes on.
def test_unwritable_prediction(store: RunStore) -> None:
    task = opened(store)
    with pytest.raises(TypeError):
        store.add_prediction(task, answer("s1", provenance={"model": object()}), None).result(WAIT_S)
    store.add_prediction(task, answer("s2"), None).result(WAIT_S)
    assert set(outcomes_of(store, task, "classical")) == {"s2"}


# What the database refuses fails for whoever wrote it, and for none of those whose writes came with it.
def test_refused_write(store: RunStore) -> None:
    task = opened(store)
    before = [store.add_prediction(task, answer(f"a{number}"), None) for number in range(20)]
    refused = store._writer.execute(RUN, lambda connection: connection.execute(text("SELECT nothing")))
    after = [store.add_prediction(task, answer(f"b{number}"), None) for number in range(20)]
    with pytest.raises(DBAPIError):
        refused.result(WAIT_S)
    for future in (*before, *after):
        future.result(WAIT_S)
    assert len(outcomes_of(store, task, "classical")) == 40


# Writes of one sample take effect in the order in which they were handed in, however many come at once.
def test_order_within_a_batch(store: RunStore) -> None:
    task = opened(store)
    writes: list[Future[Any]] = []
    for name in ("s1", "s2"):
        writes.append(store.add_prediction(task, failure(name, "UPSTREAM_FAILED"), None))
        writes.append(store.add_score(task, score(name, SampleOutcome.FAILED), "old"))
        writes.append(store.add_prediction(task, answer(name, count=4), None))
    writes.append(store.add_score(task, score("s2"), TAG))
    for write in writes:
        write.result(WAIT_S)
    assert [found.sample_id for found in scores_of(store, task, "classical")] == ["s2"]
    assert scored_by(store, task, "classical", TAG) == {"s2"}
    assert not store.failure_reasons(task)


# A disk that takes no more fails the writes that did not fit, and leaves no half line behind.
def test_full_disk(store: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, answer("s1"), None).result(WAIT_S)
    size = journal_of(store).stat().st_size
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(size + 50, 1), limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            store.add_prediction(task, answer("s2"), None).result(WAIT_S)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert journal_of(store).stat().st_size == size
    store.add_prediction(task, answer("s3"), None).result(WAIT_S)
    assert set(outcomes_of(store, task, "classical")) == {"s1", "s3"}


# Killed at any moment, every prediction whose write was acknowledged is there afterwards, with its mask.
@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 40, 150])
def test_kill_loses_nothing_acknowledged(tmp_path: Path, url: SecretStr | None, after: int) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from concurrent.futures import FIRST_COMPLETED, wait
        from pydantic import SecretStr
        from evaluator.records import Prediction
        from evaluator.runs import RunSpec, TaskPlan
        from evaluator.store import RunStore
        from hooke.types import SampleOutcome

        store = RunStore(Path(sys.argv[1]), SecretStr(sys.argv[2]) if sys.argv[2] else None)
        store.create("run-1", RunSpec("r"), "demo").result()
        task, = store.open("run-1", ["classical"], [TaskPlan("nuclei", "d" * 64, ("classical",))]).result()
        pending, number = set(), 0
        while True:
            while len(pending) < 16:
                number += 1
                answer = Prediction("nuclei", "classical", f"s{number}", SampleOutcome.SCORED, count=number)
                pending.add(store.add_prediction(task, answer, b"mask %d" % number))
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                print(future.result().sample_id, flush=True)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), url.get_secret_value() if url else ""],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    store = RunStore(tmp_path, url)
    task = opened(store)
    outcomes = outcomes_of(store, task, "classical")
    assert set(acknowledged) <= set(outcomes)
    for sample_id in outcomes:
        prediction = store.predictions(task, sample_id)["classical"]
        assert prediction.count == int(sample_id[1:])
        assert (
            store.folder(RUN) / (prediction.mask_file or "")
        ).read_bytes() == b"mask %d" % prediction.count
    store.close()


# A run that is taken up leaves its index as it is, where that agrees with the journal; and what a suite has
# dropped for a while is there, with its scores, when it comes back.
def test_sound_index_is_left_alone(store: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, failure("s1", "UPSTREAM_FAILED"), None).result(WAIT_S)
    for name in ("s1", "s2", "s3"):
        store.add_prediction(task, answer(name, count=2, attempt=2), None)
        store.add_score(task, score(name), TAG).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    table = store.queries.all(select(PREDICTIONS).order_by(PREDICTIONS.c.offset))
    assert opened(store, TaskPlan("other", "e" * 64, ("classical",))) != task
    store.release(RUN).result(WAIT_S)
    again = opened(store)
    assert again == task
    assert store.queries.all(select(PREDICTIONS).order_by(PREDICTIONS.c.offset)) == table
    assert scored_by(store, again, "classical", TAG) == {"s1", "s2", "s3"}
