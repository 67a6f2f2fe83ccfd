from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hooke.types import Evaluation, EvaluationLimits, EvaluationState, TaskEstimate
from tests.integration.evaluator.lab import Lab, Model, address_of, evaluating, model_service, suite
from tests.integration.evaluator.provider import Provider, counting, provider_service


def journal(lab: Lab, evaluation: Evaluation) -> list[dict[str, Any]]:
    text = (lab.runs_dir / evaluation.evaluation_id / "predictions.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


# What another run has answers to is not asked again, masks and all; what is used again says where it is from.
async def test_answers_are_used_again(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        first = await lab.run(suite(8), sample_limit=3, request_id="first")
        second = await lab.run(suite(8), request_id="second")
        assert second.state is EvaluationState.SUCCEEDED
        assert len(model.asked) == 16
        assert set(model.asked.values()) == {1}
        origins = [line["cached_from"] for line in journal(lab, second)]
        assert sorted(origins) == [""] * 10 + [first.evaluation_id] * 6
        third = await lab.run(suite(8), request_id="third")
        assert model.asked.total() == 16
        assert {line["cached_from"] for line in journal(lab, third)} == {
            first.evaluation_id,
            second.evaluation_id,
        }
        asked = await lab.run(suite(8), request_id="asked", reuse_answers=False)
        assert set(model.asked.values()) == {2}
        assert {line["cached_from"] for line in journal(lab, asked)} == {""}
        figures = [await lab.figures(each) for each in (second, third, asked)]
        assert figures[0] == figures[1] == figures[2]
        (lab.runs_dir / third.evaluation_id / "masks").rename(tmp_path / "away")
        assert (await lab.run(suite(8), request_id="fourth")).state is EvaluationState.SUCCEEDED


# Another version, another question, or other code: asked anew.
async def test_other_version(tmp_path: Path) -> None:
    async with model_service(Model()) as service, evaluating(address_of(service), tmp_path) as lab:
        await lab.run(suite(4), request_id="first")
    newer = Model(version="2")
    async with model_service(newer) as service, evaluating(address_of(service), tmp_path) as lab:
        second = await lab.run(suite(4), request_id="second")
        assert second.state is EvaluationState.SUCCEEDED, second.state_message
        assert newer.asked.total() == 8
        asked = suite(4).replace("kind: counting", "kind: counting\n    expected_diameter_px: 9")
        await lab.run(asked, request_id="third")
        assert newer.asked.total() == 12


# A provider's answers are used again while its last answer is of the same version and takes the likeliest
# token; they cost nothing again.
async def test_answers_of_a_provider(tmp_path: Path) -> None:
    model = Provider()
    async with provider_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        first = await lab.run(counting(6), request_id="first")
        assert sum(line["cost_micro_usd"] for line in journal(lab, first)) == 1500
        second = await lab.run(counting(6), request_id="second")
        assert len(model.asked) == 6
        assert {(line["cost_micro_usd"], line["input_token_count"]) for line in journal(lab, second)} == {
            (None, None)
        }
        model.version = "2026-12"
        await lab.run(counting(6).replace("seed: 2", "seed: 3"), request_id="newer")
        assert len(model.asked) == 12
        third = await lab.run(counting(6), request_id="third")
        assert third.state is EvaluationState.SUCCEEDED, third.state_message
        assert len(model.asked) == 18


# Answers that were drawn are not used again.
@pytest.mark.parametrize("temperature", [0.7, None])
async def test_drawn_answers(tmp_path: Path, temperature: float | None) -> None:
    model = Provider(temperature=temperature)
    async with provider_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        await lab.run(counting(4), request_id="first")
        await lab.run(counting(4), request_id="second")
        assert len(model.asked) == 8


# A run that is taken up does not mix its own answers with those of another version that another run has had.
async def test_reuse_does_not_mix_versions(tmp_path: Path) -> None:
    older = Model()
    older.hold_after = 3
    async with model_service(older) as service, evaluating(address_of(service), tmp_path) as lab:
        created = await lab.create(suite(6), request_id="older")
        await older.until_it_holds()
        await lab.client.cancel_evaluation(created.evaluation_id)
        older.released.set()
        await lab.end_of(created)
    async with model_service(Model(version="2")) as service, evaluating(address_of(service), tmp_path) as lab:
        assert (await lab.run(suite(6), request_id="newer")).state is EvaluationState.SUCCEEDED
        mixed = await lab.run(suite(6), request_id="older")
        assert mixed.state is EvaluationState.FAILED
        assert "has changed" in mixed.state_message
        assert {line["provenance"]["model_version"] for line in journal(lab, mixed)} == {"1"}


# Nothing is known of a model that was never asked; then calls, tokens, cost and time are told by what its
# answers took, and by what is there already. Nothing is created, and nobody is asked.
async def test_estimates(tmp_path: Path) -> None:
    model = Provider()
    async with provider_service(model) as service, evaluating(address_of(service), tmp_path) as lab:

        async def estimate(images: int, **request: Any) -> TaskEstimate:
            (found,) = await lab.client.estimate_evaluation(suite_yaml=counting(images), **request)
            return found

        assert await estimate(40) == TaskEstimate("cells", "provider", 40, 0, 0, 40)
        assert [e async for e in lab.client.evaluations()] == []
        await lab.run(counting(40), sample_limit=10, request_id="run")
        found = await estimate(40, request_id="run")
        assert (found.sample_count, found.kept_count, found.reused_count, found.call_count) == (40, 10, 0, 30)
        assert found.known_answer_count == 10
        assert (found.input_token_count, found.output_token_count, found.cost_micro_usd) == (3000, 60, 7500)
        assert found.shortest_s is not None
        assert found.longest_s is not None
        assert 0 < found.shortest_s == pytest.approx(found.longest_s / 30)
        other = await estimate(40, request_id="other")
        assert (other.kept_count, other.reused_count, other.call_count) == (0, 10, 30)
        afresh = await estimate(40, request_id="other", reuse_answers=False, sample_limit=20)
        assert (afresh.sample_count, afresh.reused_count, afresh.call_count) == (20, 0, 20)
        slow = await estimate(
            40, request_id="run", limits=EvaluationLimits(requests_per_minute={"provider": 10})
        )
        assert slow.shortest_s == slow.longest_s == 180
        unlike = await estimate(5, request_id="unlike")
        assert (unlike.call_count, unlike.known_answer_count, unlike.cost_micro_usd) == (5, 10, 1250)
        assert len(model.asked) == 10
        done = await estimate(40, request_id="run", sample_limit=10)
        assert (done.call_count, done.cost_micro_usd, done.longest_s) == (0, 0, 0.0)
        assert len([e async for e in lab.client.evaluations()]) == 1


# A run stops before it costs more than it may, with what it has; with more it goes on, without paying twice.
async def test_cost_limit(tmp_path: Path) -> None:
    model = Provider(cost_micro_usd=300)
    async with provider_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        limits = EvaluationLimits(max_cost_micro_usd=1000)
        stopped = await lab.run(counting(12), limits=limits)
        assert stopped.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert len(model.asked) == 3
        assert "9 of 12 samples were not asked." in stopped.state_message
        assert "provider: $0.0009 of the cost limit of $0.001 are spent." in stopped.state_message
        again = await lab.run(counting(12), limits=limits)
        assert len(model.asked) == 3
        assert again.state is EvaluationState.PARTIALLY_SUCCEEDED
        finished = await lab.run(counting(12), limits=EvaluationLimits(max_cost_micro_usd=3600))
        assert finished.state is EvaluationState.SUCCEEDED
        assert len(model.asked) == 12
        assert sum(line["cost_micro_usd"] for line in journal(lab, finished)) == 3600


# Where the price of a provider is not known, a cost limit lets through no more than it takes to find out.
async def test_cost_limit_without_a_price(tmp_path: Path) -> None:
    model = Provider(cost_micro_usd=None)
    async with provider_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        stopped = await lab.run(counting(12), limits=EvaluationLimits(max_cost_micro_usd=10**6))
        assert stopped.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert len(model.asked) == 1
        assert "what it costs is not known" in stopped.state_message
