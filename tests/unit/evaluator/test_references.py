"""Published figures of a suite."""

from __future__ import annotations

import pytest

from evaluator.records import TaskKind
from evaluator.suites import builtin_suite
from evaluator.summaries import Reference
from hooke.errors import InvalidRequestError
from tests.unit.evaluator.scored import count_scores, rows_of, summarise, task_of

FIGURE = {"name": "an expert", "metric": "mae", "value": 1.25, "n": 50, "source": "a paper"}


# Published figures pass from the suite to the summary as they are; they are compared with no model and do not
# change what is asked.
def test_passed_on() -> None:
    claim = {"name": "a vendor", "metric": "r2", "value": 0.9, "upper": 1, "source": "a leaflet"}
    task = task_of(TaskKind.COUNTING, references=[FIGURE, claim])
    summary = summarise(task, "", rows_of(2), {"model": count_scores([1, 2], [1, 3])}, {})
    assert summary.references == (
        Reference("an expert", "mae", 1.25, "a paper", n=50),
        Reference("a vendor", "r2", 0.9, "a leaflet", upper=1.0),
    )
    assert summary.comparisons == ()
    assert [model.model for model in summary.models] == ["model"]
    assert task.digest == task_of(TaskKind.COUNTING).digest


# A figure of a metric that the task does not have, a range upside down, and one without a source are refused.
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "dice_mean"}, "'dice_mean' is not a metric of counting"),
        ({"upper": 1.0}, "upper is below value"),
        ({"source": ""}, "source"),
        ({"n": 0}, "references"),
    ],
)
def test_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        task_of(TaskKind.COUNTING, references=[{**FIGURE, **change}])


# The paper's suite has the figures to which its published predictions score, and its claim as a claim.
def test_paper() -> None:
    by_task = {task.name: task.references for task in builtin_suite("paper").tasks}
    shown = {(r.name, r.metric): (r.value, r.n) for r in by_task["body-counting"]}
    assert shown["SAM automated", "mae"] == (3.52, 50)
    assert shown["LLaVA", "r2"] == (-0.811, 43)
    assert len(by_task["body-counting"]) == 6 * 4
    assert len(by_task["nuclei-counting"]) == 2 * 4
    (scored, claim) = by_task["sem-classification"]
    assert (scored.value, scored.n, scored.upper) == (0.552, 250, None)
    assert (claim.value, claim.upper, claim.n) == (0.62, 0.63, None)
    assert "claimed" in claim.source
