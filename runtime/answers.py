"""From what a model answers to the messages of the wire."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hooke import masks, wire
from hooke.images import Micrograph
from hooke.types import (
    AnswerOutcome,
    Box,
    Cost,
    FinishReason,
    Instance,
    IntensityRange,
    MaskFormat,
    Provenance,
    SourceImage,
    TokenUsage,
    UsedParameter,
    WrittenAnswer,
)
from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import mask_pb2, provenance_pb2
from runtime.hosting import CODE_VERSION, HostedModel
from runtime.intake import TakenImage
from runtime.prompting import Asked, Reading
from runtime.scheduler import Computed
from runtime.tasks import Answer, Classification, LabelScores, ObjectCount, Segmentation


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where an answer comes from and since when it was waited for.

    Attributes:
        model: that answered.
        image: that it is about.
        started: `time.perf_counter()` when the request arrived.
        others: further images that the model saw.
        asked: the words that the question was put into, if it was.
        unused: fields of the request that the model has no use for.
    """

    model: HostedModel
    image: TakenImage
    started: float
    others: tuple[TakenImage, ...] = ()
    asked: Asked | None = None
    unused: tuple[str, ...] = ()

    def cost(self, computed: Computed, usage: TokenUsage | None = None) -> provenance_pb2.Cost:
        """The cost of the answer, as of now."""
        return wire.cost_to_proto(
            Cost(
                queue_s=computed.queue_s,
                compute_s=computed.compute_s,
                total_s=time.perf_counter() - self.started,
                batch_size=computed.batch_size,
                token_usage=usage,
            )
        )

    def provenance(
        self,
        parameters: tuple[UsedParameter, ...],
        *,
        intensity_ranges: tuple[IntensityRange, ...] = (),
        info_bar: Box | None = None,
    ) -> Provenance:
        """Provenance of a model that saw the images as they came.

        Args:
            parameters: as used.
            intensity_ranges: how the model itself mapped intensities.
            info_bar: what it left out.
        """
        card = self.model.card
        rendered = self.image.rendered
        if intensity_ranges:
            rendered = replace(rendered, intensity_ranges=intensity_ranges)
        return Provenance(
            model=self.model.name,
            model_version=card.version,
            weights_digest=card.weights_digest,
            code_version=CODE_VERSION,
            image_sha256=self.image.raw.sha256,
            rendered_image=rendered,
            parameters=parameters,
            pixel_size=self.image.raw.pixel_size,
            info_bar_box=info_bar,
            images=self._sources() if self.others else (),
            prompt_version="" if self.asked is None else self.asked.version,
            prompt_sha256="" if self.asked is None else self.asked.sha256,
            unused_fields=self.unused,
        )

    def provenance_of_words(self, answer: Answer | LabelScores, order: Sequence[TakenImage]) -> Provenance:
        """Provenance of a model that takes words.

        Args:
            answer: says what the model saw of each image, where that is not the image as it came.
            order: the images in the order in which they stood before the model.
        """
        provenance = self.provenance(answer.parameters)
        if isinstance(answer, Answer) and answer.model_version:
            provenance = replace(provenance, model_version=answer.model_version)
        if not answer.rendered:
            return provenance
        # What the model did to its image comes on top of how the intensities were mapped.
        seen = {
            id(image): replace(rendered, intensity_ranges=image.intensity_ranges)
            for image, rendered in zip(order, answer.rendered, strict=True)
        }
        return replace(
            provenance,
            rendered_image=seen[id(self.image)],
            images=tuple(
                SourceImage(image.raw.sha256, seen[id(image)]) for image in (self.image, *self.others)
            )
            if self.others
            else (),
        )

    def _sources(self) -> tuple[SourceImage, ...]:
        return tuple(image.source for image in (self.image, *self.others))


@dataclass(frozen=True, slots=True, eq=False)
class _Objects:
    instances: tuple[Instance, ...]
    labels: NDArray[np.integer[Any]] | None


