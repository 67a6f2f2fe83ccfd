"""Faults of acquisition through the whole of the evaluator, over gRPC."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from evaluator.report import read_json
from hooke.types import EvaluationState, ReportFormat
from tests.integration.evaluator.lab import (
    Model,
    OtherModel,
    address_of,
    evaluating,
    gateway_of,
    model_service,
)

IMAGES = 8
SUITE = f"""
name: struck
tasks:
  - name: nuclei
    kind: segmentation
    dataset:
      {{loader: simulated, images: {IMAGES}, seed: 1, width_px: 64, height_px: 64, diameter_px: 8,
       count_min: 1, count_max: 6, unevenness: 0, debris: 0}}
    corruption:
      - {{kind: defocus, severities: [1, 5]}}
      - {{kind: read_noise, severities: [3, 5]}}
      - {{kind: stain_shift, severities: [5]}}
    slices: [fault, severity]
"""


# Clean and struck images are asked once each; the report has a curve for each fault that strikes grey images.
async def test_curves(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        evaluation = await lab.run(SUITE)
        assert evaluation.state is EvaluationState.SUCCEEDED
        # A grey image has no stain: what was to be shifted is the clean image, which is asked once.
        assert [progress.sample_count for progress in evaluation.task_progress] == [IMAGES * 5]
        assert len(model.asked) == model.asked.total() == IMAGES * 5
        report = read_json((await lab.client.report(evaluation.evaluation_id)).decode())
        seeds = {"defocus": 0, "read_noise": 0, "stain_shift": 0}
        assert report.provenance["seeds"]["nuclei, faults"] == seeds
        (summary,) = report.tasks[0].models
        assert list(summary.by_slice["fault"]) == ["clean", "defocus", "read_noise"]
        assert list(summary.by_slice["severity"]) == ["0", "1", "3", "5"]
        found = summary.robustness
        assert [curve.fault for curve in found.curves] == ["defocus", "read_noise"]
        assert [[p.severity for p in curve.points] for curve in found.curves] == [[1, 5], [3, 5]]
        clean = next(e for e in summary.by_slice["fault"]["clean"] if e.name == found.metric)
        assert clean.value == found.clean.value
        for curve in found.curves:
            for point in curve.points:
                assert point.ratio.n == IMAGES
                assert abs(point.ratio.value - point.value.value / found.clean.value) < 1e-12
        defocus, noise = found.curves
        assert defocus.points[1].ratio.value < 0.5 < found.area.value < 1
        assert found.area.value == (defocus.area.value + noise.area.value) / 2


# A limit is of images; a second run of the same request asks nothing again and says the same.
async def test_limit_and_resume(tmp_path: Path) -> None:
    model = Model()
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        evaluation = await lab.run(SUITE, sample_limit=3)
        figures = await lab.figures(evaluation)
        assert model.asked.total() == 3 * 5
        again = await lab.run(SUITE, sample_limit=3)
        assert again.evaluation_id == evaluation.evaluation_id
        assert model.asked.total() == 3 * 5
        assert await lab.figures(again) == figures


# Two models are compared image by image, since what is shown of one image is dependent.
async def test_comparison_is_clustered(tmp_path: Path) -> None:
    one, two = Model(), OtherModel()
    async with (
        model_service(one) as first,
        model_service(two) as second,
        gateway_of({"model": address_of(first), "other": address_of(second)}) as gateway,
        evaluating(gateway, tmp_path) as lab,
    ):
        evaluation = await lab.run(SUITE)
        (task,) = await lab.figures(evaluation)
        (pair,) = task.comparisons
        assert pair.method == "permutation-clustered"
        assert (pair.difference.value, pair.better) == (0, None)
        assert task.models[0].robustness == task.models[1].robustness


# HTML, Markdown and JSON show the same curves.
async def test_report(tmp_path: Path) -> None:
    async with model_service(Model()) as service, evaluating(address_of(service), tmp_path) as lab:
        evaluation = await lab.run(SUITE)
        archive = await lab.client.report(evaluation.evaluation_id, report_format=ReportFormat.HTML_ZIP)
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            page = files.read("task1.html").decode()
            markdown = files.read("report.md").decode()
            summary = read_json(files.read("report.json").decode())
        found = summary.tasks[0].models[0].robustness
        assert found is not None
        assert page.count("Horizontal: severity. Vertical: seg_accuracy@0.5 / clean.") == 2
        for curve in found.curves:
            assert f"{curve.area.value:.3f}" in page
            assert f"{curve.area.value:.3f}" in markdown
