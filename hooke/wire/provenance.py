"""Provenance and cost on the wire."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from hooke.types import (
    Cost,
    IntensityRange,
    Provenance,
    RenderedImage,
    SourceImage,
    TokenUsage,
    UsedParameter,
)
from hooke.v1 import provenance_pb2
from hooke.wire.images import box_from_proto, box_to_proto, pixel_size_from_proto, pixel_size_to_proto


def provenance_to_proto(provenance: Provenance) -> provenance_pb2.Provenance:
    """The message of a provenance."""
    size, box = provenance.pixel_size, provenance.info_bar_box
    return provenance_pb2.Provenance(
        model=provenance.model,
        model_version=provenance.model_version,
        weights_digest=provenance.weights_digest,
        code_version=provenance.code_version,
        image_sha256=provenance.image_sha256,
        rendered_image=_rendered_to_proto(provenance.rendered_image),
        parameters=[_parameter_to_proto(parameter) for parameter in provenance.parameters],
        pixel_size=None if size is None else pixel_size_to_proto(size),
        info_bar_box=None if box is None else box_to_proto(box),
        images=[
            provenance_pb2.SourceImage(
                image_sha256=image.sha256, rendered_image=_rendered_to_proto(image.rendered_image)
            )
            for image in provenance.images
        ],
        prompt_version=provenance.prompt_version,
        prompt_sha256=provenance.prompt_sha256,
        unused_fields=provenance.unused_fields,
    )


def provenance_from_proto(message: provenance_pb2.Provenance) -> Provenance:
    """A provenance."""
    return Provenance(
        model=message.model,
        model_version=message.model_version,
        weights_digest=message.weights_digest if message.HasField("weights_digest") else None,
        code_version=message.code_version,
        image_sha256=message.image_sha256,
        rendered_image=_rendered_from_proto(message.rendered_image),
        parameters=tuple(_parameter_from_proto(parameter) for parameter in message.parameters),
        pixel_size=(
            pixel_size_from_proto(message.pixel_size, "provenance.pixel_size")
            if message.HasField("pixel_size")
            else None
        ),
        info_bar_box=box_from_proto(message.info_bar_box) if message.HasField("info_bar_box") else None,
        images=tuple(
            SourceImage(image.image_sha256, _rendered_from_proto(image.rendered_image))
            for image in message.images
        ),
        prompt_version=message.prompt_version,
        prompt_sha256=message.prompt_sha256,
        unused_fields=tuple(message.unused_fields),
    )


def _rendered_to_proto(rendered: RenderedImage) -> provenance_pb2.RenderedImage:
    return provenance_pb2.RenderedImage(
        width_px=rendered.width_px,
        height_px=rendered.height_px,
        axes=rendered.axes,
        sample_type=rendered.sample_type,
        intensity_ranges=[
            provenance_pb2.IntensityRange(low=used.low, high=used.high) for used in rendered.intensity_ranges
        ],
        media_type=rendered.media_type,
    )


def _rendered_from_proto(message: provenance_pb2.RenderedImage) -> RenderedImage:
    return RenderedImage(
        width_px=message.width_px,
        height_px=message.height_px,
        axes=message.axes,
        sample_type=message.sample_type,
        intensity_ranges=tuple(IntensityRange(used.low, used.high) for used in message.intensity_ranges),
        media_type=message.media_type,
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
        token_usage=None if cost.token_usage is None else _usage_to_proto(cost.token_usage),
    )


def cost_from_proto(message: provenance_pb2.Cost) -> Cost:
    """A cost."""
    return Cost(
        queue_s=message.queue_duration.ToNanoseconds() / 1e9,
        compute_s=message.compute_duration.ToNanoseconds() / 1e9,
        total_s=message.total_duration.ToNanoseconds() / 1e9,
        batch_size=message.batch_size,
        token_usage=_usage_from_proto(message.token_usage) if message.HasField("token_usage") else None,
    )


def _usage_to_proto(usage: TokenUsage) -> provenance_pb2.TokenUsage:
    return provenance_pb2.TokenUsage(
        input_token_count=usage.input_token_count,
        cached_input_token_count=usage.cached_input_token_count,
        output_token_count=usage.output_token_count,
        cost_micro_usd=usage.cost_micro_usd,
        price_missing=usage.price_missing,
        price_list_date=usage.price_list_date,
    )


def _usage_from_proto(message: provenance_pb2.TokenUsage) -> TokenUsage:
    return TokenUsage(
        input_token_count=message.input_token_count,
        cached_input_token_count=message.cached_input_token_count,
        output_token_count=message.output_token_count,
        cost_micro_usd=message.cost_micro_usd if message.HasField("cost_micro_usd") else None,
        price_missing=message.price_missing,
        price_list_date=message.price_list_date,
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
