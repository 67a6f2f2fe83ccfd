"""What every model service promises, whatever the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hooke
from hooke import codecs, errors, masks
from hooke.images import Micrograph, PixelSize
from hooke.types import ModelInfo, ModelState, Task
from runtime.fakes import serving
from runtime.hosting import tasks_of
from runtime.settings import ModelServerSettings
from runtime.tasks import Classifier, LabelScorer, Model, Segmenter


@asynccontextmanager
async def client_of(
    kind: type[Model], settings: ModelServerSettings | None
) -> AsyncIterator[tuple[hooke.AsyncClient, ModelInfo]]:
    """A client of a real service of this model, and what the model says of itself."""
    async with (
        serving(kind, values=settings) as service,
        hooke.AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        yield client, await client.model(kind.name)


def field_of_discs(dtype: type[np.generic] = np.uint8) -> Micrograph:
    """Six bright discs on a dark ground, one of them at the border."""
    rows, columns = np.mgrid[:128, :160]
    pixels = np.full((128, 160), 20.0)
    for row, column in ((30, 30), (30, 80), (30, 130), (90, 30), (90, 80), (90, 158)):
        pixels[(rows - row) ** 2 + (columns - column) ** 2 <= 12**2] = 180
    pixels += np.random.default_rng(0).normal(0, 3, pixels.shape)
    scale = np.iinfo(dtype).max / 255 if np.issubdtype(dtype, np.integer) else 1.0  # type: ignore[type-var]
    return codecs.from_array((np.clip(pixels, 0, 255) * scale).astype(dtype), pixel_size=PixelSize(0.5, 0.5))


def test_a_folder_holds_one_model_of_its_name(kind: type[Model]) -> None:
    """`services/<name>/model.py` defines the model <name>, and `python -m services.<name>` serves it."""
    assert kind.__module__ == f"services.{kind.name}.model"
    assert Path("services", kind.name, "__main__.py").is_file()


async def test_a_model_describes_itself(kind: type[Model], settings: ModelServerSettings | None) -> None:
    """A user finds what it can do, what its scores mean and what its licences are."""
    async with client_of(kind, settings) as (client, info):
        assert info.state is ModelState.READY
        assert info.tasks == tasks_of(kind)
        assert info.version
        assert info.description
        assert info.licences.code
        assert info.remote or bool(info.weights_digest) is bool(info.licences.weights)
        assert [listed.name for listed in await client.models()] == [kind.name]
        with pytest.raises(errors.UnknownModelError):
            await client.model("no-such-model")


@pytest.mark.parametrize("task", list(Task))
async def test_what_a_model_cannot_do_it_says(
    kind: type[Model], settings: ModelServerSettings | None, task: Task
) -> None:
    """A task outside its list is TASK_NOT_SUPPORTED, another model's name UNKNOWN_MODEL."""
    async with client_of(kind, settings) as (client, info):
        ask = {
            Task.SEGMENT: client.segment,
            Task.COUNT: client.count,
            Task.CLASSIFY: lambda image, model: client.classify(image, labels=("a", "b"), model=model),
            Task.ASK: lambda image, model: client.ask(image, "What is this?", model=model),
        }[task]
        if task not in info.tasks:
            with pytest.raises(errors.TaskNotSupportedError):
                await ask(field_of_discs(), model=kind.name)  # type: ignore[operator]
        with pytest.raises(errors.UnknownModelError):
            await ask(field_of_discs(), model="another")  # type: ignore[operator]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
async def test_objects_masks_and_counts_agree(
    kind: type[Model], settings: ModelServerSettings | None, parameters: Any, dtype: type[np.generic]
) -> None:
    """Objects are numbered from 1 to N, with box, area, score and size in micrometres; Count says N."""
    async with client_of(kind, settings) as (client, info):
        if Task.SEGMENT not in info.tasks:
            pytest.skip("the model does not segment")
        image = field_of_discs(dtype)
        found = await client.segment(image, model=kind.name, parameters=parameters, mask_format="rle")
        assert [instance.label for instance in found.instances] == list(range(1, len(found.instances) + 1))
        for instance in found.instances:
            assert instance.rle is not None
            mask = masks.decode_mask(instance.rle, (128, 160))
            assert instance.area_px == mask.sum() > 0
            assert instance.area_um2 == pytest.approx(instance.area_px * 0.25)
            assert instance.score is None or 0 <= instance.score <= 1
            assert bool(info.score_meaning) is (instance.score is not None)
            rows, columns = np.nonzero(mask)
            box = instance.bounding_box
            assert (box.x_px, box.y_px) == (columns.min(), rows.min())
            assert instance.touches_border is bool(
                rows.min() == 0 or columns.min() == 0 or rows.max() == 127 or columns.max() == 159
            )
        counted = await client.count(image, model=kind.name, parameters=parameters)
        assert counted.count == len(found.instances)
        assert counted.labels is None


