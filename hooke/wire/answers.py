"""Answers on the wire: objects, provenance, cost, results, models."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from hooke.types import (
    ClassifyResult,
    Cost,
    CountResult,
    Instance,
    IntensityRange,
    Licences,
    ModelInfo,
    Provenance,
    RenderedImage,
    SegmentResult,
    UsedParameter,
)
from hooke.v1 import inference_service_pb2, mask_pb2, model_service_pb2, provenance_pb2
from hooke.wire.enums import MODEL_STATES, TASKS
from hooke.wire.images import (
    box_from_proto,
    box_to_proto,
    label_image_from_proto,
    pixel_size_from_proto,
    pixel_size_to_proto,
)


def provenance_to_proto(provenance: Provenance) -> provenance_pb2.Provenance:
    """The message of a provenance."""
    rendered = provenance.rendered_image
    size, box = provenance.pixel_size, provenance.info_bar_box
    return provenance_pb2.Provenance(
        model=provenance.model,
        model_version=provenance.model_version,
        weights_digest=provenance.weights_digest,
        code_version=provenance.code_version,
        image_sha256=provenance.image_sha256,
        rendered_image=provenance_pb2.RenderedImage(
            width_px=rendered.width_px,
            height_px=rendered.height_px,
            axes=rendered.axes,
            sample_type=rendered.sample_type,
            intensity_ranges=[
                provenance_pb2.IntensityRange(low=used.low, high=used.high)
                for used in rendered.intensity_ranges
            ],
        ),
        parameters=[_parameter_to_proto(parameter) for parameter in provenance.parameters],
        pixel_size=None if size is None else pixel_size_to_proto(size),
        info_bar_box=None if box is None else box_to_proto(box),
    )


def provenance_from_proto(message: provenance_pb2.Provenance) -> Provenance:
    """A provenance."""
    rendered = message.rendered_image
    return Provenance(
        model=message.model,
        model_version=message.model_version,
        weights_digest=message.weights_digest if message.HasField("weights_digest") else None,
        code_version=message.code_version,
        image_sha256=message.image_sha256,
        rendered_image=RenderedImage(
            width_px=rendered.width_px,
            height_px=rendered.height_px,
            axes=rendered.axes,
            sample_type=rendered.sample_type,
            intensity_ranges=tuple(IntensityRange(used.low, used.high) for used in rendered.intensity_ranges),
        ),
        parameters=tuple(_parameter_from_proto(parameter) for parameter in message.parameters),
        pixel_size=(
            pixel_size_from_proto(message.pixel_size, "provenance.pixel_size")
            if message.HasField("pixel_size")
            else None
        ),
        info_bar_box=box_from_proto(message.info_bar_box) if message.HasField("info_bar_box") else None,
    )


def _parameter_to_proto(parameter: UsedParameter) -> provenance_pb2.UsedParameter:
    value = parameter.value
    message = provenance_pb2.UsedParameter(name=parameter.name, chosen_by_server=parameter.chosen_by_server)
    if isinstance(value, bool):  # before numbers: a bool is an int
        message.flag = value
    elif isinstance(value, str):
        message.text = value
    else:
        message.number = value
    return message


def _parameter_from_proto(message: provenance_pb2.UsedParameter) -> UsedParameter:
    kind = message.WhichOneof("value")
    # A kind of value that only newer servers know leaves the oneof unset.
    value: float | str | bool = "" if kind is None else getattr(message, kind)
    return UsedParameter(message.name, value, message.chosen_by_server)


def cost_to_proto(cost: Cost) -> provenance_pb2.Cost:
    """The message of a cost."""
    return provenance_pb2.Cost(
        queue_duration=_duration(cost.queue_s),
        compute_duration=_duration(cost.compute_s),
        total_duration=_duration(cost.total_s),
        batch_size=cost.batch_size,
    )


def cost_from_proto(message: provenance_pb2.Cost) -> Cost:
    """A cost."""
    return Cost(
        queue_s=message.queue_duration.ToNanoseconds() / 1e9,
        compute_s=message.compute_duration.ToNanoseconds() / 1e9,
        total_s=message.total_duration.ToNanoseconds() / 1e9,
        batch_size=message.batch_size,
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def model_info_to_proto(info: ModelInfo) -> model_service_pb2.ModelInfo:
    """The message of a model."""
    licences = info.licences
    return model_service_pb2.ModelInfo(
        name=info.name,
        version=info.version,
        description=info.description,
        tasks=sorted(TASKS.number(task) for task in info.tasks),
        state=MODEL_STATES.number(info.state),
        weights_digest=info.weights_digest,
        licences=model_service_pb2.Licences(
            code=licences.code, weights=licences.weights, training_data=licences.training_data
        ),
        max_image_pixels=info.max_image_pixels,
        score_meaning=info.score_meaning,
        device=info.device,
        max_channel_count=info.max_channel_count,
        examples_required=info.examples_required,
        code_version=info.code_version,
    )


def model_info_from_proto(message: model_service_pb2.ModelInfo) -> ModelInfo:
    """A model; tasks that this version cannot ask for are left out."""
    licences = message.licences
    return ModelInfo(
        name=message.name,
        version=message.version,
        description=message.description,
        tasks=frozenset(TASKS.member(task) for task in message.tasks if TASKS.known(task)),
        state=MODEL_STATES.member(message.state),
        weights_digest=message.weights_digest if message.HasField("weights_digest") else None,
        licences=Licences(licences.code, licences.weights, licences.training_data),
        max_image_pixels=message.max_image_pixels,
        score_meaning=message.score_meaning,
        device=message.device,
        max_channel_count=message.max_channel_count,
        examples_required=message.examples_required,
        code_version=message.code_version,
    )


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
        )
        for message in messages
    )


def segment_result_from_proto(message: inference_service_pb2.SegmentResponse) -> SegmentResult:
    """The answer to Segment.

    Raises:
        ImageUnreadableError, ImageTooLargeError: the label image is not whole.
    """
    return SegmentResult(
        instances=instances_from_proto(message.instances),
        labels=label_image_from_proto(message.label_image) if message.HasField("label_image") else None,
        provenance=provenance_from_proto(message.provenance),
        cost=cost_from_proto(message.cost),
    )


def count_result_from_proto(message: inference_service_pb2.CountResponse) -> CountResult:
    """The answer to Count.

    Raises:
        ImageUnreadableError, ImageTooLargeError: the label image is not whole.
    """
    return CountResult(
        count=message.count,
        instances=instances_from_proto(message.instances),
        labels=label_image_from_proto(message.label_image) if message.HasField("label_image") else None,
        provenance=provenance_from_proto(message.provenance),
        cost=cost_from_proto(message.cost),
    )


def classify_result_from_proto(message: inference_service_pb2.ClassifyResponse) -> ClassifyResult:
    """The answer to Classify; the probabilities keep the order of the message."""
    return ClassifyResult(
        label=message.label,
        probabilities={entry.label: entry.probability for entry in message.probabilities},
        provenance=provenance_from_proto(message.provenance),
        cost=cost_from_proto(message.cost),
    )
