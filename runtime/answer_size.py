"""Answers that are larger than a message may be."""

from __future__ import annotations

from hooke.errors import FieldViolation, InvalidRequestError
from hooke.v1 import inference_service_pb2 as pb
from runtime.settings import MIB, PREFIX


def check_size(response: pb.SegmentResponse | pb.CountResponse, model: str, max_bytes: int) -> None:
    """Check that an answer can be sent; gRPC itself would only say that something is too large.

    Args:
        response: all of it; takes some milliseconds for each MiB.
        model: that answered.
        max_bytes: most bytes of a message.

    Raises:
        InvalidRequestError: it is too large; says what of it makes it so, the limit and the way out.
    """
    size = response.ByteSize()
    if size <= max_bytes:
        return
    field, name, part = max(_parts(response, model), key=lambda found: found[2])
    share = f"{name} {part / MIB:.1f} MiB"
    raise InvalidRequestError(
        f"the answer has {size / MIB:.1f} MiB, {share} of them, and the server sends at most "
        f"{max_bytes / MIB:.1f} MiB ({PREFIX}MAX_MESSAGE_BYTES): ask without, or about a part of the image",
        violations=[FieldViolation(field, f"the answer is too large: {share}")],
    )


def _parts(response: pb.SegmentResponse | pb.CountResponse, model: str) -> list[tuple[str, str, int]]:
    """The parts of an answer: field of the request that asked for it, name for people, bytes."""
    parts = [
        ("mask_format", "the label image", response.label_image.ByteSize()),
        ("mask_format", "the objects", sum(found.ByteSize() for found in response.instances)),
    ]
    if isinstance(response, pb.SegmentResponse):
        parts += [(model, f"the array {array.name!r}", array.ByteSize()) for array in response.arrays]
    return parts
