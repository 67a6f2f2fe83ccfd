from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from deploy.local import free_port
from hooke import errors
from hooke.types import EvaluationState, SampleOutcome
from tests.integration.evaluator.lab import (
    CALL_S,
    Model,
    OtherModel,
    address_of,
    evaluating,
    gateway_of,
    model_service,
    raising,
    suite,
)

OUTCOMES = Counter[SampleOutcome]


def images(root: Path, count: int) -> Path:
    """A folder of pairs of an image and its labels, each with one bright square of its own."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for index in range(count):
        pixels = np.zeros((32, 32), np.uint8)
        pixels[4 : 8 + index, 4:8] = 200
        tifffile.imwrite(root / "images" / f"{index:02}.tif", pixels)
        tifffile.imwrite(root / "labels" / f"{index:02}.tif", (pixels > 0).astype(np.uint16))
    return root


PAIRS = """
name: squares
tasks:
  - name: squares
    kind: segmentation
    dataset:
      {loader: image_label_pairs, folder: FOLDER, image: "images/{id}.tif", truth: "labels/{id}.tif"}
"""


# Every sample of every task is asked once, scored, and counted in progress, results and report.
async def test_a_whole_run(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        evaluation = await lab.run(suite(12))
        assert (evaluation.state, evaluation.state_message) == (EvaluationState.SUCCEEDED, "")
        assert evaluation.models == ("model",)
        assert [(p.task, p.model) for p in evaluation.task_progress] == [
            ("nuclei", "model"),
            ("cells", "model"),
        ]
        assert [(p.sample_count, p.scored_count) for p in evaluation.task_progress] == [(12, 12), (12, 12)]
        assert evaluation.end_time is not None
        assert len(model.asked) == 24
        assert set(model.asked.values()) == {1}
        nuclei, cells = await lab.figures(evaluation)
        assert nuclei.models[0].outcome_counts["scored"] == cells.models[0].outcome_counts["scored"] == 12
        results = await lab.results(evaluation)
        assert [result.task for result in results] == ["nuclei"] * 12 + ["cells"] * 12
        assert max(result.metrics["seg_accuracy@0.5"] for result in results[:12]) > 0.5


# Two runs at a time, of one model, do not disturb each other.
async def test_two_runs_at_once(tmp_path: Path) -> None:
    model = Model(compute_s=0.005)
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        one, two = await asyncio.gather(
            *(lab.run(request_id=name, reuse_answers=False) for name in ("one", "two"))
        )
        assert one.state is two.state is EvaluationState.SUCCEEDED
        assert one.evaluation_id != two.evaluation_id
        assert await lab.figures(one) == await lab.figures(two)
        assert set(model.asked.values()) == {2}


# A model that refuses most calls still answers every sample, and none is computed twice.
async def test_storm_of_refusals(tmp_path: Path) -> None:
    model = Model(compute_s=0.003)
    async with (
        model_service(model, max_queue=1) as service,
        evaluating(address_of(service), tmp_path) as lab,
    ):
        evaluation = await lab.run(suite(20))
        refused = service.metrics.registry.get_sample_value(
            "hooke_inference_rejected_total", {"model": "model", "task": "segment", "reason": "QUEUE_FULL"}
        )
        assert refused is not None
        assert refused > 0
        assert evaluation.state is EvaluationState.SUCCEEDED
        assert set(model.asked.values()) == {1}


# A sample that the model never answers has failed at its deadline; the others are scored.
async def test_hung_sample(tmp_path: Path) -> None:
    model = Model()
    hung: list[str] = []

    def hang_once(sha256: str) -> None:
        if not hung or sha256 in hung:
            hung.append(sha256)
            time.sleep(1.5)

    model.trouble = hang_once
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_call_timeout_s=1) as lab,
    ):
        evaluation = await lab.run(suite(6))
        assert evaluation.state is EvaluationState.PARTIALLY_SUCCEEDED
        failed = [r for r in await lab.results(evaluation) if r.outcome is SampleOutcome.FAILED]
        assert {result.error_reason for result in failed} == {"DEADLINE_EXCEEDED"}
        assert not any(result.metrics for result in failed)
        assert f"{len(failed)} of 12 samples failed" in evaluation.state_message
        assert sum(p.done_count for p in evaluation.task_progress) == 12
        assert sum(p.scored_count for p in evaluation.task_progress) >= 8


# Every kind of error ends as a failed sample that says which, after a bounded number of tries: one, where
# another call cannot do better.
@pytest.mark.parametrize("reason", errors.Reason)
async def test_every_error(tmp_path: Path, reason: errors.Reason) -> None:
    row = errors.TABLE[reason]
    model = Model()
    model.trouble = raising(row.exception("as told", retry_after_s=0.01))
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_patience_s=0.2) as lab,
    ):
        evaluation = await lab.run(suite(1))
        assert evaluation.state is EvaluationState.FAILED
        results = await lab.results(evaluation)
        assert [(r.outcome, r.error_reason) for r in results] == [(SampleOutcome.FAILED, reason)] * 2
        assert all(count > 1 for count in model.asked.values()) == (row.retry is not errors.Retry.NEVER), (
            model.asked
        )


# Tasks that share a model take turns with it.
async def test_tasks_take_turns(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 20
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_max_in_flight=1) as lab,
    ):
        created = await lab.create(suite(30))
        await model.until_it_holds()
        async for evaluation in lab.client.watch_evaluation(created.evaluation_id):
            if sum(p.done_count for p in evaluation.task_progress) == 20:
                break
        assert all(p.done_count >= 5 for p in evaluation.task_progress)
        await lab.client.cancel_evaluation(created.evaluation_id)
        model.released.set()
        await lab.end_of(created)


# A model that dies for good leaves its answers scored and every other sample failed, with the reason; the
# run ends by itself.
async def test_model_dies_for_good(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 10
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_patience_s=0.5) as lab,
    ):
        created = await lab.create(suite(20))
        await model.until_it_holds()
        await service.server.stop(0)
        model.released.set()
        evaluation = await lab.end_of(created)
        assert evaluation.state is EvaluationState.PARTIALLY_SUCCEEDED
        results = await lab.results(evaluation)
        assert len(results) == 40
        outcomes = OUTCOMES(result.outcome for result in results)
        assert set(outcomes) == {SampleOutcome.SCORED, SampleOutcome.FAILED}
        assert outcomes[SampleOutcome.SCORED] >= 5
        reasons = {r.error_reason for r in results if r.outcome is SampleOutcome.FAILED}
        assert reasons == {"UNAVAILABLE"}
        assert "UNAVAILABLE" in evaluation.state_message
        assert (await lab.figures(evaluation))[0].models[0].outcome_counts["failed"] > 0


# A model that answers nothing makes the run FAILED, not empty and green.
async def test_nothing_answered(tmp_path: Path) -> None:
    model = Model()
    model.trouble = raising(errors.ImageUnreadableError("cannot read this"))
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        evaluation = await lab.run(suite(3))
        assert evaluation.state is EvaluationState.FAILED
        assert "6 of 6 samples failed (6 IMAGE_UNREADABLE)" in evaluation.state_message
        assert set(model.asked.values()) == {1}


# Without a gateway the run fails when its patience is over, and says what it did not reach.
async def test_no_gateway(tmp_path: Path) -> None:
    async with evaluating("127.0.0.1:1", tmp_path, evaluator_patience_s=0.3) as lab:
        evaluation = await lab.run()
        assert evaluation.state is EvaluationState.FAILED
        assert "127.0.0.1:1" in evaluation.state_message


# A model service that goes away and comes back costs time, not samples.
async def test_model_comes_back(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 5
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path) as lab,
    ):
        created = await lab.create(suite(15))
        await model.until_it_holds()
        port = service.server.port
        await service.server.stop(0)
        model.released.set()
        await asyncio.sleep(0.3)
        async with model_service(model, port=port):
            evaluation = await lab.end_of(created)
        assert evaluation.state is EvaluationState.SUCCEEDED


# An image that takes its model down each time fails alone: it is given up after a few tries.
async def test_poisonous_sample(tmp_path: Path) -> None:
    model = Model()
    poison: list[str] = []

    def die(sha256: str) -> None:
        if not poison or sha256 in poison:
            poison.append(sha256)
            raise errors.UpstreamFailedError("the worker died", retry_after_s=0.01)

    model.trouble = die
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        evaluation = await lab.run(suite(10))
        assert evaluation.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert [p.failed_count for p in evaluation.task_progress] in ([1, 0], [0, 1])
        assert 3 <= len(poison) < 20


# Creating again asks only what failed, and the second answer takes the place of the failure.
async def test_only_failures_are_asked_again(tmp_path: Path) -> None:
    model = Model()
    broken: set[str] = set()

    def fail_some(sha256: str) -> None:
        if len(broken) < 4 or sha256 in broken:
            broken.add(sha256)
            raise errors.InternalError("broken")

    model.trouble = fail_some
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        first = await lab.run(suite(6))
        assert first.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert sum(p.failed_count for p in first.task_progress) == 4
        model.trouble = lambda sha256: None
        second = await lab.run(suite(6))
        assert second.evaluation_id == first.evaluation_id
        assert second.state is EvaluationState.SUCCEEDED
        assert second.end_time is not None
        assert {sha256 for sha256, count in model.asked.items() if count == 2} == broken
        assert set(model.asked.values()) == {1, 2}
        third = await lab.run(suite(6))
        assert third == second
        fresh = await lab.run(suite(6), request_id="fresh")
        assert await lab.figures(second) == await lab.figures(fresh)


# Answers of two versions of a model are never mixed: the run fails, says so, and goes on with the first.
async def test_changed_model(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 5
    async with model_service(model) as service:
        async with evaluating(address_of(service), tmp_path, evaluator_max_in_flight=4) as lab:
            created = await lab.create(suite(15))
            await model.until_it_holds()
            stopped = await lab.client.cancel_evaluation(created.evaluation_id)
            model.released.set()
            stopped = await lab.end_of(stopped)
            kept = {r.sample_id for r in await lab.results(stopped)}
            assert 0 < len(kept) < 30
        newer = Model(version="2")
        async with model_service(newer) as changed, evaluating(address_of(changed), tmp_path) as lab:
            evaluation = await lab.run(suite(15))
            assert evaluation.state is EvaluationState.FAILED
            assert "version 1, weights sha256:1" in evaluation.state_message
            assert "version 2, weights sha256:2" in evaluation.state_message
            assert "request_id" in evaluation.state_message
            assert {r.sample_id for r in await lab.results(evaluation)} == kept
        async with evaluating(address_of(service), tmp_path) as lab:
            assert (await lab.run(suite(15))).state is EvaluationState.SUCCEEDED
            assert set(model.asked.values()) == {1}


# Cancelling stops sending, keeps what is finished, and the run can be taken up to its end.
async def test_cancel(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 10
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_max_in_flight=4) as lab,
    ):
        created = await lab.create(suite(25))
        await model.until_it_holds()
        cancelling = await lab.client.cancel_evaluation(created.evaluation_id)
        assert cancelling.state is EvaluationState.CANCELLING
        model.released.set()
        cancelled = await lab.end_of(cancelling)
        assert cancelled.state is EvaluationState.CANCELLED
        done = sum(p.done_count for p in cancelled.task_progress)
        assert f"Cancelled after {done} of 50 samples." in cancelled.state_message
        assert done == sum(p.scored_count for p in cancelled.task_progress) < 50
        asked = model.asked.total()
        assert done == asked
        figures = await lab.figures(cancelled)
        assert [task.sample_count for task in figures] == [25, 25]
        assert sum(task.models[0].coverage * 25 for task in figures) == pytest.approx(done)
        assert (await lab.client.cancel_evaluation(created.evaluation_id)) == cancelled
        finished = await lab.run(suite(25))
        assert finished.state is EvaluationState.SUCCEEDED
        assert set(model.asked.values()) == {1}


# A run that waits for its turn is cancelled without waiting for it.
async def test_cancel_while_queued(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 0
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_max_runs=1) as lab,
    ):
        running = await lab.create(suite(3), request_id="running")
        waiting = await lab.create(request_id="waiting")
        assert waiting.state is EvaluationState.QUEUED
        cancelled = await lab.client.cancel_evaluation(waiting.evaluation_id)
        assert cancelled.state is EvaluationState.CANCELLED
        assert (await lab.client.evaluation(running.evaluation_id)).state is EvaluationState.RUNNING
        await lab.client.cancel_evaluation(running.evaluation_id)
        model.released.set()
        await lab.end_of(running)
        assert (await lab.run(request_id="waiting")).state is EvaluationState.SUCCEEDED


# However often and however late a run is cancelled, its end stays its end.
async def test_cancel_while_ending(tmp_path: Path) -> None:
    async with evaluating("127.0.0.1:1", tmp_path, evaluator_patience_s=0.01) as lab:
        for turn in range(10):
            created = await lab.create(request_id=f"turn-{turn}")
            answers = [created]
            async with asyncio.timeout(CALL_S):
                while not all(answer.state.ended for answer in answers):
                    answers = await asyncio.gather(
                        *(lab.client.cancel_evaluation(created.evaluation_id) for _ in range(8))
                    )
            ended = await lab.client.evaluation(created.evaluation_id)
            assert ended.state in (EvaluationState.FAILED, EvaluationState.CANCELLED)
            assert ended.end_time is not None


# The same image listed twice is one sample, whichever copy is read first.
async def test_duplicates_are_one_sample(tmp_path: Path) -> None:
    root = images(tmp_path / "data" / "set", 6)
    for folder in ("images", "labels"):
        for copy in ("08", "09"):
            (root / folder / f"{copy}.tif").write_bytes((root / folder / "02.tif").read_bytes())
    model = Model()
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(PAIRS.replace("FOLDER", "set"))
        assert evaluation.state is EvaluationState.SUCCEEDED
        assert [(p.sample_count, p.scored_count) for p in evaluation.task_progress] == [(6, 6)]
        assert set(model.asked.values()) == {1}
        assert {r.metrics["seg_accuracy@0.5"] for r in await lab.results(evaluation)} == {1.0}


# A dataset that changes under an unfinished run is noticed, in its truth as in its images.
@pytest.mark.parametrize("folder", ["images", "labels"])
async def test_changed_dataset(tmp_path: Path, folder: str) -> None:
    root = images(tmp_path / "data" / "set", 6)
    text = PAIRS.replace("FOLDER", ".")
    model = Model()
    model.trouble = raising(errors.InternalError("broken"))
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        assert (await lab.run(text, data_dir="set")).state is EvaluationState.FAILED
        model.trouble = lambda sha256: None
        tifffile.imwrite(root / folder / "03.tif", np.eye(32, dtype=np.uint8))
        evaluation = await lab.run(text, data_dir="set")
        assert evaluation.state is EvaluationState.FAILED
        assert "has changed" in evaluation.state_message
        assert "03" in evaluation.state_message


# A dataset that has lost samples under an unfinished run is noticed.
async def test_shrunk_dataset(tmp_path: Path) -> None:
    root = images(tmp_path / "data" / "set", 6)
    text = PAIRS.replace("FOLDER", ".")
    model = Model()
    model.trouble = raising(errors.InternalError("broken"))
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        assert (await lab.run(text, data_dir="set")).state is EvaluationState.FAILED
        (root / "images" / "05.tif").unlink()
        evaluation = await lab.run(text, data_dir="set")
        assert evaluation.state is EvaluationState.FAILED
        assert "only 5 samples left" in evaluation.state_message


# Classification sends the examples with every question, and never asks about an example.
async def test_classification_with_examples(tmp_path: Path) -> None:
    for name in ("round", "square"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(5):
            pixels = np.random.default_rng(index + 10 * len(name)).integers(0, 200, (16, 16), dtype=np.uint8)
            tifffile.imwrite(tmp_path / "data" / name / f"{index}.tif", pixels)
    text = """
