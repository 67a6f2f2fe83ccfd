from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hooke import errors
from hooke.errors import InvalidRequestError
from hooke.types import Evaluation, EvaluationState, SampleOutcome
from tests.integration.evaluator.lab import (
    Lab,
    Model,
    OtherModel,
    address_of,
    evaluating,
    gateway_of,
    model_service,
    raising,
    suite,
)

NUCLEI, CELLS = suite(8).split("  - name: cells")
"""A suite with its first task, and the second one."""
CELLS = f"  - name: cells{CELLS}"


async def whole(lab: Lab, evaluation: Evaluation, **request: Any) -> None:
    """Check that an evaluation has the figures of one that was asked for so from the start."""
    assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
    fresh = await lab.run(request_id="fresh", reuse_answers=False, **request)
    assert await lab.figures(evaluation) == await lab.figures(fresh)


# A finished run takes up another model: only that one is asked, and the two are compared.
async def test_add_a_model(tmp_path: Path) -> None:
    model, other = Model(), OtherModel()
    async with (
        model_service(model) as one,
        model_service(other) as two,
        gateway_of({"model": address_of(one), "other": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path) as lab,
    ):
        first = await lab.run(suite(8), models=["model"])
        assert first.models == ("model",)
        assert not other.asked
        both = await lab.run(suite(8), models=["other", "model"])
        assert both.evaluation_id == first.evaluation_id
        assert both.create_time == first.create_time
        assert set(model.asked.values()) == set(other.asked.values()) == {1}
        assert [(p.task, p.model, p.scored_count) for p in both.task_progress] == [
            (task, name, 8) for task in ("nuclei", "cells") for name in ("other", "model")
        ]
        assert await lab.run(suite(8), models=["other", "model"]) == both
        await whole(lab, both, text=suite(8), models=["other", "model"])


# A finished run takes up another task; the answers to the first one are kept.
async def test_add_a_task(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        assert (await lab.run(NUCLEI)).state is EvaluationState.SUCCEEDED
        assert model.asked.total() == 8
        grown = await lab.run(NUCLEI + CELLS)
        assert set(model.asked.values()) == {1}
        assert [(p.task, p.scored_count) for p in grown.task_progress] == [("nuclei", 8), ("cells", 8)]
        await whole(lab, grown, text=NUCLEI + CELLS)


# With a greater limit, and then without one, a run goes on with the samples that it does not have.
async def test_more_samples(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        for limit, asked in ((3, 6), (5, 10), (None, 16)):
            evaluation = await lab.run(suite(8), sample_limit=limit)
            assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
            assert model.asked.total() == asked
            assert [p.scored_count for p in evaluation.task_progress] == [asked // 2] * 2
            assert len(await lab.results(evaluation)) == asked
        await whole(lab, evaluation, text=suite(8))


# A run that is under way grows as well: what is in flight is finished, nothing is asked twice.
async def test_grow_while_running(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 4
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        created = await lab.create(NUCLEI)
        await model.until_it_holds()
        growing = asyncio.create_task(lab.create(NUCLEI + CELLS))
        await asyncio.sleep(0.05)
        model.released.set()
        grown = await lab.end_of(await growing)
        assert grown.evaluation_id == created.evaluation_id
        assert grown.state is EvaluationState.SUCCEEDED
        assert len(model.asked) == 16
        assert set(model.asked.values()) == {1}


# Less than before, other data, or another question under an old name is refused with the field at fault, and
# nothing changes.
async def test_what_may_not_change(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with (
        model_service(Model()) as one,
        model_service(OtherModel()) as two,
        gateway_of({"model": address_of(one), "other": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        text = NUCLEI + CELLS
        before = await lab.run(text, sample_limit=3)
        assert before.models == ("model", "other")
        for field, other in (
            ("suite.tasks", lab.create(NUCLEI, sample_limit=3)),
            ("suite.tasks", lab.create(text.replace("seed: 2", "seed: 3"), sample_limit=3)),
            ("suite", lab.create(text.replace("name: tiny", "name: small"), sample_limit=3)),
            ("models", lab.create(text, models=["model"], sample_limit=3)),
            ("sample_limit", lab.create(text, sample_limit=2)),
            ("data_dir", lab.create(text, sample_limit=3, data_dir=".")),
        ):
            with pytest.raises(InvalidRequestError, match="can grow, not change") as caught:
                await other
            assert [violation.field for violation in caught.value.violations] == [field]
        assert await lab.client.evaluation(before.evaluation_id) == before
        everything = await lab.run(text)
        with pytest.raises(InvalidRequestError, match="sample_limit"):
            await lab.create(text, sample_limit=100)
        described = text.replace("kind: counting", "kind: counting\n    description: How many are there?")
        told = await lab.run(described)
        assert told.evaluation_id == everything.evaluation_id
        assert (await lab.figures(told))[1].description == "How many are there?"


# Metrics are computed again from the answers alone: no model is asked, not even for what is missing or
# whether it is there, and the figures stay.
async def test_rescore(tmp_path: Path) -> None:
    model = Model()
    broken: list[str] = []

    def fail_some(sha256: str) -> None:
        if len(broken) < 3:
            broken.append(sha256)
            raise errors.InternalError("broken")

    model.trouble = fail_some
    async with model_service(model) as service:
        async with evaluating(address_of(service), tmp_path) as lab:
            first = await lab.run(suite(8))
            assert first.state is EvaluationState.PARTIALLY_SUCCEEDED
            figures, asked = await lab.figures(first), model.asked.copy()
        model.trouble = raising(errors.InternalError("asked"))
    async with evaluating("127.0.0.1:1", tmp_path, evaluator_patience_s=0.1) as lab:
        again = await lab.end_of(await lab.client.rescore_evaluation(first.evaluation_id))
        assert again.state is EvaluationState.PARTIALLY_SUCCEEDED, again.state_message
        assert again.task_progress == first.task_progress
        assert again.end_time is not None
        assert first.end_time is not None
        assert again.end_time > first.end_time
        assert await lab.figures(again) == figures
        assert model.asked == asked
        with pytest.raises(errors.UnknownEvaluationError):
            await lab.client.rescore_evaluation("nothing")


# A run that has not ended is not rescored; after it was, creating it again asks what failed.
async def test_rescore_and_go_on(tmp_path: Path) -> None:
    model = Model()
    model.hold_after = 2
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        created = await lab.create(suite(8))
        await model.until_it_holds()
        with pytest.raises(InvalidRequestError, match="has ended"):
            await lab.client.rescore_evaluation(created.evaluation_id)
        await lab.client.cancel_evaluation(created.evaluation_id)
        model.released.set()
        cancelled = await lab.end_of(created)
        done = sum(p.done_count for p in cancelled.task_progress)
        assert 0 < done < 16
        rescored = await lab.end_of(await lab.client.rescore_evaluation(created.evaluation_id))
        assert rescored.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert f"{16 - done} of 16 samples were not asked." in rescored.state_message
        results = await lab.results(rescored)
        assert [result.outcome for result in results] == [SampleOutcome.SCORED] * done
        finished = await lab.run(suite(8))
        assert finished.state is EvaluationState.SUCCEEDED
        assert set(model.asked.values()) == {1}
