"""What Prometheus hears of the evaluator, beside the metrics of every server."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from evaluator.records import Prediction
from hooke.types import SampleOutcome

OTHER = "other"
"""Label of models that the gateway does not have, as of imported answers: a suite may name anything."""
_PREFIX = "hooke_evaluator_"
_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)


class Stage(enum.StrEnum):
    """What a running evaluation is at."""

    PREPARING = "preparing"
    ASKING = "asking"
    """Models are asked, and answers scored."""
    REPORTING = "reporting"


class EvaluatorMetrics:
    """What evaluations do. Labels are models of the gateway, outcomes and stages, so that they stay few.

    Args:
        registry: of the process; None: one of its own, for a process that serves no metrics.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry or CollectorRegistry()
        self._models: set[str] = set()
        self._running = Gauge(
            _PREFIX + "running_evaluations",
            "Evaluations that are carried out; `stage` is preparing, asking or reporting.",
            ("stage",),
            registry=self._registry,
        )
        self._answers = Counter(
            _PREFIX + "answers_total",
            "Answers to samples; `outcome` is scored, abstained, unparsed or failed.",
            ("model", "outcome"),
            registry=self._registry,
        )
        self._last_answer = Gauge(
            _PREFIX + "last_answer_timestamp_seconds",
            "When an answer was last kept or scored, or an evaluation began to ask, if that was later.",
            registry=self._registry,
        )
        self._cost_micro_usd = Counter(
            _PREFIX + "cost_micro_usd_total",
            "Price of the answers, as far as it is known, in millionths of a US dollar.",
            ("model",),
            registry=self._registry,
        )
        self._report_seconds = Histogram(
            _PREFIX + "report_duration_seconds",
            "Time from the last answer of an evaluation to its report.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        for stage in Stage:
            self._running.labels(stage)
        self._last_answer.set_to_current_time()

    def watch_calls(self, in_flight: Callable[[], Mapping[str, int]]) -> None:
        """Show the calls in flight: model -> how many, asked for whenever Prometheus does, on its thread."""
        self._registry.register(_Calls(in_flight))

    def know(self, models: Iterable[str]) -> None:
        """Name models that the gateway has; the others are shown together."""
        for model in set(models) - self._models:
            self._models.add(model)
            self._cost_micro_usd.labels(model)
            for outcome in SampleOutcome:
                self._answers.labels(model, outcome)

    @contextmanager
    def at(self, stage: Stage) -> Iterator[None]:
        """An evaluation is at this stage."""
        running = self._running.labels(stage)
        if stage is Stage.ASKING:
            self._last_answer.set_to_current_time()
        with running.track_inprogress():
            if stage is Stage.REPORTING:
                with self._report_seconds.time():
                    yield
            else:
                yield

    def answered(self, prediction: Prediction) -> None:
        """An answer, or a failure, was put on disk."""
        model = prediction.model if prediction.model in self._models else OTHER
        self._answers.labels(model, prediction.outcome).inc()
        if not prediction.cached_from:  # what was used again cost something when it was new
            self._cost_micro_usd.labels(model).inc(prediction.cost_micro_usd or 0)
        self.scored()

    def scored(self) -> None:
        """The score of an answer was kept."""
        self._last_answer.set_to_current_time()


class _Calls(Collector):
    """The calls in flight, read when they are asked for."""

    def __init__(self, in_flight: Callable[[], Mapping[str, int]]) -> None:
        self._in_flight = in_flight

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The family, with a sample for each model."""
        family = GaugeMetricFamily(
            _PREFIX + "in_flight_calls", "Calls in flight to models.", labels=("model",)
        )
        for model, count in self._in_flight().items():
            family.add_metric((model,), count)
        yield family
