from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from pyarrow import parquet

from evaluator.suites import load_suite
from hooke.errors import InvalidRequestError
from hooke.types import EvaluationState
from tests.integration.evaluator.lab import Model, address_of, evaluating, model_service, suite
from tests.integration.evaluator.provider import Provider, counting, provider_service


def repeated(text: str, repeats: int) -> str:
    """Every task asks so often."""
    return text.replace("    dataset:", f"    repeats: {repeats}\n    dataset:")


# A model that says the same every time is stable, and its figures are those of one answer with the intervals
# of as many samples.
async def test_a_stable_model(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        once = await lab.run(suite(8))
        thrice = await lab.run(repeated(suite(8), 3))
        assert thrice.evaluation_id == once.evaluation_id
        assert thrice.state is EvaluationState.SUCCEEDED, thrice.state_message
        assert set(model.asked.values()) == {3}
        assert [(p.sample_count, p.scored_count) for p in thrice.task_progress] == [(24, 24), (24, 24)]
        for task in await lab.figures(thrice):
            (found,) = task.models
            assert (task.sample_count, found.sample_count, found.outcome_counts["scored"]) == (8, 24, 24)
            assert found.coverage == 1
            assert found.stability is not None
            assert (found.stability.value, found.stability.n, found.stability.method) == (1.0, 8, "wilson")
            assert found.strict[0].method == "bca-clustered"
        single = await lab.run(suite(8), request_id="single")
        for first, second in zip(await lab.figures(thrice), await lab.figures(single), strict=True):
            values = [[estimate.value for estimate in task.models[0].strict] for task in (first, second)]
            assert values[0] == pytest.approx(values[1])
        results = await lab.results(thrice)
        assert len({(r.task, r.sample_id, r.repeat) for r in results}) == len(results) == 2 * 8 * 3
        assert [r.repeat for r in results[:6]] == [0, 1, 2, 0, 1, 2]
        with zipfile.ZipFile(io.BytesIO(await lab.client.report(thrice.evaluation_id, "html_zip"))) as report:
            table = parquet.read_table(io.BytesIO(report.read("samples.parquet")))
        assert table.num_rows == 2 * 8 * 3
        assert sorted(table["repeat"].to_pylist()) == [*[0] * 16, *[1] * 16, *[2] * 16]
        assert (
            "same answer every time" in (await lab.client.report(thrice.evaluation_id, "markdown")).decode()
        )


# A model that changes its mind is not; what it says first may be used again, what it says then is asked for.
async def test_an_unstable_model(tmp_path: Path) -> None:
    model = Provider()
    async with provider_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        await lab.run(counting(6), request_id="first")
        model.replies = ("Count: 4",)
        changed = await lab.run(repeated(counting(6), 2), request_id="second")
        assert changed.state is EvaluationState.SUCCEEDED
        assert len(model.asked) == 12
        (task,) = await lab.figures(changed)
        assert task.models[0].stability.value == 0
        assert task.models[0].within_sample_sd.value > 0
        (found,) = await lab.client.estimate_evaluation(
            suite_yaml=repeated(counting(6), 5), request_id="second"
        )
        assert (found.sample_count, found.kept_count, found.reused_count, found.call_count) == (6, 12, 0, 18)


# A repeat that fails is asked again, and the run says that it is missing, and why.
async def test_a_failed_repeat(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        await lab.run(suite(4))
        model.trouble = lambda sha256: 1 / 0  # type: ignore[assignment, return-value]
        broken = await lab.run(repeated(suite(4), 2))
        assert broken.state is EvaluationState.PARTIALLY_SUCCEEDED
        assert "8 of 16 answers failed (8 INTERNAL)." in broken.state_message
        assert [(p.sample_count, p.scored_count, p.failed_count) for p in broken.task_progress] == [
            (8, 4, 4)
        ] * 2
        model.trouble = lambda sha256: None
        assert (await lab.run(repeated(suite(4), 2))).state is EvaluationState.SUCCEEDED
        assert set(model.asked.values()) == {3}


# A task asks at most twenty times, and faults of acquisition are told from nothing else that varies.
def test_what_cannot_be_repeated() -> None:
    for wrong in (0, 21):
        with pytest.raises(InvalidRequestError, match="repeats"):
            load_suite(repeated(suite(4), wrong))
    struck = repeated(suite(4), 2).replace(
        "    repeats: 2", "    corruption: {kind: defocus}\n    repeats: 2"
    )
    with pytest.raises(InvalidRequestError, match="cannot be told from chance"):
        load_suite(struck)
