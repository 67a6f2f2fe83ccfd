"""Cellpose-SAM as a model: tiles of many requests in one forward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Self

from hooke.errors import HookeError, OutOfMemoryError
from hooke.types import Licences
from runtime import accelerators
from runtime.download import weights_for
from runtime.settings import ModelServerSettings
from runtime.tasks import ModelCard, Parameters, Segmentation, Segmenter, SegmentTask
from runtime.weights import sha256_of
from services.cellpose.parameters import CellposeParameters
from services.cellpose.settings import CellposeSettings
from services.cellpose.weights import FILES, LICENCE, TRAINING_DATA

_GPU_BATCH_SIZE = 8
_RETRY_DIVISOR = 4
"""Where memory runs out, so many times fewer tiles are computed together."""


_Found = list[Segmentation | HookeError]


class CellposeModel(Segmenter):
    """Finds cells and nuclei in images, stacks and volumes."""

    name: ClassVar[str] = "cellpose"
    parameters_type: ClassVar[type[Parameters] | None] = CellposeParameters
    libraries: ClassVar[tuple[str, ...]] = ("torch", "cellpose")
    max_batch_size: ClassVar[int] = 16
    mixed_batches: ClassVar[bool] = True

    def __init__(self, settings: CellposeSettings) -> None:
        self._settings = settings
        self._batch_size = 1
        self._segment_images: Callable[[Sequence[SegmentTask], int, int], _Found] | None = None

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """Build the model from the settings of its service."""
        assert isinstance(settings, CellposeSettings)
        return cls(settings)

    @classmethod
    def takes_volume(cls, parameters: Any) -> bool:
        """Whether the parameters say how a stack is segmented."""
        return parameters is not None and parameters.cellpose_volume_mode is not None

    def load(self) -> ModelCard:
        """Find the checkpoint and bring it to the device.

        Raises:
            WeightsError: the checkpoint is missing, or not what it should be.
            SettingsError: there is no such device.
        """
        settings = self._settings
        published = FILES.get(settings.cellpose_checkpoint)
        path = (
            settings.weights_dir / Path(settings.cellpose_checkpoint).expanduser()
            if published is None
            else weights_for(settings, published, self.name)
        )
        # PyTorch takes seconds to import: not before the weights are known to be there.
        from services.cellpose.network import load_network  # noqa: PLC0415
        from services.cellpose.segmentation import segment_images  # noqa: PLC0415

        accelerators.limit_threads(settings.threads)
        accelerator = accelerators.choose(settings)
        usual = 1 if accelerator.device.type == "cpu" else _GPU_BATCH_SIZE
        self._batch_size = settings.cellpose_tile_batch_size or usual
        self._segment_images = functools.partial(segment_images, load_network(path, accelerator))
        own = "as the file's owner says"
        return ModelCard(
            version=f"cellpose {version('cellpose')}, {path.name}",
            description=(
                "Cellpose-SAM (Pachitariu, Rariden and Stringer 2025): cells and nuclei in any kind of "
                "microscopy, by flows to their centres; images, stitched stacks and full volumes."
            ),
            licences=Licences(
                code="Apache-2.0; the library cellpose BSD-3-Clause",
                weights=LICENCE if published else own,
                training_data=TRAINING_DATA if published else own,
            ),
            max_image_pixels=64 * 1024**2,
            max_channel_count=3,
            weights_digest=sha256_of(path),
            device=accelerator.name,
        )

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation | HookeError]:
        """Find the objects of each image; see `services.cellpose.segmentation` for what fails alone.

        Raises:
            OutOfMemoryError: they do not fit, even with fewer tiles at a time.
        """
        fewer = max(1, self._batch_size // _RETRY_DIVISOR)
        found = self._attempt(tasks, self._batch_size) or self._attempt(tasks, fewer)
        if found is None:
            pixels = max(task.image.pixels.size for task in tasks)
            raise OutOfMemoryError(
                f"the image of {pixels} samples does not fit into memory, even with fewer tiles at a time",
                metadata={"imagePixels": str(pixels), "suggestedMaxPixels": str(pixels // 2)},
            )
        return found

    def _attempt(self, tasks: Sequence[SegmentTask], batch_size: int) -> _Found | None:
        """The answers, or None where memory ran out; what the attempt held is free then."""
        import torch  # noqa: PLC0415

        assert self._segment_images is not None, "load() comes first"
        try:
            return self._segment_images(tasks, batch_size, self._settings.cellpose_max_tiles)
        except Exception as error:
            if not accelerators.out_of_memory(error):
                raise
        torch.cuda.empty_cache()
        return None

    def close(self) -> None:
        """Let go of the network."""
        self._segment_images = None
