"""Both clients and the command line against a real model service with a fake model."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hooke import AsyncClient, Client, Micrograph, PixelSize, Tls, View, codecs, errors
from hooke.types import MaskFormat, ModelState, Task
from runtime.fakes import FakeModel, serving
from runtime.service import ModelService
from tests.integration.runtime.test_security import identity

Ask = Callable[..., Awaitable[Any]]


def image(height: int = 16, width: int = 16, *, first: int = 1) -> np.ndarray[Any, Any]:
    """A dark image with one bright square of 4 x 4; the first pixel is an order for the fake."""
    pixels = np.ones((height, width), np.uint8)
    pixels[4:8, 4:8] = 200
    pixels.flat[0] = first
    return pixels


def address_of(service: ModelService) -> str:
    return f"localhost:{service.server.port}"


@pytest.fixture
async def service() -> AsyncIterator[ModelService]:
    """A model service with a fake model."""
    async with serving() as service:
        yield service


@pytest.fixture(params=["sync", "async"])
async def ask(request: pytest.FixtureRequest, service: ModelService) -> AsyncIterator[Ask]:
    """Call a method of a client of the service, of both kinds in turn."""
    async with AsyncClient(address_of(service)) as asynchronous:
        with Client(address_of(service)) as synchronous:

            async def call(method: str, *args: Any, **kwargs: Any) -> Any:
                if request.param == "async":
                    return await getattr(asynchronous, method)(*args, **kwargs)
                return await asyncio.to_thread(partial(getattr(synchronous, method), *args, **kwargs))

            yield call


# Objects come back with masks, measurements and provenance, in pixels and in micrometres.
async def test_segment(ask: Ask) -> None:
    answer = await ask("segment", image(), model="fake", pixel_size=PixelSize(0.5, 0.5))
    np.testing.assert_array_equal(answer.labels, (image() > 100).astype(np.uint16))
    (found,) = answer.instances
    assert (found.area_px, found.area_um2) == (16, 4.0)
    assert (found.centroid_x_px, found.centroid_y_px) == (5.5, 5.5)
    assert (answer.provenance.model, answer.provenance.pixel_size) == ("fake", PixelSize(0.5, 0.5))
    assert answer.cost.batch_size == 1


# Masks come in the format that was asked for; counting brings none by itself.
async def test_mask_formats(ask: Ask) -> None:
    runs = await ask("segment", image(), mask_format=MaskFormat.RLE)
    assert runs.labels is None
    assert runs.instances[0].rle
    count = await ask("count", image())
    assert (count.count, count.labels) == (1, None)
    assert (await ask("count", image(), mask_format="label_image")).labels.max() == 1


# A file, its bytes, an array and a micrograph of the same pixels give the same objects.
async def test_kinds_of_images(ask: Ask, tmp_path: Path) -> None:
    micrograph = codecs.from_array(image())
    file = tmp_path / "a.tif"
    file.write_bytes(codecs.encode(micrograph))
    for source in (file, str(file), file.read_bytes(), image(), micrograph):
        assert (await ask("count", source)).count == 1


# A stack needs to be told which plane is meant; the error says so, and the view mends it.
async def test_view(ask: Ask) -> None:
    stack = np.stack([np.ones_like(image()), image()])
    micrograph: Micrograph = codecs.from_array(stack, axes="ZYX")
    with pytest.raises(errors.InvalidRequestError) as caught:
        await ask("count", micrograph)
    assert [violation.field for violation in caught.value.violations] == ["view.z_index"]
    assert (await ask("count", micrograph, view=View(z_index=1))).count == 1
    assert (await ask("count", micrograph, view=View(z_projection="max"))).count == 1


# A large image, and a large stack of 16 bits, go by hash and give the answer of the small one.
async def test_large_images(ask: Ask, service: ModelService) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(10, 2**16, (2, 800, 900), dtype=np.uint16)
    micrograph = codecs.from_array(noise, axes="CYX", pixel_size=PixelSize(0.1, 0.2))
    answer = await ask("segment", micrograph, view=View(channel_indices=(1,)))
    np.testing.assert_array_equal(answer.labels > 0, noise[1] > noise[1].min())
    assert answer.provenance.pixel_size == PixelSize(0.1, 0.2)
    assert len(service.images) == 1
    await ask("count", micrograph, view=View(channel_indices=(0,)))
    assert len(service.images) == 1


# A store that is too small for all images forgets, and every call is answered all the same.
async def test_forgetful_store() -> None:
    rng = np.random.default_rng(0)
    files = [
        codecs.encode(codecs.from_array(rng.integers(0, 2**16, (800, 1000), dtype=np.uint16)))
        for _ in range(3)
    ]
    async with (
        serving(image_store_bytes=4 * 1024**2) as service,
        AsyncClient(address_of(service)) as client,
    ):
        for _ in range(2):
            for file in files:
                assert (await client.count(file)).count == 1
        assert len(service.images) < 3


# Classes come from the examples, which may be too large for one request.
async def test_classify(ask: Ask, service: ModelService) -> None:
    rng = np.random.default_rng(0)
    examples = [(rng.integers(0, 255, (700, 700), dtype=np.uint8), label) for label in "abc"]
    answer = await ask("classify", image(), examples=examples)
    assert answer.label == "a"
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert 1 <= len(service.images) < 3


# Models describe themselves.
async def test_models(ask: Ask) -> None:
    (model,) = await ask("models")
    assert model == await ask("model", "fake")
    assert (model.state, model.tasks) == (ModelState.READY, frozenset(Task) - {Task.ASK})
    assert await ask("serving") is True
    assert await ask("serving", "hooke.v1.InferenceService") is True
    assert await ask("serving", "hooke.v1.EvaluationService") is None


# What is wrong arrives as its own class, and the service goes on.
async def test_errors(ask: Ask) -> None:
    with pytest.raises(errors.UnknownModelError):
        await ask("count", image(), model="nobody")
    with pytest.raises(errors.ImageUnreadableError):
        await ask("count", b"no image")
    with pytest.raises(errors.InvalidRequestError) as caught:
        await ask("count", image(), expected_diameter_um=3.0)
    assert caught.value.violations[0].field == "expected_diameter_um"
    with pytest.raises(errors.InternalError) as broken:
        await ask("count", image(first=FakeModel.FAIL))
    assert "secret" not in str(broken.value)
    assert broken.value.request_id
    with pytest.raises(errors.OutOfMemoryError):
        await ask("count", image(first=FakeModel.EXHAUST))
    assert (await ask("count", image())).count == 1


# A queue that overflows pushes back, and every request is answered in the end.
async def test_full_queue() -> None:
    async with (
        serving(factory=partial(FakeModel, compute_s=0.05), max_queue=2, max_batch_size=1) as service,
        AsyncClient(address_of(service)) as client,
    ):
        answers = await asyncio.gather(*(client.count(image()) for _ in range(8)))
        assert [answer.count for answer in answers] == [1] * 8
        assert service.metrics.rejected.labels("fake", "count", "QUEUE_FULL")._value.get() > 0


# A client outlives its server: the next call waits until there is one again.
async def test_restart() -> None:
    async with serving() as first:
        port = first.server.port
        client = AsyncClient(f"localhost:{port}")
        assert (await client.count(image())).count == 1
    waiting = asyncio.create_task(client.count(image()))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    async with serving(port=port):
        assert (await waiting).count == 1
        await client.close()


# TLS and mutual TLS need nothing but the names of the files.
async def test_tls(tmp_path: Path) -> None:
    server, known, stranger = (identity(tmp_path, name) for name in ("server", "known", "stranger"))
    async with serving(
        tls_certificate_file=server.certificate,
        tls_key_file=server.key,
        tls_client_ca_file=known.certificate,
    ) as service:
        good = Tls(server.certificate, known.certificate, known.key)
        async with AsyncClient(address_of(service), tls=good) as client:
            assert (await client.count(image())).count == 1
        with Client(address_of(service), tls=good) as blocking:
            assert (await asyncio.to_thread(blocking.count, image())).count == 1
        for bad in (None, Tls(stranger.certificate, known.certificate, known.key)):
            async with AsyncClient(address_of(service), tls=bad, timeout_s=1) as client:
                with pytest.raises(errors.UnavailableError, match="hooke doctor"):
                    await client.count(image())


# Half an identity, or a file that is not there, is found before anything is sent.
def test_tls_files(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequestError, match="key_file"):
        Client(tls=Tls(certificate_file=tmp_path / "a.pem"))
    with pytest.raises(FileNotFoundError):
        Client(tls=Tls(ca_file=tmp_path / "missing.pem"))


# The command line, from a folder of images to files, against the real service.
async def test_command_line(service: ModelService, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("a", "b"):
        micrograph = codecs.from_array(image(), pixel_size=PixelSize(0.5, 0.5))
        (tmp_path / "scans" / f"{name}.tif").write_bytes(codecs.encode(micrograph))
    (tmp_path / "scans" / "broken.tif").write_bytes(b"II*\0")

    async def hooke(*arguments: str | Path) -> tuple[int | None, str, str]:
        code = "from hooke.cli import main; main()"
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, "--address", address_of(service), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await child.communicate()
        return child.returncode, out.decode(), err.decode()

    assert (await hooke("doctor"))[0] == 0
    code, out, err = await hooke("segment", tmp_path / "scans", "--out", tmp_path / "masks", "--json")
    assert code == 1
    assert "broken.tif" in err
    assert [entry.get("error", {}).get("reason") for entry in json.loads(out)] == [
        None,
        None,
        "IMAGE_UNREADABLE",
    ]
    assert codecs.read(tmp_path / "masks" / "a_labels.tif").pixel_size is not None
    rows = (tmp_path / "masks" / "b_objects.csv").read_text().splitlines()
    assert rows[1].startswith("1,16,4.0,")
    code, out, _ = await hooke("count", tmp_path / "scans" / "a.tif", "--diameter-um", "2")
    assert code == 0
    assert "1" in out
