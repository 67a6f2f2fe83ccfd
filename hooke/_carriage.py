"""How images travel: inside a request while they are small, else put first and referred to by hash."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke import wire
from hooke.errors import InvalidRequestError
from hooke.images import ImageSource, Micrograph
from hooke.v1 import image_pb2, image_service_pb2

INLINE_BYTES = 1024**2
"""Images of one request that are larger than this together are put first, and referred to by hash."""
CHUNK_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be put before a request can refer to it."""

    sha256: str
    data: bytes

    def messages(self) -> Iterator[image_service_pb2.PutImageRequest]:
        """The messages of PutImage: the header, then the chunks."""
        header = image_service_pb2.ImageHeader(sha256=self.sha256, size_bytes=len(self.data))
        yield image_service_pb2.PutImageRequest(header=header)
        view = memoryview(self.data)
        for start in range(0, len(view), CHUNK_BYTES):
            yield image_service_pb2.PutImageRequest(chunk=bytes(view[start : start + CHUNK_BYTES]))


def at_hand(sources: Sequence[ImageSource]) -> bool:
    """True if the images are files in memory that fit into a message: nothing is read, encoded or hashed."""
    sizes = [len(source) if isinstance(source, bytes) else math.inf for source in sources]
    return sum(sizes) <= INLINE_BYTES


def upload_of(image: ImageSource) -> Upload:
    """Return an image as a file with its hash."""
    data = _Loaded.of(image).encode()
    return Upload(hashlib.sha256(data).hexdigest(), data)


def carry(sources: Sequence[ImageSource]) -> tuple[list[image_pb2.Image], tuple[Upload, ...]]:
    """Decide how each image travels: in the message while all fit, else the largest ones by hash."""
    images = [_Loaded.of(source) for source in sources]
    if sum(image.size_bytes for image in images) <= INLINE_BYTES:
        return [image.message() for image in images], ()
    files = [image.encode() for image in images]
    hashes = [hashlib.sha256(file).hexdigest() for file in files]
    inline_bytes = sum(map(len, files))
    uploads: dict[str, Upload] = {}
    for sha256, file in sorted(zip(hashes, files, strict=True), key=lambda pair: len(pair[1]), reverse=True):
        if inline_bytes > INLINE_BYTES or sha256 in uploads:
            uploads[sha256] = Upload(sha256, file)
            inline_bytes -= len(file)
    messages = [
        image.message_by_hash(sha256) if sha256 in uploads else image.message()
        for image, sha256 in zip(images, hashes, strict=True)
    ]
    return messages, tuple(uploads.values())


class _Loaded:
    """An image in one of its two forms: samples, or a file."""

    def __init__(self, micrograph: Micrograph | None, file: bytes) -> None:
        self._micrograph = micrograph
        self._file = file

    @classmethod
    def of(cls, source: ImageSource) -> _Loaded:
        if isinstance(source, Micrograph):
            return cls(source, b"")
        if isinstance(source, bytes | bytearray | memoryview):
            return cls(None, bytes(source))
        if isinstance(source, np.ndarray):
            from hooke import codecs  # noqa: PLC0415  (see `encode`)

            return cls(codecs.from_array(source), b"")
        if isinstance(source, str | os.PathLike):
            return cls(None, Path(source).read_bytes())
        raise TypeError(
            "an image is a path, the bytes of a file, a NumPy array or a Micrograph, "
            f"not {type(source).__name__}"
        )

    @property
    def size_bytes(self) -> int:
        return len(self._file) if self._micrograph is None else int(self._micrograph.pixels.nbytes)

    def encode(self) -> bytes:
        """Return the file, made from the samples the first time."""
        if self._micrograph is not None and not self._file:
            from hooke import codecs  # noqa: PLC0415  (the image libraries, which files do without)

            self._file = codecs.encode(self._micrograph)
        return self._file

    def message(self) -> image_pb2.Image:
        """Return the image as it travels inside a request: as a file where there is one by now."""
        if self._file or self._micrograph is None:
            return self._described(image_pb2.Image(encoded=self._file))
        pixels = _pixels(self._micrograph.pixels)
        return self._described(image_pb2.Image(pixels=pixels, axes=self._micrograph.axes))

    def message_by_hash(self, sha256: str) -> image_pb2.Image:
        """Return the image as it travels once its file was put."""
        return self._described(image_pb2.Image(sha256=sha256))

    def _described(self, image: image_pb2.Image) -> image_pb2.Image:
        if self._micrograph is not None:
            # No axes: a file has its own, whose order may be another.
            image.channel_names.extend(self._micrograph.channel_names)
            image.bit_depth = self._micrograph.bit_depth
            if self._micrograph.pixel_size is not None:
                image.pixel_size.CopyFrom(wire.pixel_size_to_proto(self._micrograph.pixel_size))
        return image


def _pixels(samples: NDArray[Any]) -> image_pb2.Pixels:
    little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    pixel_type = next((number for number, dtype in wire.DTYPES.items() if dtype == little.dtype), None)
    if pixel_type is None:
        raise InvalidRequestError.of_field("image", f"samples of type {samples.dtype} cannot be sent")
    pixels: Any = image_pb2.Pixels(data=little.tobytes(), shape=samples.shape)
    pixels.pixel_type = pixel_type
    return pixels  # type: ignore[no-any-return]
