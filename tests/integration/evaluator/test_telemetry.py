"""What Prometheus hears of evaluations."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from evaluator.records import Prediction
from evaluator.telemetry import OTHER, EvaluatorMetrics, Stage
from hooke.types import EvaluationState, SampleOutcome
from tests.integration.evaluator.lab import Model, address_of, evaluating, model_service, suite


def read_page(address: str) -> dict[tuple[str, ...], float]:
    """Name of a series, with the values of its labels -> value, as Prometheus reads it."""
    with urllib.request.urlopen(address, timeout=10) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    return {
        (sample.name.removeprefix("hooke_evaluator_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def read(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"hooke_evaluator_{name}", labels)


# Each answer is counted once by what became of it, the report is timed, and in the end nothing is under way.
async def test_an_evaluation(tmp_path: Path) -> None:
    begun = time.time()
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path, metrics_port=0) as lab,
    ):
        done = await lab.run(suite(6))
        assert done.state is EvaluationState.SUCCEEDED, done.state_message
        page = await asyncio.to_thread(read_page, f"http://127.0.0.1:{lab.app.server.metrics_port}/metrics")
    (model,) = done.models
    counts = [page["answers_total", model, outcome] for outcome in SampleOutcome]
    assert counts == [6 * len(done.task_progress), 0, 0, 0]
    assert page["in_flight_calls", model] == page["cost_micro_usd_total", model] == 0
    assert page["report_duration_seconds_count",] == 1
    assert [page["running_evaluations", stage] for stage in Stage] == [0, 0, 0]
    assert page["last_answer_timestamp_seconds",] >= begun


# An evaluation stands under what it is at, also where that fails.
def test_stages() -> None:
    registry = CollectorRegistry()
    metrics = EvaluatorMetrics(registry)
    try:
        with metrics.at(Stage.ASKING), metrics.at(Stage.REPORTING):
            assert [read(registry, "running_evaluations", stage=stage) for stage in Stage] == [0, 1, 1]
            raise ValueError
    except ValueError:
        assert [read(registry, "running_evaluations", stage=stage) for stage in Stage] == [0, 0, 0]


# Models that the gateway does not have share one label, whatever a suite calls them; what is used again costs
# nothing more.
def test_labels_stay_few() -> None:
    registry = CollectorRegistry()
    metrics = EvaluatorMetrics(registry)
    metrics.know(["known"])
    for model in ("known", *(f"imported {place}" for place in range(20))):
        metrics.answered(Prediction("task", model, "id", SampleOutcome.SCORED, cost_micro_usd=7))
    metrics.answered(
        Prediction("task", "known", "id", SampleOutcome.SCORED, cost_micro_usd=7, cached_from="e")
    )
    assert read(registry, "answers_total", model="known", outcome="scored") == 2
    assert read(registry, "cost_micro_usd_total", model="known") == 7
    assert read(registry, "answers_total", model=OTHER, outcome="scored") == 20
    labels = {sample.labels.get("model") for family in registry.collect() for sample in family.samples}
    assert labels == {None, "known", OTHER}