def _objects(answer: Segmentation, image: Micrograph, mask_format: MaskFormat) -> _Objects:
    """Measure the objects, and bring their masks into the form that was asked for."""
    wants_labels = mask_format is MaskFormat.LABEL_IMAGE
    if answer.rles is not None:
        instances = masks.measure_rles(answer.rles, image, answer.scores, answer.info_bar)
        if mask_format is MaskFormat.RLE:
            instances = tuple(
                replace(found, rle=rle) for found, rle in zip(instances, answer.rles, strict=True)
            )
        shape = (image.height_px, image.width_px)
        labels = masks.compose_labels(answer.rles, answer.scores, shape) if wants_labels else None
        return _Objects(instances, labels)
    assert answer.labels is not None, "a segmentation has labels or run lengths"
    instances = masks.measure(answer.labels, image, answer.scores, answer.info_bar)
    if mask_format is MaskFormat.RLE:
        rles = masks.encode_labels(answer.labels)
        instances = tuple(replace(found, rle=rles[found.label]) for found in instances)
    return _Objects(instances, answer.labels if wants_labels else None)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What Segment and Count say alike."""

    instances: list[mask_pb2.Instance]
    label_image: mask_pb2.LabelImage | None
    provenance: provenance_pb2.Provenance
    cost: provenance_pb2.Cost


def _found(origin: Origin, computed: Computed, mask_format: MaskFormat) -> _Found:
    answer: Segmentation = computed.answer
    image = origin.image.raw
    objects = _objects(answer, image, mask_format)
    provenance = origin.provenance(
        answer.parameters, intensity_ranges=answer.intensity_ranges, info_bar=answer.info_bar
    )
    return _Found(
        instances=wire.instances_to_proto(
            objects.instances, width_px=image.width_px, height_px=image.height_px
        ),
        label_image=None if objects.labels is None else wire.label_image_to_proto(objects.labels),
        provenance=wire.provenance_to_proto(provenance),
        cost=origin.cost(computed),
    )


def segment_response(origin: Origin, computed: Computed, mask_format: MaskFormat) -> pb.SegmentResponse:
    """The answer to Segment."""
    found = _found(origin, computed, mask_format)
    return pb.SegmentResponse(
        instances=found.instances,
        label_image=found.label_image,
        provenance=found.provenance,
        cost=found.cost,
        arrays=wire.arrays_to_proto(computed.answer.arrays),
    )


def count_response(origin: Origin, computed: Computed, mask_format: MaskFormat) -> pb.CountResponse:
    """The answer to Count of a model that finds objects."""
    found = _found(origin, computed, mask_format)
    return pb.CountResponse(
        count=len(found.instances),
        instances=found.instances,
        label_image=found.label_image,
        provenance=found.provenance,
        cost=found.cost,
        answer_outcome=wire.ANSWER_OUTCOMES.number(AnswerOutcome.ANSWERED),
    )


def bare_count_response(origin: Origin, computed: Computed) -> pb.CountResponse:
    """The answer to Count of a model that counts without finding."""
    answer: ObjectCount = computed.answer
    provenance = origin.provenance(answer.parameters, intensity_ranges=answer.intensity_ranges)
    return pb.CountResponse(
        count=answer.count,
        provenance=wire.provenance_to_proto(provenance),
        cost=origin.cost(computed),
        answer_outcome=wire.ANSWER_OUTCOMES.number(AnswerOutcome.ANSWERED),
    )


def written_count_response(
    origin: Origin, computed: Computed, reading: Reading, order: Sequence[TakenImage]
) -> pb.CountResponse:
    """The answer to Count that was read from words."""
    answer: Answer = computed.answer
    return pb.CountResponse(
        count=reading.count,
        provenance=wire.provenance_to_proto(origin.provenance_of_words(answer, order)),
        cost=origin.cost(computed, answer.usage),
        answer_outcome=wire.ANSWER_OUTCOMES.number(reading.outcome),
        written_answer=wire.written_to_proto(_written(answer, reading)),
    )


def written_class_response(
    origin: Origin, computed: Computed, reading: Reading, order: Sequence[TakenImage]
) -> pb.ClassifyResponse:
    """The answer to Classify that was read from words."""
    answer: Answer = computed.answer
    return pb.ClassifyResponse(
        label=reading.label or "",
        provenance=wire.provenance_to_proto(origin.provenance_of_words(answer, order)),
        cost=origin.cost(computed, answer.usage),
        answer_outcome=wire.ANSWER_OUTCOMES.number(reading.outcome),
        written_answer=wire.written_to_proto(_written(answer, reading)),
    )


def class_response(
    origin: Origin, computed: Computed, labels: Sequence[str], order: Sequence[TakenImage] = ()
) -> pb.ClassifyResponse:
    """The answer to Classify of a model that gives probabilities.

    Args:
        origin: of the answer.
        computed: a Classification or LabelScores.
        labels: in the order of the probabilities.
        order: as in `Origin.provenance_of_words`.
    """
    answer: Classification | LabelScores = computed.answer
    ranked = sorted(zip(labels, answer.probabilities, strict=True), key=lambda pair: -pair[1])
    if isinstance(answer, LabelScores):
        provenance, usage = origin.provenance_of_words(answer, order), answer.usage
    else:
        provenance = origin.provenance(answer.parameters, intensity_ranges=answer.intensity_ranges)
        usage = None
    return pb.ClassifyResponse(
        label=ranked[0][0],
        probabilities=[pb.ClassProbability(label=label, probability=value) for label, value in ranked],
        provenance=wire.provenance_to_proto(provenance),
        cost=origin.cost(computed, usage),
        answer_outcome=wire.ANSWER_OUTCOMES.number(AnswerOutcome.ANSWERED),
    )


def ask_end(origin: Origin, computed: Computed, order: Sequence[TakenImage]) -> pb.AskEnd:
    """The end of the answer to Ask."""
    answer: Answer = computed.answer
    return pb.AskEnd(
        finish_reason=wire.FINISH_REASONS.number(answer.finish_reason),
        provenance=wire.provenance_to_proto(origin.provenance_of_words(answer, order)),
        cost=origin.cost(computed, answer.usage),
    )


def _written(answer: Answer, reading: Reading) -> WrittenAnswer:
    return WrittenAnswer(
        text=answer.text,
        finish_reason=FinishReason(answer.finish_reason),
        stated_confidence=reading.stated_confidence,
        unparsed_reason=reading.unparsed_reason,
    )
