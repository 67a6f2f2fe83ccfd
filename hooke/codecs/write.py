"""Images and label images to files."""

from __future__ import annotations

import io
import uuid
from typing import Any

import numpy as np
import tifffile

from hooke.images import Micrograph, PixelSize


def encode(micrograph: Micrograph) -> bytes:
    """An OME-TIFF file of an image, without loss and without compression, which is fast.

    `decode` gives the image back with its samples, axes, pixel size, channel names and bit depth; axes
    come back in OME's order, and without T, C or Z of length 1.
    """
    axes = micrograph.axes
    order = [letter for letter in "TCZYXS" if letter in axes]
    pixels = micrograph.pixels.transpose([axes.index(letter) for letter in order])
    metadata: dict[str, Any] = {
        "axes": "".join(order),
        "SignificantBits": micrograph.bit_depth,
        # The same image gives the same bytes: files are known by their hash.
        "UUID": f"urn:uuid:{uuid.UUID(hex=micrograph.sha256[:32])}",
        "Creator": "Hooke",
    }
    if micrograph.channel_names:
        metadata["Channel"] = {"Name": list(micrograph.channel_names)}
    if micrograph.pixel_size is not None:
        metadata |= ome_pixel_size(micrograph.pixel_size)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        np.ascontiguousarray(pixels),
        ome=True,
        photometric="rgb" if "S" in axes else "minisblack",
        metadata=metadata,
    )
    return file.getvalue()


def ome_pixel_size(pixel_size: PixelSize) -> dict[str, float | str]:
    """The attributes of OME-XML for a pixel size, as tifffile takes them."""
    sizes = {"X": pixel_size.x_um, "Y": pixel_size.y_um, "Z": pixel_size.z_um}
    attributes: dict[str, float | str] = {}
    for axis, value in sizes.items():
        if value is not None:
            attributes[f"PhysicalSize{axis}"] = value
            attributes[f"PhysicalSize{axis}Unit"] = "µm"
    return attributes
