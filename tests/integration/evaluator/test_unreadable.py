"""Files that cannot be read: each is one failed sample, and the run goes on."""

from __future__ import annotations

from pathlib import Path

from hooke.types import EvaluationState, ReportFormat, SampleOutcome
from tests.integration.evaluator.lab import Model, address_of, evaluating, gateway_of, model_service
from tests.unit.evaluator.datasets import builders

SUITE = """
name: files
tasks:
  - name: outlined
    kind: segmentation
    dataset: {loader: image_label_pairs, image: "{id:d}.png", truth: "masks/{id}.png"}
  - name: counted
    kind: counting
    dataset: {loader: image_label_pairs, image: "{id:d}.png", truth: "masks/{id}.png"}
"""


def put_images(folder: Path) -> None:
    """Four images; the second is broken, the truth of the fourth is."""
    for number in range(4):
        builders.put(folder, f"{number}.png", builders.png(builders.noise(number, (32, 32))))
        labels = builders.labels_of((2, 2, 5, 5), (12, 12, 5, 5), shape=(32, 32))
        builders.put(folder, f"masks/{number}.png", builders.png(labels))
    builders.put(folder, "1.png", b"half a file")
    builders.put(folder, "masks/3.png", b"no file at all")


# One broken image and one broken truth are a failed sample each: no model is asked about them, the others are
# scored, coverage and report say so; and the same request comes to the same end.
async def test_broken_files_fail(tmp_path: Path) -> None:
    put_images(tmp_path / "data")
    model = Model()
    async with (
        model_service(model) as service,
        gateway_of({"model": address_of(service)}) as gateway,
        evaluating(gateway, tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        for _ in range(2):
            ended = await lab.run(SUITE, data_dir=".")
            assert ended.state is EvaluationState.PARTIALLY_SUCCEEDED
            assert "4 of 8 samples failed (4 IMAGE_UNREADABLE)" in ended.state_message
            assert len(model.asked) == 2
            results = await lab.results(ended, task="outlined")
            assert [result.outcome for result in results] == [
                SampleOutcome.SCORED,
                SampleOutcome.FAILED,
                SampleOutcome.SCORED,
                SampleOutcome.FAILED,
            ]
            figures = await lab.figures(ended)
            assert [task.models[0].coverage for task in figures] == [0.5, 0.5]
        report = await lab.client.report(ended.evaluation_id, report_format=ReportFormat.HTML_ZIP)
        assert report


# A file that is gone when the run is taken up again has changed: its answers were of another image.
async def test_a_file_goes_away(tmp_path: Path) -> None:
    put_images(tmp_path / "data")
    async with (
        model_service(Model()) as service,
        gateway_of({"model": address_of(service)}) as gateway,
        evaluating(gateway, tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        await lab.run(SUITE, data_dir=".")
        (tmp_path / "data/2.png").write_bytes(b"")
        ended = await lab.run(SUITE, data_dir=".")
        assert ended.state is EvaluationState.FAILED
        # Noticed when it is read again, be it to be asked about or to be shown.
        told = ("2.png is not the sample that it was", "2.png has changed since it was shown to the models")
        assert any(words in ended.state_message for words in told)
