"""Answers that are larger than the server may send."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hooke import codecs
from hooke.aio import AsyncClient
from hooke.errors import InvalidRequestError
from runtime.fakes import FakeModel, serving
from runtime.settings import MIB
from runtime.tasks import Segmentation, SegmentTask

NOISE = np.random.default_rng(0)


class Generous(FakeModel):
    """Answers with noise: as an array, or for images of 1,000 rows as labels."""

    def segment(self, tasks: Sequence[SegmentTask]) -> Sequence[Segmentation]:
        return [self._answer(task) for task in tasks]

    def _answer(self, task: SegmentTask) -> Segmentation:
        height, width = task.image.pixels.shape
        if height < 1000:
            return Segmentation(
                np.zeros((height, width), np.uint16),
                arrays={"flows": NOISE.random((2 * MIB // 4,)).astype(np.float32)},
            )
        labels = NOISE.integers(1, 5, (height, width), np.uint16)
        return Segmentation(labels)


# What makes the answer too large is named with its size and the limit; the next caller is served.
async def test_what_is_too_large_is_named() -> None:
    async with (
        serving(factory=Generous, max_message_bytes=MIB) as service,
        AsyncClient(f"127.0.0.1:{service.server.port}") as client,
    ):
        small = codecs.from_array(np.zeros((8, 8), np.uint8))
        with pytest.raises(
            InvalidRequestError, match=r"the array 'flows' 1\.[0-9] MiB.*MAX_MESSAGE_BYTES"
        ) as caught:
            await client.segment(small)
        assert [violation.field for violation in caught.value.violations] == ["fake"]
        large = codecs.from_array(np.zeros((1000, 4600), np.uint8))
        with pytest.raises(InvalidRequestError, match="the label image") as caught:
            await client.segment(large)
        assert [violation.field for violation in caught.value.violations] == ["mask_format"]
        assert (await client.count(small)).count == 0
