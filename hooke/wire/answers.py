"""Answers on the wire: objects, what was written, results."""

from __future__ import annotations

from collections.abc import Iterable

from hooke.types import (
    AskResult,
    ClassifyResult,
    CountResult,
    Extent,
    Instance,
    SegmentResult,
    WrittenAnswer,
)
from hooke.v1 import conversation_pb2, inference_service_pb2, mask_pb2
from hooke.wire.arrays import arrays_from_proto
from hooke.wire.enums import ANSWER_OUTCOMES, FINISH_REASONS
from hooke.wire.images import box_from_proto, box_to_proto, label_image_from_proto
from hooke.wire.provenance import cost_from_proto, provenance_from_proto


def instances_to_proto(
    instances: Iterable[Instance], *, width_px: int, height_px: int
) -> list[mask_pb2.Instance]:
    """The messages of objects; the size is that of the image, which run-length masks carry."""
    return [
        mask_pb2.Instance(
            label=found.label,
            bounding_box=box_to_proto(found.bounding_box),
            score=found.score,
            area_px=found.area_px,
            area_um2=found.area_um2,
            centroid_x_px=found.centroid_x_px,
            centroid_y_px=found.centroid_y_px,
            equivalent_diameter_px=found.equivalent_diameter_px,
            equivalent_diameter_um=found.equivalent_diameter_um,
            touches_border=found.touches_border,
            mean_intensity=found.mean_intensity,
            rle=(
                None
                if found.rle is None
                else mask_pb2.RleMask(width_px=width_px, height_px=height_px, counts=found.rle)
            ),
            extent=None if found.extent is None else _extent_to_proto(found.extent),
        )
        for found in instances
    ]


def instances_from_proto(messages: Iterable[mask_pb2.Instance]) -> tuple[Instance, ...]:
    """Objects, in the order of the messages."""
    return tuple(
        Instance(
            label=message.label,
            bounding_box=box_from_proto(message.bounding_box),
            score=message.score if message.HasField("score") else None,
            area_px=message.area_px,
            area_um2=message.area_um2 if message.HasField("area_um2") else None,
            centroid_x_px=message.centroid_x_px,
            centroid_y_px=message.centroid_y_px,
            equivalent_diameter_px=message.equivalent_diameter_px,
            equivalent_diameter_um=(
                message.equivalent_diameter_um if message.HasField("equivalent_diameter_um") else None
            ),
            touches_border=message.touches_border,
            mean_intensity=message.mean_intensity,
            rle=message.rle.counts if message.HasField("rle") else None,
            extent=_extent_from_proto(message.extent) if message.HasField("extent") else None,
        )
        for message in messages
    )


def _extent_to_proto(extent: Extent) -> mask_pb2.Extent:
    return mask_pb2.Extent(
        voxel_count=extent.voxel_count,
        volume_um3=extent.volume_um3,
        first_plane_index=extent.first_plane_index,
        plane_count=extent.plane_count,
        centroid_z=extent.centroid_z,
    )


def _extent_from_proto(message: mask_pb2.Extent) -> Extent:
    return Extent(
        voxel_count=message.voxel_count,
        volume_um3=message.volume_um3 if message.HasField("volume_um3") else None,
        first_plane_index=message.first_plane_index,
        plane_count=message.plane_count,
        centroid_z=message.centroid_z,
    )


def written_to_proto(written: WrittenAnswer) -> conversation_pb2.WrittenAnswer:
    """The message of what a model wrote."""
    return conversation_pb2.WrittenAnswer(
        text=written.text,
        finish_reason=FINISH_REASONS.number(written.finish_reason),
        stated_confidence=written.stated_confidence,
        unparsed_reason=written.unparsed_reason,
    )


def written_from_proto(message: conversation_pb2.WrittenAnswer) -> WrittenAnswer:
    """What a model wrote."""
    return WrittenAnswer(
        text=message.text,
        finish_reason=FINISH_REASONS.member(message.finish_reason),
        stated_confidence=message.stated_confidence if message.HasField("stated_confidence") else None,
        unparsed_reason=message.unparsed_reason,
    )


def segment_result_from_proto(message: inference_service_pb2.SegmentResponse) -> SegmentResult:
    """The answer to Segment.

    Raises:
        ImageUnreadableError, ImageTooLargeError: the label image or an array is not whole.
    """
    return SegmentResult(
        instances=instances_from_proto(message.instances),
        labels=label_image_from_proto(message.label_image) if message.HasField("label_image") else None,
        provenance=provenance_from_proto(message.provenance),
        cost=cost_from_proto(message.cost),
        arrays=arrays_from_proto(message.arrays),
    )


def count_result_from_proto(message: inference_service_pb2.CountResponse) -> CountResult:
    """The answer to Count.

    Raises:
        ImageUnreadableError, ImageTooLargeError: the label image is not whole.
    """
    return CountResult(
        count=message.count if message.HasField("count") else None,
        instances=instances_from_proto(message.instances),
        labels=label_image_from_proto(message.label_image) if message.HasField("label_image") else None,
        provenance=provenance_from_proto(message.provenance),
        cost=cost_from_proto(message.cost),
        outcome=ANSWER_OUTCOMES.member(message.answer_outcome),
        written=written_from_proto(message.written_answer) if message.HasField("written_answer") else None,
    )


def classify_result_from_proto(message: inference_service_pb2.ClassifyResponse) -> ClassifyResult:
    """The answer to Classify; the probabilities keep the order of the message."""
    return ClassifyResult(
        label=message.label or None,
        probabilities={entry.label: entry.probability for entry in message.probabilities},
        provenance=provenance_from_proto(message.provenance),
        cost=cost_from_proto(message.cost),
        outcome=ANSWER_OUTCOMES.member(message.answer_outcome),
        written=written_from_proto(message.written_answer) if message.HasField("written_answer") else None,
    )


def ask_result_from_proto(message: inference_service_pb2.AskResponse) -> AskResult:
    """The answer to Ask."""
    return _ask_result(message.text, message)


def ask_result_from_end(text: str, message: inference_service_pb2.AskEnd) -> AskResult:
    """The answer to StreamAsk, from the pieces of its text put together and the end of the stream."""
    return _ask_result(text, message)


def _ask_result(
    text: str, message: inference_service_pb2.AskResponse | inference_service_pb2.AskEnd
) -> AskResult:
    return AskResult(
        text=text,
        finish_reason=FINISH_REASONS.member(message.finish_reason),
        provenance=provenance_from_proto(message.provenance),
        cost=cost_from_proto(message.cost),
    )
