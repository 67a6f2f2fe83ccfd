"""Requests as the servicer reads them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hooke.types import MaskFormat
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import mask_pb2
from runtime.fakes import FakeModel
from runtime.requests import ObjectRequest, read_object_request
from runtime.tasks import Counter, CountTask, ObjectCount


class Both(FakeModel, Counter):
    """Finds objects, and counts without finding them."""

    def count(self, tasks: Sequence[CountTask]) -> Sequence[ObjectCount]:
        raise NotImplementedError


# A model that finds objects gives masks in the form that is asked for, unless it counts in another way.
@pytest.mark.parametrize(
    ("request_type", "kind", "unused"),
    [
        (pb.SegmentRequest, FakeModel, ()),
        (pb.CountRequest, FakeModel, ()),
        (pb.SegmentRequest, Both, ()),
        (pb.CountRequest, Both, ("mask_format",)),
    ],
)
def test_unused_masks(
    request_type: type[ObjectRequest], kind: type[FakeModel], unused: tuple[str, ...]
) -> None:
    request = request_type(model=kind.name, mask_format=mask_pb2.MASK_FORMAT_RLE)
    request.image.encoded = b"an image"
    assert read_object_request(request, kind, MaskFormat.NONE).unused == unused
