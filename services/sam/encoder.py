"""From images to their embeddings, and to what decodes prompts on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide

Pixels = NDArray[np.uint8]
"""H x W x 3, RGB."""


def too_narrow(shape: tuple[int, ...], image_size: int) -> bool:
    """Whether nothing is left of the short side when the long side is scaled to the model's image size."""
    short, long = sorted(shape[:2])
    return 2 * short * image_size < max(long, 1)


class Encoder:
    """Encodes images, several in a forward pass.

    Images of different sizes fit together, since all are scaled and padded to one square. Alone in its pass,
    an image has the library's embedding to the bit; in company it may differ by some 2e-6.

    Args:
        sam: its image encoder is cast to `dtype`, and nothing else: the decoder needs float32.
        dtype: numbers that are encoded with.
    """

    def __init__(self, sam: Sam, dtype: torch.dtype) -> None:
        self._sam = sam
        self._dtype = dtype
        self._transform = ResizeLongestSide(sam.image_encoder.img_size)
        sam.image_encoder.to(dtype)

    def encode(self, images: Sequence[Pixels], at_once: int = 1) -> list[torch.Tensor]:
        """The embeddings of images, each 1 x C x h x w float32, on the model's device."""
        embeddings: list[torch.Tensor] = []
        with torch.no_grad():
            for start in range(0, len(images), at_once):
                some = images[start : start + at_once]
                batch = torch.cat([self._sam.preprocess(self._scaled(image)) for image in some])
                embeddings += self._sam.image_encoder(batch.to(self._dtype)).float().split(1)
        return embeddings

    def _scaled(self, image: Pixels) -> torch.Tensor:
        scaled = torch.as_tensor(self._transform.apply_image(image), device=self._sam.device)
        return scaled.permute(2, 0, 1).contiguous()[None]


class EmbeddedPredictor(SamPredictor):  # type: ignore[misc]  # the library publishes no types
    """The library's predictor for one image whose embedding is known; parts of the image are encoded.

    It holds the image that is set, so every request needs one of its own; the model is shared.

    Args:
        sam: the model.
        encoder: encodes parts of the image.
        pixels: the image.
        embedding: of the whole image.
    """

    def __init__(self, sam: Sam, encoder: Encoder, pixels: Pixels, embedding: torch.Tensor) -> None:
        super().__init__(sam)
        self._encoder = encoder
        self._whole_shape = pixels.shape
        self._embedding = embedding.to(sam.device)
        self.set_image(pixels)

    def set_image(self, image: Pixels, image_format: str = "RGB") -> None:
        """Set the whole image, or a part of it; only the whole has its size."""
        assert image_format == "RGB", "Hooke's images are RGB"
        self.reset_image()
        self.original_size = image.shape[:2]
        self.input_size: Any = self.transform.get_preprocess_shape(
            *image.shape[:2], self.transform.target_length
        )
        whole = image.shape == self._whole_shape
        self.features = self._embedding if whole else self._encoder.encode([image])[0]
        self.is_image_set = True
