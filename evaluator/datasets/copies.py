"""Pictures that are an example and are tested, too, under another name: a leak that no name shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from evaluator.datasets.cleaning import decode
from evaluator.datasets.dataset import Dataset
from evaluator.records import Sample
from hooke.errors import FieldViolation, HookeError, InvalidRequestError

SIDE_PX = 32
"""Pictures are compared in this size, whatever theirs is."""
ALIKE = 0.99
"""Correlation from which on two pictures are one.

Of a thousand blood cells and plankton no two have more than 0.974. The same cell, saved again as JPEG of
quality 60, has 0.997.
"""
SAME_SHAPE = 0.02
"""Largest relative difference between the aspects of two sizes of one picture."""


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """What tells one picture from another.

    Attributes:
        digest: SHA-256 of its pixels, their type and shape.
        aspect: width to height.
        small: SIDE_PX x SIDE_PX, flattened, mean 0, length 1; None where it has one brightness only.
    """

    source: str
    digest: bytes
    aspect: float
    small: NDArray[np.float32] | None

    @classmethod
    def of(cls, sample: Sample) -> _Picture:
        """Decode a sample's image."""
        pixels = decode(sample.image)
        digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
        digest.update(np.ascontiguousarray(pixels).tobytes())
        return cls(sample.source, digest.digest(), pixels.shape[1] / pixels.shape[0], _small(pixels))


def refuse_copies(dataset: Dataset) -> None:
    """Read every image of a dataset that has examples, and compare it with these.

    Images that cannot be read are left to whoever evaluates them.

    Raises:
        InvalidRequestError: a picture is an example and is tested, too; names both files.
    """
    examples = [_Picture.of(sample) for sample in dataset.examples()]
    if not examples:
        return
    digests = {picture.digest: picture for picture in examples}
    drawn = [picture for picture in examples if picture.small is not None]
    rows = np.stack([p.small for p in drawn if p.small is not None]) if drawn else np.zeros((0, SIDE_PX**2))
    for index in range(len(dataset)):
        try:
            tested = _Picture.of(dataset[index])
        except (HookeError, OSError):
            continue
        same = digests.get(tested.digest)
        if same is None and tested.small is not None:
            alike = np.flatnonzero(rows @ tested.small > ALIKE)
            same = next(
                (drawn[i] for i in alike if abs(drawn[i].aspect / tested.aspect - 1) < SAME_SHAPE), None
            )
        if same is not None:
            problem = f"{same.source} is shown as an example and is the same picture as {tested.source}"
            raise InvalidRequestError(
                f"{problem}, which is tested. Remove one, or say in the suite what they share (cluster).",
                violations=[FieldViolation("data_dir", problem)],
            )


def _small(pixels: NDArray[Any]) -> NDArray[np.float32] | None:
    grey = pixels[..., :3].mean(axis=-1) if pixels.ndim == 3 else pixels.astype(float)
    small = resize(grey, (SIDE_PX, SIDE_PX), order=1, anti_aliasing=True).ravel()
    small = (small - small.mean()).astype(np.float32)
    length = float(np.linalg.norm(small))
    return None if length < 1e-6 * max(1.0, float(np.abs(grey).max())) else small / length
