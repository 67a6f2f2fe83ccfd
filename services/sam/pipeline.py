"""A loaded SAM with what it remembers: from tasks to answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from hooke.errors import HookeError, InvalidRequestError
from runtime.accelerators import Accelerator
from runtime.batches import Abandonment, attempt
from runtime.tasks import Segmentation, SegmentTask
from services.sam.automatic import check_grid, segment_everything
from services.sam.checkpoint import Checkpoint
from services.sam.embeddings import EmbeddingCache, embedding_key
from services.sam.encoder import EmbeddedPredictor, Encoder, Pixels, too_narrow
from services.sam.memory import sparingly
from services.sam.parameters import (
    GridParameters,
    SamParameters,
    SamPoint,
    SamPrompts,
    decide_grid,
    used_grid,
    used_prompts,
)
from services.sam.prompts import check_prompts, segment_prompts
from services.sam.settings import SamSettings

GPU_BATCH_SIZE = 8
FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """A checked task."""

    task: SegmentTask
    pixels: Pixels
    asked: SamParameters
    what: GridParameters | SamPrompts
    key: bytes
    known: bool
    """Whether its image was embedded for an earlier request."""

    @property
    def pixel_count(self) -> int:
        """Rows times columns."""
        height, width = self.pixels.shape[:2]
        return int(height * width)


class Pipeline:
    """Encodes what it does not know yet, then decodes each task by itself.

    Args:
        checkpoint: the model; it is moved to the accelerator.
        accelerator: where it computes, and the numbers that the encoder computes with.
        settings: bounds.
    """

    def __init__(self, checkpoint: Checkpoint, accelerator: Accelerator, settings: SamSettings) -> None:
        self._sam = checkpoint.sam.to(accelerator.device)
        self._image_size: int = self._sam.image_encoder.img_size
        self._encoder = Encoder(self._sam, accelerator.dtype)
        self._identity = f"{checkpoint.sha256} {accelerator.dtype}"
        self._settings = settings
        on_gpu = accelerator.device.type != "cpu"
        self._batch_size = settings.sam_encoder_batch_size or (GPU_BATCH_SIZE if on_gpu else 1)
        self._cache: EmbeddingCache[torch.Tensor] = EmbeddingCache(
            settings.sam_embedding_cache_bytes, settings.sam_max_sessions, settings.sam_session_idle_s
        )

    def warm_up(self) -> None:
        """Compute once what every request computes: the first pass on a GPU takes seconds longer."""
        blank = np.zeros((self._image_size, self._image_size, 3), np.uint8)
        (embedding,) = self._encoder.encode([blank])
        predictor = EmbeddedPredictor(self._sam, self._encoder, blank, embedding)
        segment_prompts(predictor, SamPrompts(points=(SamPoint(x_px=0, y_px=0),)), 1, Abandonment())

    def segment(self, tasks: Sequence[SegmentTask]) -> list[Segmentation | HookeError]:
        """Answer every task.

        Returns:
            For each task its answer, or why there is none: InvalidRequestError where the parameters do not
            fit the image, OutOfMemoryError where the image does not fit into memory, DeadlineExceededError
            where nobody waits for the answer any more.
        """
        plans = [attempt(self._plan, task) for task in tasks]
        embeddings = self._embed([plan for plan in plans if isinstance(plan, _Plan)])
        return [
            attempt(self._answer, plan, embeddings) if isinstance(plan, _Plan) else plan for plan in plans
        ]

    def _plan(self, task: SegmentTask) -> _Plan:
        task.abandoned.check()
        pixels, asked = task.image.pixels, task.parameters or SamParameters()
        if too_narrow(pixels.shape, self._image_size):
            raise InvalidRequestError.of_field(
                "image",
                f"its short side vanishes when its long side is scaled to {self._image_size} pixels",
            )
        what: GridParameters | SamPrompts
        if asked.prompts is None:
            what = decide_grid(asked)
            check_grid(what, pixels.shape, self._image_size, self._settings.sam_max_points)
        else:
            what = asked.prompts
            check_prompts(what, pixels.shape, self._sam.prompt_encoder.mask_input_size[0])
        key = embedding_key(pixels, self._identity)
        return _Plan(task, pixels, asked, what, key, key in self._cache)

    def _embed(self, plans: Sequence[_Plan]) -> dict[bytes, torch.Tensor]:
        """The embedding of every image, but of those that nobody waits for any more.

        Those that are not known are encoded together, each once.
        """
        embeddings: dict[bytes, torch.Tensor] = {}
        unknown: dict[bytes, list[_Plan]] = {}
        for plan in plans:
            if plan.asked.session_id:
                self._cache.pin(plan.asked.session_id, plan.key)
            embedding = self._cache.get(plan.key)
            if embedding is None:
                unknown.setdefault(plan.key, []).append(plan)
            else:
                embeddings[plan.key] = embedding
        alike = list(unknown.values())
        for start in range(0, len(alike), self._batch_size):
            some = alike[start : start + self._batch_size]
            embeddings |= self._encode([same[0] for same in some if not all(map(_is_abandoned, same))])
        return embeddings

    def _encode(self, plans: Sequence[_Plan]) -> dict[bytes, torch.Tensor]:
        """Encode images, and keep their embeddings."""
        if not plans:
            return {}
        encoded = sparingly(
            lambda at_once: self._encoder.encode([plan.pixels for plan in plans], at_once),
            self._batch_size,
            max(plan.pixel_count for plan in plans),
        )
        # In main memory, and a copy of its own: a part of a batch would keep the whole batch.
        embeddings = {
            plan.key: embedding.cpu().clone() for plan, embedding in zip(plans, encoded, strict=True)
        }
        for key, embedding in embeddings.items():
            self._cache.put(key, embedding)
        return embeddings

    def _answer(self, plan: _Plan, embeddings: Mapping[bytes, torch.Tensor]) -> Segmentation:
        plan.task.abandoned.check()  # or there may be no embedding
        embedding = embeddings[plan.key]
        # For each point or box three masks, scaled to the model's square first and then to the image.
        each = 3 * FLOAT32_BYTES * (plan.pixel_count + self._image_size**2)
        fitting = max(1, self._settings.sam_decoder_bytes // each)
        what = plan.what
        if isinstance(what, SamPrompts):
            return sparingly(
                lambda size: self._segment_prompts(plan, what, embedding, size), fitting, plan.pixel_count
            )
        return sparingly(
            lambda size: self._segment_everything(plan, replace(what, points_per_batch=size), embedding),
            min(what.points_per_batch, fitting),
            plan.pixel_count,
        )

    def _segment_prompts(
        self, plan: _Plan, prompts: SamPrompts, embedding: torch.Tensor, at_once: int
    ) -> Segmentation:
        predictor = EmbeddedPredictor(self._sam, self._encoder, plan.pixels, embedding)
        found = segment_prompts(predictor, prompts, at_once, plan.task.abandoned)
        return replace(found, parameters=used_prompts(prompts), reused=plan.known)

    def _segment_everything(self, plan: _Plan, grid: GridParameters, embedding: torch.Tensor) -> Segmentation:
        predictor = EmbeddedPredictor(self._sam, self._encoder, plan.pixels, embedding)
        found = segment_everything(self._sam, predictor, plan.pixels, grid, plan.task.abandoned)
        return replace(found, parameters=used_grid(plan.asked, grid), reused=plan.known)


def _is_abandoned(plan: _Plan) -> bool:
    return plan.task.abandoned.is_set()
