"""What the templates are given: the summary in the order in which a page shows it, and its plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from evaluator.records import TaskKind
from evaluator.report.charts import Scale, value_range
from evaluator.report.numbers import (
    find,
    ranked,
)
from evaluator.summaries import Estimate, ModelSummary, RunSummary, TaskSummary

WORST_BY = {
    TaskKind.SEGMENTATION: "seg_accuracy@0.5",
    TaskKind.COUNTING: "absolute_error",
    TaskKind.CLASSIFICATION: "correct",
    TaskKind.VQA: "correct",
}
"""The metric of single samples by which the worst are found."""
_LOWER_IS_BETTER = {"absolute_error", "relative_error", "brier", "split", "merge", "missed", "spurious"}
_NEITHER_IS_BETTER = {"error", "confidence"}


def higher_is_better(sample_metric: str) -> bool | None:
    """Which end of a metric of single samples is better; None where neither is."""
    return None if sample_metric in _NEITHER_IS_BETTER else sample_metric not in _LOWER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Line:
    """One model of a task; `style` is its colour and marker on every page."""

    model: ModelSummary
    style: int
    strict: Estimate
    answered: Estimate


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One task: `slug` names its files, `lines` are its models, best first."""

    slug: str
    task: TaskSummary
    lines: tuple[Line, ...]

    @property
    def bar(self) -> Scale:
        """Where the leaderboard's interval bars run: 0 to 1 for shares, else over all ends and 0."""
        low, high = value_range(
            end for line in self.lines for end in (line.strict.value, line.strict.low, line.strict.high)
        )
        return Scale(low, high, 6, 134)

    @property
    def direction(self) -> str:
        """Which end of the headline metric is better, in words."""
        ways = {line.strict.higher_is_better for line in self.lines}
        return "higher is better" if ways == {True} else "lower is better" if ways == {False} else ""

    def tied(self, model: str) -> bool:
        """True if another model has the same rank."""
        rank = self.task.rank(model)
        return sum(self.task.rank(line.model.model) == rank for line in self.lines) > 1

    @property
    def worst_by(self) -> str:
        """The metric of single samples by which the worst are found."""
        return WORST_BY[self.task.kind]

    def browse(self, **wanted: str) -> str:
        """Address of the sample browser with these filters; keys are the names of its controls."""
        return "samples.html#" + urlencode({"task": self.slug, **wanted})


def task_pages(summary: RunSummary) -> tuple[TaskPage, ...]:
    """A page for each task. A model has the same style in every task; file names hold no user's text."""
    names = dict.fromkeys(model.model for task in summary.tasks for model in task.models)
    styles = {name: style for style, name in enumerate(names)}
    return tuple(
        TaskPage(
            f"task{place}",
            task,
            tuple(
                Line(m, styles[m.model], find(m.strict, task.headline), find(m.answered, task.headline))
                for m in ranked(task)
            ),
        )
        for place, task in enumerate(summary.tasks, 1)
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """All tasks and models together; `coverage` is the share of answers that could be scored."""

    samples: int
    answers: int
    coverage: float


def totals(summary: RunSummary) -> Totals:
    """What the head of the report counts."""
    models = [model for task in summary.tasks for model in task.models]
    answers = sum(model.sample_count for model in models)
    scored = sum(model.outcome_counts.get("scored", 0) for model in models)
    return Totals(
        sum(task.sample_count for task in summary.tasks), answers, scored / answers if answers else 0.0
    )


def code_in_words(summary: RunSummary) -> str:
    """The commit that the figures were computed with, shortly; empty where it is not known."""
    code = summary.provenance.get("code")
    code = code if isinstance(code, Mapping) else {}
    commit = str(code.get("git_commit") or "")[:12]
    return f"{commit}, with changes that are in no commit" if commit and code.get("git_dirty") else commit


def manifest_of(summary: RunSummary, task: str) -> str:
    """The hash of what a task's dataset was; empty where it is not known."""
    datasets = summary.provenance.get("datasets")
    told = datasets.get(task) if isinstance(datasets, Mapping) else None
    return str(told.get("manifest_sha256") or "") if isinstance(told, Mapping) else ""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model of the run; version and digest are empty where the provenance does not say."""

    name: str
    style: int
    version: str
    digest: str
    tasks: tuple[str, ...]


def model_facts(summary: RunSummary) -> tuple[ModelFacts, ...]:
    """The models of a run; what they are is under `models` in the provenance."""
    known = summary.provenance.get("models")
    known = known if isinstance(known, Mapping) else {}
    names = dict.fromkeys(model.model for task in summary.tasks for model in task.models)
    facts = []
    for style, name in enumerate(names):
        said = known.get(name)
        said = said if isinstance(said, Mapping) else {}
        tasks = tuple(t.task for t in summary.tasks if any(m.model == name for m in t.models))
        version, digest = (str(said.get(key) or "") for key in ("version", "weights_digest"))
        facts.append(ModelFacts(name, style, version, digest, tasks))
    return tuple(facts)
