"""Models that answer in words, evaluated: what they write, what cannot be read, and what is missing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import imagecodecs
import numpy as np

from deploy.local import free_port
from evaluator.simulate.layout import write_bbbc005_layout
from evaluator.simulate.spec import SeriesSpec
from hooke.types import EvaluationState, SampleOutcome
from runtime.fakes import FakeAnswerer
from runtime.tasks import AskTask
from tests.integration.evaluator.lab import (
    Model,
    address_of,
    answerer_service,
    evaluating,
    gateway_of,
    model_service,
)

COUNTING = """
name: words
tasks:
  - name: cells
    kind: counting
    dataset:
      {loader: simulated, images: 12, seed: 2, width_px: 64, height_px: 64, diameter_px: 8,
       count_min: 1, count_max: 6, unevenness: 0, debris: 0}
    prompt: {version: paper, modality: SEM, object_name: cells}
"""


# Answered, abstained and unparsed samples are told apart, and what the model wrote is kept word for word.
async def test_outcomes_of_words(tmp_path: Path) -> None:
    written: list[str] = []

    def reply(task: AskTask) -> str:
        text = ("Count: 3", "Count: NaN", "There are 10-12 cells.")[len(written) % 3]
        written.append(task.turns[-1].text)
        return text

    async with (
        answerer_service(FakeAnswerer(reply)) as service,
        evaluating(address_of(service), tmp_path) as lab,
    ):
        evaluation = await lab.run(COUNTING)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        (progress,) = evaluation.task_progress
        assert (progress.scored_count, progress.abstained_count, progress.unparsed_count) == (4, 4, 4)
        results = await lab.results(evaluation)
        assert Counter(result.outcome for result in results) == {
            SampleOutcome.SCORED: 4,
            SampleOutcome.ABSTAINED: 4,
            SampleOutcome.UNPARSED: 4,
        }
        assert {result.answer for result in results if result.outcome is SampleOutcome.SCORED} == {"3"}
        journal = (tmp_path / evaluation.evaluation_id / "predictions.jsonl").read_text()
        assert journal.count("There are 10-12 cells.") == 4
        assert '"prompt_version":"paper"' in journal
        (task,) = await lab.figures(evaluation)
        assert task.models[0].coverage == 4 / 12
    # The paper's words are the question, to the letter.
    assert set(written) == {
        "This is an SEM image of cells. Please count the number of cells in this image in the format "
        "'Count: <count>'. If you are unable to count the cells, please write NaN."
    }


# A model that was asked for and cannot be reached is named while the run still goes; others are evaluated.
async def test_what_is_missing_is_said_up_front(tmp_path: Path) -> None:
    model = Model()
    async with (
        model_service(model) as service,
        gateway_of({"model": address_of(service), "absent": f"127.0.0.1:{free_port()}"}) as gateway,
        evaluating(gateway, tmp_path, evaluator_patience_s=1.0) as lab,
    ):
        created = await lab.create(COUNTING, models=["model", "absent"])
        messages = [e.state_message async for e in lab.client.watch_evaluation(created.evaluation_id)]
        running = [message for message in messages[:-1] if message]
        assert running
        assert all("absent does not answer now" in message for message in running)
        ended = await lab.client.evaluation(created.evaluation_id)
        assert ended.state is EvaluationState.PARTIALLY_SUCCEEDED
        counts = {p.model: (p.scored_count, p.failed_count) for p in ended.task_progress}
        assert counts == {"model": (12, 0), "absent": (0, 12)}


def paper_data(root: Path) -> None:
    """The layouts that the paper's suite reads, with an image or two in each place."""
    noise = np.random.default_rng(0)
    for folder in (
        "Biological", "Fibres", "Films_Coated_Surface", "MEMS_devices_and_electrodes", "Nanowires",
        "Particles", "Patterned_surface", "Porous_Sponge", "Powder", "Tips",
    ):  # fmt: skip
        (root / "nffa" / folder).mkdir(parents=True)
        _jpeg(root / "nffa" / folder / f"L9_{folder}.jpg", noise)
    supplement = root / "paper_vlms_micrographs"
    for kind, prefix, column in (
        ("fibers", "Fibres/L9_", "NFFA Fibers (cropped images)"),
        ("particles", "Particles/", "NFFA Particles (cropped images)"),
    ):
        table = f"\ufeff{column},ground truth\n{kind}.jpg,4\nnot-here.jpg,9\n"
        image = supplement / "data_images_NFFA-MS_cropped" / f"{prefix}{kind}.jpg"
        image.parent.mkdir(parents=True)
        _jpeg(image, noise)
        (supplement / f"data_ground_truth_NFFA-MS-{kind}_counts.csv").write_text(table)
    sizes = supplement / "data_images_vqa" / "vqa_t2_size" / "fibers"
    sizes.mkdir(parents=True)
    _jpeg(sizes / "one.jpg", noise)
    columns = "filename,kind,ground_truth_um,ChatGPT_um,LLaVA_um,Gemini_um"
    (supplement / "vqa_t2_size_results.csv").write_text(f"{columns}\none.jpg,fibers,24,6,10,0.024\n")
    bar = {"value": 0.2, "unit": "\u00b5m", "magnification": 234190}
    truth = {"scale_bar": {"bars/L2_one.jpg": bar}, "description": {"bars/L2_one.jpg": "Balls."}}
    (supplement / "TRUTH.json").write_text(json.dumps(truth))
    (supplement / "bars").mkdir()
    _jpeg(supplement / "bars" / "L2_one.jpg", noise)
    series = SeriesSpec(images=2, seed=1, width_px=64, height_px=64, diameter_px=8, count_min=1, count_max=4)
    write_bbbc005_layout(root / "bbbc005", series)


