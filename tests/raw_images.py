"""Raw images that tests of servers send."""

from __future__ import annotations

import numpy as np

from hooke.v1 import image_pb2


def raw_image(size: int = 8, first: int = 1) -> image_pb2.Image:
    """A small uint8 image whose first pixel is an order for the fake model."""
    pixels = np.ones((size, size), np.uint8)
    pixels[2:4, 2:4] = 200
    pixels.flat[0] = first
    return image_pb2.Image(
        pixels=image_pb2.Pixels(
            data=pixels.tobytes(), shape=pixels.shape, pixel_type=image_pb2.PixelType.PIXEL_TYPE_UINT8
        ),
        axes="YX",
    )
