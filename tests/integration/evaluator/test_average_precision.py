"""Average precision of models that score their objects, from the wire to the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from evaluator.metrics.catalogue import COCO_AP
from evaluator.report import read_json
from evaluator.report.numbers import find
from runtime.tasks import Segmentation, SegmentTask
from tests.integration.evaluator.lab import (
    Model,
    address_of,
    evaluating,
    gateway_of,
    model_service,
    suite,
)

NUCLEI, _ = suite(8).split("  - name: cells")
NAMES = [metric.name for metric in COCO_AP]


class Silent(Model):
    """Finds the same objects, and does not say how sure it is of them."""

    name: ClassVar[str] = "silent"

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        return [replace(found, scores=None) for found in super().segment(tasks)]


# A finished evaluation takes it up without asking anything; only a model that scores its objects has it, and
# no slice of any.
async def test_average_precision(tmp_path: Path) -> None:
    sure, silent = Model(), Silent()
    async with (
        model_service(sure) as one,
        model_service(silent) as two,
        gateway_of({"model": address_of(one), "silent": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path) as lab,
    ):
        await lab.run(NUCLEI)
        asked = sure.asked.total(), silent.asked.total()
        evaluation = await lab.run(f"{NUCLEI}    metrics: [coco_ap]\n")
        assert (sure.asked.total(), silent.asked.total()) == asked
        (task,) = read_json((await lab.client.report(evaluation.evaluation_id)).decode()).tasks
        models = {model.model: model for model in task.models}
        for figures in (models["model"].strict, models["model"].answered):
            found = [find(figures, name) for name in NAMES]
            assert [(each.n, each.note) for each in found] == [(8, found[0].note)] * 3
            assert 0 < found[0].value <= found[1].value <= 1
        assert [find(models["silent"].strict, name).note for name in NAMES] == ["not computed"] * 3
        sliced = [e for axis in models["model"].by_slice.values() for part in axis.values() for e in part]
        assert sliced
        assert not {each.name for each in sliced} & set(NAMES)
