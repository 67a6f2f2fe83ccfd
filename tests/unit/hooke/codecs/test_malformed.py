"""Damaged and lying files: always one of four errors, in little memory, in silence."""

from __future__ import annotations

import hashlib
import logging
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile

from hooke import codecs
from hooke.errors import (
    HookeError,
    ImageTooLargeError,
    ImageUnreadableError,
    InvalidRequestError,
    UnsupportedPixelTypeError,
)
from hooke.images import ImageHeader
from tests.malformed import lies, malformed_images
from tests.sample_files import scene, tiff

LIES = lies()
MALFORMED = list(malformed_images(seed=20, count=450))
FAULTS = (ImageUnreadableError, ImageTooLargeError, UnsupportedPixelTypeError)
_SPARE_MEMORY = 64 * 1024**2


def outcome(read: Callable[[bytes], Any], data: bytes) -> Any:
    """What reading gives: a value or the error; anything but an error of Hooke fails the test."""
    try:
        return read(data)
    except HookeError as error:
        return error


# Files that lie are refused, with a message for a person.
@pytest.mark.parametrize(("name", "data"), LIES, ids=[name for name, _ in LIES])
def test_lies_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        codecs.decode(data)
    assert isinstance(caught.value, FAULTS) or caught.value.violations
    assert 10 < len(caught.value.message) < 600


# Damaged files are refused or read; what is read is whole, and the same the second time: no stale memory.
@pytest.mark.parametrize(("name", "data"), MALFORMED, ids=range(len(MALFORMED)))
def test_damaged_files(name: str, data: bytes) -> None:
    image = outcome(codecs.decode, data)
    if isinstance(image, HookeError):
        assert isinstance(image, FAULTS) or (isinstance(image, InvalidRequestError) and image.violations)
        return
    assert "cut to" not in name
    assert image.pixels.size > 0
    assert np.isfinite(image.pixels).all()
    assert len(image.axes) == image.pixels.ndim
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert codecs.decode(data).pixels.tobytes() == image.pixels.tobytes()


# A header is read or refused without decoding, whatever the file.
def test_headers_of_damaged_files() -> None:
    headers = [outcome(codecs.read_header, data) for _, data in MALFORMED]
    read = [header for header in headers if isinstance(header, ImageHeader)]
    assert all(min(header.shape) > 0 and len(header.shape) == len(header.axes) for header in read)
    refused = [header for header in headers if isinstance(header, HookeError)]
    assert all(isinstance(error, FAULTS) for error in refused)
    assert len(refused) > 200


# No file takes more than a little memory beyond what its size and the limits allow.
def test_lies_take_no_memory() -> None:
    for name, data in LIES:
        tracemalloc.start()
        try:
            with pytest.raises(HookeError):
                codecs.decode(data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < _SPARE_MEMORY, name


# Nothing is logged or printed about a bad file, while tifffile's log still works for those who use it.
def test_silence(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    for _, data in MALFORMED:
        outcome(codecs.decode, data)
    assert [record for record in caplog.records if record.name == "tifffile"] == []
    assert capfd.readouterr() == ("", "")
    tifffile.logger().warning("for those who use it")
    assert "for those who use it" in caplog.text


# Every file that is cut off is refused, wherever it was cut.
@pytest.mark.parametrize("keep", [0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_cut_off_files(keep: float) -> None:
    samples = scene("uint16")
    for compression in (None, "zlib", "lzw"):
        data = tiff(samples, compression=compression, rowsperstrip=4)
        with pytest.raises(ImageUnreadableError):
            codecs.decode(data[: int(len(data) * keep)])


# The generator gives the same files for the same seed, and others for another.
def test_malformed_images_come_from_the_seed() -> None:
    first, again = list(malformed_images(1, 60)), list(malformed_images(1, 60))
    other = list(malformed_images(2, 60))
    assert first == again
    assert len(first) == 60
    assert [data for _, data in first] != [data for _, data in other]
