"""What is left of a metric under faults: the arithmetic, its intervals, and what is not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evaluator.corruptions.plan import variants
from evaluator.records import SampleRow, SampleScore, TaskKind, Truth
from evaluator.scoring import score
from evaluator.suites import TaskSpec
from evaluator.summaries import Robustness
from hooke.types import SampleOutcome
from tests.unit.evaluator.scored import prediction_of, sample_of, summarise, task_of

FAULTS = [{"kind": "defocus", "severities": [1, 3, 5]}, {"kind": "jpeg"}]
IMAGES = 24


def counting(**fields: object) -> TaskSpec:
    return task_of(TaskKind.COUNTING, corruption=FAULTS, **fields)


def robustness(
    task: TaskSpec,
    answer: Callable[[int, str, int], int | SampleOutcome | None],
    images: int = IMAGES,
    plates: int | None = None,
) -> Robustness:
    """Of a model that says `answer(image, fault, severity)` where 10 + image is right; None: not there."""
    rows: list[SampleRow] = []
    scores: list[SampleScore] = []
    order = variants(task.corruption)
    for index in range(images * len(order)):
        image, place = divmod(index, len(order))
        said = answer(image, order[place].fault, order[place].severity)
        if said is None:
            continue
        cluster = f"plate {image % plates}" if plates else f"image {image}"
        rows.append(SampleRow(f"{index:064}", index, f"file {index}", {}, cluster))
        outcome = said if isinstance(said, SampleOutcome) else SampleOutcome.SCORED
        count = {} if isinstance(said, SampleOutcome) else {"count": said}
        prediction = prediction_of(index, outcome, **count)
        scores.append(score(task, sample_of(Truth(count=10 + image), index), prediction, None))
    summary = summarise(task, "data", rows, {"model": scores}, {})
    found = summary.models[0].robustness
    assert found is not None
    return found


def off(image: int, fault: str, severity: int) -> int:
    """One too many on a clean image; under a fault the more, and as a rule under defocus only."""
    return 10 + image + 1 + (severity if fault == "defocus" else image % 2 * severity)


# The ratios are those of the metric of the same images, and the area is that of the trapezia between them.
def test_ratios_and_area():
    found = robustness(counting(), off)
    assert (found.metric, found.clean.value) == ("mae", 1.0)
    defocus, jpeg = found.curves
    assert (defocus.fault, jpeg.fault) == ("defocus", "jpeg")
    assert [(p.severity, p.value.value, p.ratio.value) for p in defocus.points] == [
        (1, 2.0, 2.0),
        (3, 4.0, 4.0),
        (5, 6.0, 6.0),
    ]
    assert [p.severity for p in jpeg.points] == [1, 2, 3, 4, 5]
    assert [p.ratio.value for p in jpeg.points] == pytest.approx([1.5, 2, 2.5, 3, 3.5])
    assert defocus.area.value == pytest.approx(3.5)
    assert jpeg.area.value == pytest.approx(2.25)
    assert found.area.value == pytest.approx((3.5 + 2.25) / 2)
    for estimate in (found.area, jpeg.area, jpeg.points[0].ratio):
        assert estimate.higher_is_better is False
        assert estimate.n == IMAGES


# The interval of a ratio is paired: where every image loses alike there is nothing to be unsure of.
def test_intervals_are_paired():
    found = robustness(
        counting(headline="rmse"), lambda i, f, s: 10 + i + (1 + i) * (1 if f == "clean" else 2)
    )
    assert found.clean.low < found.clean.value < found.clean.high
    ratio = found.curves[0].points[0].ratio
    assert ratio.value == pytest.approx(2)
    assert ratio.low is None
    assert "all samples are alike" in ratio.note


# Samples of one image are no independent ones: the more of them, the same interval; plates widen it.
def test_intervals_are_clustered():
    def noisy(image: int, fault: str, severity: int) -> int:
        return (
            10
            + image
            + 2
            + int(np.random.default_rng([image, severity, image % 4]).integers(0, 3 + severity))
        )

    by_image, by_plate = robustness(counting(), noisy), robustness(counting(), noisy, plates=6)
    assert by_image.area.method == "bca"
    assert by_plate.area.method == "bca-clustered"
    assert by_image.area.value == by_plate.area.value
    task = counting()
    assert len(variants(task.corruption)) == 9


# The interval of the area covers the truth about as often as it says.
@pytest.mark.slow
def test_coverage():
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(150):
        levels = rng.poisson(4, (40, 6))

        def answer(image: int, fault: str, severity: int, levels: np.ndarray = levels) -> int | None:
            if fault == "jpeg":
                return None
            return 10 + image + 1 + int(levels[image, severity]) + (severity > 0) * int(levels[image, 0])

        area = robustness(counting(), answer, images=40).curves[0].area
        # Clean 5, struck 9: ratio 1.8 from severity 1 on.
        truth = (0.5 * (1 + 1.8) + 4 * 1.8) / 5
        covered.append(area.low <= truth <= area.high)
    assert 0.90 <= np.mean(covered) <= 0.99


# An image without an answer under a fault counts as wrong; one that the infrastructure lost, not at all.
def test_without_an_answer():
    def answer(image: int, fault: str, severity: int) -> int | SampleOutcome:
        if fault == "defocus" and severity == 5:
            return SampleOutcome.ABSTAINED
        if fault == "defocus" and severity == 3 and image < 4:
            return SampleOutcome.FAILED
        return off(image, fault, severity)

    defocus = robustness(counting(), answer).curves[0]
    one, three, five = defocus.points
    assert (one.ratio.n, three.ratio.n, five.ratio.n, defocus.area.n) == (24, 20, 24, 20)
    assert five.value.value == np.mean([10 + image for image in range(IMAGES)])
    assert "24 without an answer" in five.ratio.note
    assert three.ratio.value == pytest.approx(4)


# A fault that has changed no image has no curve; without any there is no area, and the reason is said.
def test_faults_that_strike_nothing():
    found = robustness(counting(), lambda i, f, s: None if f == "jpeg" else off(i, f, s))
    assert [curve.fault for curve in found.curves] == ["defocus"]
    assert found.area.value == found.curves[0].area.value
    nothing = robustness(counting(), lambda i, f, s: off(i, f, s) if f == "clean" else None)
    assert nothing.curves == ()
    assert (nothing.area.value, nothing.area.note) == (None, "no image has every severity of a fault")


# Nothing can be divided by 0: a model without errors on clean images has no ratio, and the reason is said.
def test_ratio_of_nothing():
    found = robustness(counting(), lambda i, f, s: 10 + i + s)
    assert found.clean.value == 0
    assert found.curves[0].points[0].value.value == 1
    for estimate in (found.area, found.curves[0].area, found.curves[0].points[0].ratio):
        assert estimate.value is None
        assert "not above 0" in estimate.note


# Segmentation and classification have curves like counting, from the same statistics.
def test_other_kinds_of_tasks():
    task = task_of(TaskKind.CLASSIFICATION, corruption={"kind": "stain_shift"}, headline="macro_f1")
    order = variants(task.corruption)
    rows, scores = [], []
    for index in range(30 * len(order)):
        image, place = divmod(index, len(order))
        true = ("cat", "dog", "owl")[image % 3]
        said = "cat" if order[place].severity > image % 7 else true
        rows.append(SampleRow(f"{index:064}", index, "file", {}, f"image {image}"))
        scores.append(
            score(task, sample_of(Truth(label=true), index), prediction_of(index, label=said), None)
        )
    model = summarise(task, "data", rows, {"model": scores}, {}).models[0]
    assert model.robustness is not None
    (curve,) = model.robustness.curves
    assert model.robustness.clean.value == 1.0
    ratios = [point.ratio.value for point in curve.points]
    assert ratios == sorted(ratios, reverse=True)
    assert 0 < curve.area.low < curve.area.value < curve.area.high < 1


# A task without faults has no such summary.
def test_none():
    task = task_of(TaskKind.COUNTING)
    assert summarise(task, "data", [], {"model": []}, {}).models[0].robustness is None
