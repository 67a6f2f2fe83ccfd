"""What leaves for the provider: the pixels of the view and the words, nothing that stood around them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hooke.images import View
from tests.fakes.openai import KEY, FakeOpenai, images_of
from tests.integration.services.openai.proxy import asking

SECRET = "patient-4711"


def grey(size: int = 64) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, (size, size), np.uint8)


def png_with_text(folder: Path) -> Path:
    text = PngInfo()
    text.add_text("Description", SECRET)
    text.add_itxt("Author", SECRET)
    exif = Image.Exif()
    exif[0x010E] = SECRET
    path = folder / "image.png"
    Image.fromarray(grey()).save(path, pnginfo=text, exif=exif, dpi=(300, 300))
    return path


def jpeg_with_exif(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x010E] = SECRET
    path = folder / "image.jpg"
    Image.fromarray(grey()).save(path, exif=exif, comment=SECRET.encode())
    return path


def tiff_with_tags(folder: Path) -> Path:
    path = folder / "image.tif"
    tags = [(65000, 2, len(SECRET), SECRET, True)]
    tifffile.imwrite(path, grey(), description=SECRET, software=SECRET, extratags=tags)
    return path


def ome_tiff(folder: Path) -> Path:
    path = folder / "image.ome.tif"
    metadata = {"axes": "CYX", "Name": SECRET, "Channel": {"Name": [SECRET, "DAPI"]}}
    tifffile.imwrite(path, np.stack([grey(), grey()]), metadata=metadata)
    return path


# Whatever stood beside the pixels stays here: text of PNG, EXIF and comments of JPEG, tags of TIFF, OME-XML
# and names of channels. Each file is made anew, as PNG without any chunk but header, data and end.
@pytest.mark.parametrize("make", [png_with_text, jpeg_with_exif, tiff_with_tags, ome_tiff])
async def test_no_metadata(fake: FakeOpenai, api: str, tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    view = View(channel_indices=(0,)) if "ome" in path.name else None
    async with asking(fake, openai_api=api) as client:
        await client.ask(path, "What is this?", view=view)
    (asked,) = fake.asked
    ((kind, data),) = images_of(asked)
    assert kind == "image/png"
    assert data.startswith(b"\x89PNG")
    picture = Image.open(io.BytesIO(data))
    assert not picture.info
    assert not picture.getexif()
    for part in (data, asked.body, str(asked.headers).encode()):
        assert SECRET.encode() not in part
        assert path.name.encode() not in part


# An image that is too large as a PNG goes as a JPEG without EXIF; TIFF never leaves.
async def test_large_images_are_jpeg(
    fake: FakeOpenai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.openai.model.MAX_IMAGE_BYTES", 200_000)
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, grey(512), description=SECRET)
    async with asking(fake) as client:
        answer = await client.ask(path, "What is this?")
    ((kind, data),) = images_of(fake.asked[0])
    assert kind == "image/jpeg"
    assert answer.provenance.rendered_image.media_type == "image/jpeg; quality=92"
    assert len(data) <= 200_000
    assert not Image.open(io.BytesIO(data)).getexif()
    assert SECRET.encode() not in data


# The key stands in its header and nowhere else, and nothing else of this machine's settings does.
async def test_the_key_is_in_its_header_only(
    fake: FakeOpenai, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-somebody")
    async with asking(fake, openai_api=api) as client:
        await client.count(grey())
    (asked,) = fake.asked
    others = {name: value for name, value in asked.headers.items() if name != "authorization"}
    assert KEY not in str(others)
    assert KEY.encode() not in asked.body
    assert KEY not in asked.path
    assert "of-somebody" not in str(asked.headers)
