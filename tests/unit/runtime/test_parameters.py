"""A model's own parameters, read from their message."""

from __future__ import annotations

import zlib
from typing import Any

from hooke.errors import FieldViolation
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import mask_pb2, parameters_pb2
from runtime.checks import Checks
from runtime.fakes import FakeModel
from runtime.parameters import read_parameters
from runtime.tasks import Parameters


class _Anything(Parameters):
    prompts: Any = None


class _Model(FakeModel):
    name = "sam"
    parameters_type = _Anything


def _violations(request: pb.SegmentRequest) -> list[FieldViolation]:
    checks = Checks()
    read_parameters(checks, request, _Model)
    return checks.violations


# An array that would be unpacked to more than parameters need is refused by its shape alone.
def test_an_array_that_grows() -> None:
    array = mask_pb2.Array(shape=[1, 1025, 1024], data=zlib.compress(bytes(4 * 1025 * 1024)))
    request = pb.SegmentRequest(sam={"prompts": {"mask_logits": array}})
    (violation,) = _violations(request)
    assert violation.field == "sam.prompts.mask_logits"
    assert "1048576" in violation.description


# A list that is too long is refused before its entries are looked at.
def test_an_endless_list() -> None:
    prompts = parameters_pb2.SamPrompts(points=[parameters_pb2.SamPoint()] * 4097)
    request = pb.SegmentRequest(sam={"prompts": prompts})
    (violation,) = _violations(request)
    assert violation.field == "sam.prompts.points"
    assert "4,097" in violation.description