async def test_run_lengths_say_the_same_as_the_label_image(
    kind: type[Model], settings: ModelServerSettings | None, parameters: Any
) -> None:
    """Both mask formats describe the same objects; where they overlap, the label image shows the best."""
    async with client_of(kind, settings) as (client, info):
        if Task.SEGMENT not in info.tasks:
            pytest.skip("the model does not segment")
        image = field_of_discs()
        by_label = await client.segment(image, model=kind.name, parameters=parameters)
        by_rle = await client.segment(image, model=kind.name, parameters=parameters, mask_format="rle")
        assert by_rle.labels is None
        assert [replace(found, rle=None) for found in by_rle.instances] == list(by_label.instances)
        best, shown = np.full((128, 160), -np.inf), np.zeros((128, 160), int)
        for instance in by_rle.instances:
            assert instance.rle is not None
            score = 0.0 if instance.score is None else instance.score
            wins = masks.decode_mask(instance.rle, (128, 160)) & (score > best)
            best[wins], shown[wins] = score, instance.label
        assert by_label.labels is not None
        assert np.array_equal(by_label.labels, shown)


async def test_the_same_question_has_the_same_answer(
    kind: type[Model], settings: ModelServerSettings | None, parameters: Any
) -> None:
    """Answers do not depend on what was asked before, nor on what is asked at the same time."""
    async with client_of(kind, settings) as (client, info):
        if Task.SEGMENT not in info.tasks:
            pytest.skip("the model does not segment")
        first = await client.segment(field_of_discs(), model=kind.name, parameters=parameters)
        await client.segment(field_of_discs(np.uint16), model=kind.name, parameters=parameters)
        second = await client.segment(field_of_discs(), model=kind.name, parameters=parameters)
        assert np.array_equal(first.labels, second.labels)  # type: ignore[arg-type]
        assert first.instances == second.instances
        assert first.provenance == second.provenance


async def test_an_answer_says_where_it_comes_from(
    kind: type[Model], settings: ModelServerSettings | None
) -> None:
    """Model, version, image hash and what the model saw stand in every answer, here to its defaults."""
    async with client_of(kind, settings) as (client, info):
        if Task.SEGMENT not in info.tasks:
            pytest.skip("the model does not segment")
        image = field_of_discs()
        provenance = (await client.segment(image, model=kind.name)).provenance
        assert provenance.model == kind.name
        assert provenance.model_version == info.version
        assert provenance.image_sha256 == image.sha256
        assert (provenance.rendered_image.width_px, provenance.rendered_image.height_px) == (160, 128)
        assert provenance.pixel_size is not None
        assert len({used.name for used in provenance.parameters}) == len(provenance.parameters)


async def test_what_a_model_has_no_use_for_it_names(
    kind: type[Model], settings: ModelServerSettings | None, parameters: Any
) -> None:
    """One request fits all models: what one does not read stands in its answer, and only that."""
    finds = issubclass(kind, Segmenter)
    async with client_of(kind, settings) as (client, _info):
        image = field_of_discs()
        counted = await client.count(
            image,
            model=kind.name,
            expected_diameter_um=12,
            prompt=hooke.Prompt(object_name="cells", modality="SEM"),
            examples=[(image, 6)],
            mask_format="label_image",
            parameters=parameters,
        )
        words = ("prompt.modality", "prompt.object_name", "examples")
        sizes = ("expected_diameter_um",)
        by_masks = {*words, *sizes} if kind.name == "sam" else {*words}
        by_words = {*sizes, "mask_format"}
        assert set(counted.provenance.unused_fields) == (by_masks if finds else by_words)
        if not finds or issubclass(kind, Classifier):
            examples = [(image, "six"), (field_of_discs(np.uint16), "many")]
            prompt = hooke.Prompt(object_name="discs", modality="SEM")
            classified = await client.classify(image, examples=examples, model=kind.name, prompt=prompt)
            unused = set(classified.provenance.unused_fields)
            assert unused == {"prompt.object_name"} | ({"prompt.modality"} if finds else set())


async def test_probabilities_are_probabilities(
    kind: type[Model], settings: ModelServerSettings | None
) -> None:
    """They sum to 1, the answer is the most probable class; no examples where they are needed is an error."""
    async with client_of(kind, settings) as (client, info):
        if Task.CLASSIFY not in info.tasks:
            pytest.skip("the model does not classify")
        noise = np.random.default_rng(1)
        dark = [codecs.from_array(noise.integers(0, 60, (40, 40), np.uint8)) for _ in range(4)]
        bright = [codecs.from_array(noise.integers(180, 255, (40, 40), np.uint8)) for _ in range(4)]
        examples = [(image, "dark") for image in dark[1:]] + [(image, "bright") for image in bright[1:]]
        answer = await client.classify(dark[0], examples=examples, model=kind.name)
        if issubclass(kind, Classifier | LabelScorer):
            assert set(answer.probabilities) == {"dark", "bright"}
            assert sum(answer.probabilities.values()) == pytest.approx(1)
            assert answer.label == max(answer.probabilities, key=lambda label: answer.probabilities[label])
        else:  # whatever writes its answer has no probabilities
            assert answer.label in {"dark", "bright"}
            assert not answer.probabilities
        if info.examples_required:
            with pytest.raises(errors.ExamplesRequiredError):
                await client.classify(dark[0], labels=("dark", "bright"), model=kind.name)