name: shapes
tasks:
  - name: shapes
    kind: classification
    dataset: {loader: class_folders, labels: [round, square], examples: {per_class: 2}}
"""
    model = Model()
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        evaluation = await lab.run(text)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        results = await lab.results(evaluation)
        assert len(results) == len(model.asked) == 6
        assert {(r.answer, r.truth, r.metrics["correct"]) for r in results} == {
            ("round", "round", 1.0),
            ("round", "square", 0.0),
        }


# Through a gateway, every model that can do the task is asked, and a dead one does not hold up the others.
async def test_several_models_through_the_gateway(tmp_path: Path) -> None:
    model, other = Model(), OtherModel()
    async with (
        model_service(model) as one,
        model_service(other) as two,
        gateway_of({"model": address_of(one), "other": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path, evaluator_patience_s=1.0) as lab,
    ):
        both = await lab.run()
        assert both.state is EvaluationState.SUCCEEDED
        assert both.models == ("model", "other")
        assert [p.scored_count for p in both.task_progress] == [10, 10, 10, 10]
        only = await lab.run(request_id="only", models=["other"], reuse_answers=False)
        assert only.models == ("other",)
        await two.server.stop(0)
        broken = await lab.run(request_id="broken", models=["model", "other"], reuse_answers=False)
        assert broken.state is EvaluationState.PARTIALLY_SUCCEEDED
        counts = {(p.task, p.model): (p.scored_count, p.failed_count) for p in broken.task_progress}
        assert counts == {
            ("nuclei", "model"): (10, 0),
            ("nuclei", "other"): (0, 10),
            ("cells", "model"): (10, 0),
            ("cells", "other"): (0, 10),
        }
        reasons = {r.error_reason for r in await lab.results(broken, model="other")}
        assert reasons == {"UPSTREAM_FAILED"}


# A model that does not exist is refused with the names to choose from, before anything is begun.
async def test_unknown_model(tmp_path: Path) -> None:
    async with model_service(Model()) as service, evaluating(address_of(service), tmp_path) as lab:
        with pytest.raises(errors.InvalidRequestError, match="'nobody' is unknown; the gateway has 'model'"):
            await lab.create(models=["model", "nobody"])
        assert [e async for e in lab.client.evaluations()] == []


# While the gateway is away nobody knows which models exist: the run itself waits for it, and says so.
async def test_unknown_model_without_gateway(tmp_path: Path) -> None:
    port = free_port()
    async with evaluating(f"127.0.0.1:{port}", tmp_path) as lab:
        created = await lab.create(models=["nobody"])
        async with model_service(Model(), port=port):
            evaluation = await lab.end_of(created)
        assert evaluation.state is EvaluationState.FAILED
        assert "'nobody' is unknown; the gateway has 'model'" in evaluation.state_message


# What is done is shown though its model is gone; one that never was cannot be added to it.
async def test_model_that_is_gone(tmp_path: Path) -> None:
    async with model_service(Model()) as service, evaluating(address_of(service), tmp_path) as lab:
        done = await lab.run(suite(2), models=["model"])
    async with model_service(OtherModel()) as service, evaluating(address_of(service), tmp_path) as lab:
        assert await lab.create(suite(2), models=["model"]) == done
        with pytest.raises(errors.InvalidRequestError, match="'nobody' is unknown"):
            await lab.create(suite(2), models=["model", "nobody"])
        assert await lab.client.evaluation(done.evaluation_id) == done


# A watcher that stops reading, and one that goes away, hold up nothing; all others see the end.
async def test_watchers(tmp_path: Path) -> None:
    model = Model(compute_s=0.01)
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        created = await lab.create(suite(25))
        slow = lab.client.watch_evaluation(created.evaluation_id)
        first = await anext(slow)
        assert not first.state.ended
        gone = lab.client.watch_evaluation(created.evaluation_id)
        await anext(gone)
        await gone.aclose()
        seen = await asyncio.gather(*(lab.end_of(created) for _ in range(3)))
        assert {evaluation.state for evaluation in seen} == {EvaluationState.SUCCEEDED}
        late = [evaluation async for evaluation in slow]
        assert late[-1].state is EvaluationState.SUCCEEDED
        after = [e async for e in lab.client.watch_evaluation(created.evaluation_id)]
        assert [evaluation.state for evaluation in after] == [EvaluationState.SUCCEEDED]
        done = [sum(p.done_count for p in evaluation.task_progress) for evaluation in (first, *late)]
        assert done == sorted(done)
        assert len(done) < 25