def _jpeg(path: Path, noise: np.random.Generator) -> None:
    path.write_bytes(imagecodecs.jpeg8_encode(noise.integers(0, 255, (32, 32), np.uint8)))


# The paper's own questions run as they come, on whatever model can do them: words and masks side by side.
async def test_the_suite_of_the_paper(tmp_path: Path) -> None:
    paper_data(tmp_path / "data")

    def reply(task: AskTask) -> str:
        asked = task.turns[-1].text
        if "mean size" in asked:
            return "Answer: 24000 nm"
        if "scale bar" in asked:
            return "Answer: 200 nm"
        if "magnification" in asked:
            return "Answer: 234,000"
        return "3" if "classes" in asked else "Count: 4"

    async with (
        model_service(Model()) as one,
        answerer_service(FakeAnswerer(reply)) as two,
        gateway_of({"model": address_of(one), "fake-words": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        created = await lab.client.create_evaluation(suite_name="paper", request_id="paper")
        evaluation = await lab.end_of(created)
        assert evaluation.state is EvaluationState.SUCCEEDED, evaluation.state_message
        asked = {(p.task, p.model): p.done_count for p in evaluation.task_progress}
        assert asked == {
            ("sem-classification", "model"): 10,
            ("sem-classification", "fake-words"): 10,
            ("fibre-counting", "model"): 1,
            ("fibre-counting", "fake-words"): 1,
            ("particle-counting", "model"): 1,
            ("particle-counting", "fake-words"): 1,
            ("body-counting", "model"): 2,
            ("body-counting", "fake-words"): 2,
            ("nuclei-counting", "model"): 2,
            ("nuclei-counting", "fake-words"): 2,
            ("nuclei-segmentation", "model"): 2,
            ("mean-size", "fake-words"): 1,
            ("mean-size", "chatgpt-published"): 1,
            ("mean-size", "llava-published"): 1,
            ("mean-size", "gemini-published"): 1,
            ("description", "fake-words"): 1,
            ("scale-bar", "fake-words"): 1,
            ("magnification", "fake-words"): 1,
        }
        for task in ("scale-bar", "magnification"):
            (printed,) = await lab.results(evaluation, task=task)
            assert printed.metrics["correct"] == 1, printed
        results = await lab.results(evaluation, task="sem-classification", model="fake-words")
        assert {result.answer for result in results} == {"coated films"}
        counted = await lab.results(evaluation, task="fibre-counting", model="fake-words")
        assert [(result.answer, result.truth) for result in counted] == [("4", "4")]
        # Another unit of the same size is right.
        sized = {r.model: r.metrics["correct"] for r in await lab.results(evaluation, task="mean-size")}
        assert sized == {
            "fake-words": 1,
            "chatgpt-published": 0,
            "llava-published": 0,
            "gemini-published": 0,
        }
