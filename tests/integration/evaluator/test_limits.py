from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from evaluator.report import read_json
from hooke import errors
from hooke.types import EvaluationLimits, EvaluationState
from tests.integration.evaluator.lab import (
    CALL_S,
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


def done_count(evaluation: object) -> int:
    return sum(progress.done_count for progress in evaluation.task_progress)  # type: ignore[attr-defined]


# A model of which too many samples fail is asked no more; the others finish, and the run says so. With a
# greater limit the rest is asked, the failed ones again.
@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        (EvaluationLimits(max_failed_count=3), 3),
        (EvaluationLimits(max_failed_fraction=0.1), 4),
        (EvaluationLimits(max_failed_count=30, max_failed_fraction=0.05), 2),
        (EvaluationLimits(max_failed_count=0), 0),
    ],
)
async def test_failure_budget(tmp_path: Path, limits: EvaluationLimits, allowed: int) -> None:
    model, other = Model(), OtherModel()
    model.trouble = raising(errors.ImageUnreadableError("cannot read this"))
    async with (
        model_service(model) as one,
        model_service(other) as two,
        gateway_of({"model": address_of(one), "other": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path, evaluator_max_in_flight=2) as lab,
    ):
        stopped = await lab.run(suite(20), limits=limits)
        assert stopped.state is EvaluationState.PARTIALLY_SUCCEEDED
        counts = {p.model: 0 for p in stopped.task_progress}
        for progress in stopped.task_progress:
            counts[progress.model] += progress.done_count
        assert counts["other"] == 40
        assert allowed < counts["model"] <= allowed + 2 + 1  # those in flight finish
        assert f"{40 - counts['model']} of 80 samples were not asked." in stopped.state_message
        assert f"samples failed, {allowed} may." in stopped.state_message
        report = read_json((await lab.client.report(stopped.evaluation_id)).decode())
        asked = report.provenance["request"]
        assert asked.get("max_failed_count") == limits.max_failed_count
        assert asked.get("max_failed_fraction") == limits.max_failed_fraction
        model.trouble = lambda sha256: None
        finished = await lab.run(suite(20))
        assert finished.evaluation_id == stopped.evaluation_id
        assert finished.state is EvaluationState.SUCCEEDED
        assert set(other.asked.values()) == {1}


# When the time to send is over, what is in flight is finished and the run ends; taken up, it has time anew.
async def test_time_limit(tmp_path: Path) -> None:
    model = Model(compute_s=0.05)
    model.hold_after = 0
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_max_in_flight=2) as lab,
    ):
        limits = EvaluationLimits(max_sending_s=2)
        created = await lab.create(suite(40), limits=limits)
        await model.until_it_holds()
        await asyncio.sleep(2)
        model.released.set()
        stopped = await lab.end_of(created)
        assert stopped.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert "model: the 2 s that samples may be sent for have passed." in stopped.state_message
        done = done_count(stopped)
        assert 0 < done <= 2
        further = await lab.run(suite(40), limits=limits)
        assert done < done_count(further)
        model.compute_s = 0
        assert (await lab.run(suite(40))).state is EvaluationState.SUCCEEDED
        assert set(model.asked.values()) == {1}


# A run that limits the calls at a time to a model keeps to it; another run of the same model is not limited.
async def test_calls_at_a_time(tmp_path: Path) -> None:
    model = Model(compute_s=0.01)
    inside, most = [0], [0]
    lock = threading.Lock()

    def count(sha256: str) -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 1

    model.trouble = count
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        limits = EvaluationLimits(max_in_flight={"model": 1}, requests_per_minute={"model": 6000})
        began = time.monotonic()
        assert (await lab.run(suite(10), limits=limits)).state is EvaluationState.SUCCEEDED
        assert most[0] == 1
        assert time.monotonic() - began >= 19 * 0.01


async def seconds_of(lab: Lab, samples: int, request_id: str) -> float:
    began = time.monotonic()
    evaluation = await lab.run(suite(samples), request_id=request_id, reuse_answers=False)
    assert evaluation.state is EvaluationState.SUCCEEDED
    return time.monotonic() - began


# However many runs of many samples are under way with a model, one of few samples is not held up by them.
async def test_small_run_beside_large_ones(tmp_path: Path) -> None:
    model = Model(compute_s=0.02)
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_max_in_flight=4) as lab,
    ):
        large = [
            await lab.create(suite(400), request_id=f"large-{number}", reuse_answers=False)
            for number in range(3)
        ]
        for evaluation in large:
            async for seen in lab.client.watch_evaluation(evaluation.evaluation_id):
                if done_count(seen) > 3:
                    break
        before = model.asked.total()
        await asyncio.wait_for(seconds_of(lab, 5, "small"), CALL_S)
        served = model.asked.total() - before
        assert served <= 4 * 10 + 60  # its own ten, thrice as many, and what goes on while it begins and ends
        for evaluation in large:
            await lab.client.cancel_evaluation(evaluation.evaluation_id)
            await lab.end_of(evaluation)
