"""From the image of a request to what a model gets: resolve, check, decode, choose the view, render."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hooke import codecs, errors
from hooke.images import ImageLimits, Micrograph, View
from hooke.types import IntensityRange, RenderedImage, SourceImage
from hooke.v1 import image_pb2
from runtime.admission import Place
from runtime.hosting import HostedModel
from runtime.image_store import ImageStore
from runtime.rendering import render_rgb8
from runtime.requests import moved
from runtime.settings import ModelServerSettings, usable_cores

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class TakenImage:
    """One image of a request.

    Attributes:
        raw: the view that was asked for, with the samples of the source.
        seen: what the model gets: the same, or 8-bit RGB.
        intensity_ranges: how raw intensities became those of `seen`; empty: they are the same.
    """

    raw: Micrograph
    seen: Micrograph
    intensity_ranges: tuple[IntensityRange, ...] = ()

    @property
    def pixel_count(self) -> int:
        """Pixels, or voxels, of the view."""
        planes = self.raw.pixels.shape[0] if self.raw.axes.startswith("Z") else 1
        return self.raw.height_px * self.raw.width_px * planes

    @property
    def rendered(self) -> RenderedImage:
        """What the model sees, as provenance says it."""
        return RenderedImage(
            width_px=self.seen.width_px,
            height_px=self.seen.height_px,
            axes=self.seen.axes,
            sample_type=self.seen.pixels.dtype.name,
            intensity_ranges=self.intensity_ranges,
        )

    @property
    def source(self) -> SourceImage:
        """The image as one of several in a provenance."""
        return SourceImage(self.raw.sha256, self.rendered)


class Intake:
    """Takes the images of requests in, on a few threads, never on the event loop.

    Args:
        model: that the images are for.
        store: images that requests refer to by hash.
        settings: limits on images.
    """

    def __init__(self, model: HostedModel, store: ImageStore, settings: ModelServerSettings) -> None:
        self._model = model
        self._store = store
        self._limits = ImageLimits(max_bytes=settings.max_image_bytes)
        self._threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="codec")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def off_loop(self, work: Callable[[], T]) -> T:
        """Run something that takes time on one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def take(
        self,
        place: Place,
        message: image_pb2.Image,
        view: View | None,
        *,
        field: str = "image",
        view_field: str = "view",
        volume: bool = False,
    ) -> TakenImage:
        """Read the header, hold the memory, decode, and choose the view that the model is to see.

        Args:
            place: of the request.
            message: the image.
            view: what of it is meant; None: all.
            field: path of the image in the request, for errors.
            view_field: path of the view.
            volume: whether the planes of a stack are kept.

        Raises:
            InvalidRequestError: the image or the view is wrong; violations name fields of the request.
            ImageNotFoundError, QueueFullError: see there.
        """
        card = self._model.card
        # Files are resolved here: the store belongs to the event loop, decoding happens on threads.
        source = message.WhichOneof("source")
        data = self._store.get(message.sha256) if source == "sha256" else message.encoded

        def size_bytes() -> int:
            if source == "pixels":
                whole = area_px = len(message.pixels.data)  # no pixel is less than a byte
            else:
                header = codecs.read_header(data, self._limits)
                whole = math.prod(header.shape) * np.dtype(header.dtype).itemsize
                sides = zip(header.axes, header.shape, strict=True)
                area_px = math.prod(length for axis, length in sides if axis in "YX")
            return whole + 3 * area_px if self._model.kind.sees_rgb8 else whole

        def decode() -> TakenImage:
            whole = codecs.from_image_proto(message, lambda _sha256: data, self._limits)
            raw = codecs.select_view(whole, view, card.max_channel_count, volume=volume)
            taken = TakenImage(raw, raw)
            if taken.pixel_count > card.max_image_pixels:
                raise errors.ImageTooLargeError(
                    f"{' x '.join(map(str, raw.pixels.shape))} are {taken.pixel_count} pixels; "
                    f"{self._model.name} takes {card.max_image_pixels}"
                )
            if not self._model.kind.sees_rgb8:
                return taken
            rendering = render_rgb8(raw, view)
            return TakenImage(raw, rendering.image, rendering.intensity_ranges)

        try:
            place.hold(await self.off_loop(size_bytes))
            return await self.off_loop(decode)
        except errors.InvalidRequestError as error:
            if field == "image":
                raise
            raise moved(error, field, view_field) from error
