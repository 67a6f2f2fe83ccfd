"""Requests from what a user hands in; nothing here talks to a server."""

from __future__ import annotations

import enum
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from hooke import wire
from hooke.errors import InvalidRequestError
from hooke.images import Micrograph, PixelSize, View
from hooke.types import ClassicalParameters, MaskFormat
from hooke.v1 import image_pb2, image_service_pb2, inference_service_pb2, parameters_pb2

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[Any] | Micrograph
"""A path, the bytes of a file, a two-dimensional array, or a decoded micrograph."""

E = TypeVar("E", bound=enum.StrEnum)

INLINE_BYTES = 1024**2
"""Images of one request that are larger than this together are put first, and referred to by hash."""
CHUNK_BYTES = 512 * 1024

_POLARITIES = {
    "bright_on_dark": parameters_pb2.Polarity.POLARITY_BRIGHT_ON_DARK,
    "dark_on_bright": parameters_pb2.Polarity.POLARITY_DARK_ON_BRIGHT,
}


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


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a model, with the files that the server must hold to answer it."""

    request: Message
    uploads: tuple[Upload, ...]


@dataclass(frozen=True, slots=True)
class ObjectOptions:
    """What a request to segment or to count says beside the image; see `Client.segment`."""

    model: str
    expected_diameter_px: float | None
    expected_diameter_um: float | None
    mask_format: MaskFormat | str
    view: View | None
    parameters: ClassicalParameters | None
    pixel_size: PixelSize | None


def objects_question(
    request_type: type[inference_service_pb2.SegmentRequest | inference_service_pb2.CountRequest],
    image: ImageSource,
    options: ObjectOptions,
) -> Question:
    """Build a request to segment or to count."""
    if options.expected_diameter_px is not None and options.expected_diameter_um is not None:
        raise InvalidRequestError.of_field(
            "expected_diameter_um", "give the diameter in pixels or in micrometres, not both"
        )
    (carried,), uploads = _carry([image], options.pixel_size)
    request = request_type(
        model=checked_model(options.model),
        image=carried,
        expected_diameter_px=options.expected_diameter_px,
        expected_diameter_um=options.expected_diameter_um,
        mask_format=wire.MASK_FORMATS.number(checked_member(MaskFormat, options.mask_format, "mask_format")),
        view=None if options.view is None else wire.view_to_proto(options.view),
        classical=None if options.parameters is None else _classical(options.parameters),
    )
    return Question(request, uploads)


def classify_question(
    image: ImageSource,
    *,
    model: str,
    labels: Sequence[str],
    examples: Iterable[tuple[ImageSource, str]],
    view: View | None,
) -> Question:
    """Build a request to classify."""
    if isinstance(labels, str):
        raise InvalidRequestError.of_field("labels", f"give a list of labels, not the text {labels!r}")
    examples = list(examples)
    (carried, *example_images), uploads = _carry([image, *(source for source, _ in examples)], None)
    request = inference_service_pb2.ClassifyRequest(
        model=checked_model(model),
        image=carried,
        labels=labels,
        examples=[
            inference_service_pb2.ClassExample(image=example, label=label)
            for example, (_, label) in zip(example_images, examples, strict=True)
        ],
        view=None if view is None else wire.view_to_proto(view),
    )
    return Question(request, uploads)


def upload_of(image: ImageSource) -> Upload:
    """Return an image as a file with its hash."""
    data = _Loaded.of(image).encode()
    return Upload(hashlib.sha256(data).hexdigest(), data)


def checked_model(model: str) -> str:
    """Return a name that can travel as metadata. Raises InvalidRequestError where it cannot."""
    if not (model.isascii() and model.isprintable() and model == model.strip()):
        raise InvalidRequestError.of_field(
            "model", f"{model!r} is no name of a model; `hooke models` lists them"
        )
    return model


def checked_member(members: type[E], value: E | str, field: str) -> E:
    """Return the member of an enum. Raises InvalidRequestError where there is none of this value."""
    try:
        return members(value)
    except ValueError:
        raise InvalidRequestError.of_field(
            field, f"{value!r} is unknown; known are {', '.join(members)}"
        ) from None


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

    def message(self, pixel_size: PixelSize | None) -> image_pb2.Image:
        """Return the image as it travels inside a request: as a file where there is one by now."""
        if self._file or self._micrograph is None:
            return self._described(image_pb2.Image(encoded=self._file), pixel_size)
        pixels = _pixels(self._micrograph.pixels)
        return self._described(image_pb2.Image(pixels=pixels, axes=self._micrograph.axes), pixel_size)

    def message_by_hash(self, pixel_size: PixelSize | None, sha256: str) -> image_pb2.Image:
        """Return the image as it travels once its file was put."""
        return self._described(image_pb2.Image(sha256=sha256), pixel_size)

    def _described(self, image: image_pb2.Image, pixel_size: PixelSize | None) -> image_pb2.Image:
        if self._micrograph is not None:
            # No axes: a file has its own, whose order may be another.
            image.channel_names.extend(self._micrograph.channel_names)
            image.bit_depth = self._micrograph.bit_depth
            pixel_size = pixel_size or self._micrograph.pixel_size
        if pixel_size is not None:
            image.pixel_size.CopyFrom(wire.pixel_size_to_proto(pixel_size))
        return image


def _carry(
    sources: Sequence[ImageSource], pixel_size: PixelSize | None
) -> tuple[list[image_pb2.Image], tuple[Upload, ...]]:
    """Decide how each image travels: in the message while all fit, else the largest ones by hash."""
    images = [_Loaded.of(source) for source in sources]
    if sum(image.size_bytes for image in images) <= INLINE_BYTES:
        return [image.message(pixel_size) for image in images], ()
    files = [image.encode() for image in images]
    hashes = [hashlib.sha256(file).hexdigest() for file in files]
    inline_bytes = sum(map(len, files))
    uploads: dict[str, Upload] = {}
    for sha256, file in sorted(zip(hashes, files, strict=True), key=lambda pair: len(pair[1]), reverse=True):
        if inline_bytes > INLINE_BYTES or sha256 in uploads:
            uploads[sha256] = Upload(sha256, file)
            inline_bytes -= len(file)
    messages = [
        image.message_by_hash(pixel_size, sha256) if sha256 in uploads else image.message(pixel_size)
        for image, sha256 in zip(images, hashes, strict=True)
    ]
    return messages, tuple(uploads.values())


def _pixels(samples: NDArray[Any]) -> image_pb2.Pixels:
    little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    pixel_type = next((number for number, dtype in wire.DTYPES.items() if dtype == little.dtype), None)
    if pixel_type is None:
        raise InvalidRequestError.of_field("image", f"samples of type {samples.dtype} cannot be sent")
    pixels: Any = image_pb2.Pixels(data=little.tobytes(), shape=samples.shape)
    pixels.pixel_type = pixel_type
    return pixels  # type: ignore[no-any-return]


def _classical(parameters: ClassicalParameters) -> parameters_pb2.ClassicalParameters:
    if parameters.polarity is not None and parameters.polarity not in _POLARITIES:
        raise InvalidRequestError.of_field(
            "classical.polarity", f"{parameters.polarity!r} is unknown; known are {', '.join(_POLARITIES)}"
        )
    values: dict[str, Any] = asdict(parameters)
    values["polarity"] = None if parameters.polarity is None else _POLARITIES[parameters.polarity]
    return parameters_pb2.ClassicalParameters(**values)
