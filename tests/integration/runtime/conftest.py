"""Fixtures of the tests of servers."""

from __future__ import annotations

import pytest

from hooke.v1 import inference_service_pb2 as pb
from tests.raw_images import raw_image


@pytest.fixture
def segment_request() -> pb.SegmentRequest:
    return pb.SegmentRequest(image=raw_image())
