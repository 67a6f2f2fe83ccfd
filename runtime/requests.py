"""From requests to tasks: every rule of the wire is checked here, and every violation is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from pydantic import ValidationError

from hooke import wire
from hooke.errors import ExamplesRequiredError, FieldViolation, InvalidRequestError
from hooke.images import Micrograph, View
from hooke.types import MaskFormat
from hooke.v1 import image_pb2, inference_service_pb2
from runtime.tasks import Model, Parameters

T = TypeVar("T")

ObjectRequest = inference_service_pb2.SegmentRequest | inference_service_pb2.CountRequest


@dataclass(slots=True)
class Checks:
    """Collects violations, so that a caller learns of all faults at once."""

    violations: list[FieldViolation] = field(default_factory=list)

    def add(self, name: str, description: str) -> None:
        """Note that a field is wrong."""
        self.violations.append(FieldViolation(name, description))

    def attempt(self, convert: Callable[[], T], otherwise: T) -> T:
        """Convert a field, noting what the conversion objects to."""
        try:
            return convert()
        except InvalidRequestError as error:
            self.violations.extend(error.violations)
            return otherwise

    def finish(self) -> None:
        """Raise InvalidRequestError if anything was noted."""
        if self.violations:
            text = "; ".join(f"{found.field}: {found.description}" for found in self.violations)
            raise InvalidRequestError(text, violations=self.violations)


@dataclass(frozen=True, slots=True)
class ObjectQuestion:
    """A checked Segment or Count request, its image not yet decoded.

    At most one of the two diameters is set.
    """

    image: image_pb2.Image
    view: View | None
    expected_diameter_px: float | None
    expected_diameter_um: float | None
    mask_format: MaskFormat
    parameters: Parameters | None

    def diameter_px(self, image: Micrograph) -> float | None:
        """The expected diameter in pixels of this image.

        Raises:
            InvalidRequestError: it was given in micrometres and the pixel size is unknown.
        """
        if self.expected_diameter_um is None:
            return self.expected_diameter_px
        if image.pixel_size is None:
            raise InvalidRequestError.of_field(
                "expected_diameter_um",
                "the image does not say how large a pixel is; set image.pixel_size or expected_diameter_px",
            )
        return self.expected_diameter_um / math.sqrt(image.pixel_size.x_um * image.pixel_size.y_um)


@dataclass(frozen=True, slots=True)
class ClassQuestion:
    """A checked Classify request, its images not yet decoded."""

    image: image_pb2.Image
    view: View | None
    labels: tuple[str, ...]
    examples: tuple[tuple[image_pb2.Image, str], ...]


def read_object_request(request: ObjectRequest, model: type[Model], default: MaskFormat) -> ObjectQuestion:
    """Check a Segment or Count request.

    Args:
        request: what came over the wire.
        model: the class that is asked, for its own parameters.
        default: mask format where none is asked for.

    Raises:
        InvalidRequestError: with one violation for each fault.
    """
    checks = Checks()
    _check_image(checks, request.image, "image")
    diameter = request.WhichOneof("expected_diameter")
    if diameter is not None:
        value = getattr(request, diameter)
        if not (math.isfinite(value) and value > 0):
            checks.add(diameter, f"{value} is no diameter; it must be a finite number greater than 0")
    mask_format = checks.attempt(
        lambda: wire.MASK_FORMATS.requested(request.mask_format, "mask_format", default), default
    )
    view = _read_view(checks, request)
    parameters = _read_parameters(checks, request, model)
    checks.finish()
    return ObjectQuestion(
        image=request.image,
        view=view,
        expected_diameter_px=request.expected_diameter_px if diameter == "expected_diameter_px" else None,
        expected_diameter_um=request.expected_diameter_um if diameter == "expected_diameter_um" else None,
        mask_format=mask_format,
        parameters=parameters,
    )


def read_classify_request(
    request: inference_service_pb2.ClassifyRequest, *, examples_required: bool
) -> ClassQuestion:
    """Check a Classify request.

    Raises:
        ExamplesRequiredError: the model learns from examples and there are none.
        InvalidRequestError: with one violation for each fault.
    """
    checks = Checks()
    _check_image(checks, request.image, "image")
    labels = tuple(request.labels) or tuple(dict.fromkeys(example.label for example in request.examples))
    known = frozenset(labels)
    if len(known) != len(labels):
        checks.add("labels", "every class may stand there once")
    if "" in known:
        checks.add("labels", "a class has a name")
    for index, example in enumerate(request.examples):
        _check_image(checks, example.image, f"examples[{index}].image")
        if example.label not in known:
            checks.add(f"examples[{index}].label", f"{example.label!r} is none of the labels")
    if examples_required and not request.examples:
        checks.finish()
        raise ExamplesRequiredError(
            "this model learns classes from examples: send some images of each class as `examples`"
        )
    if len(labels) < 2:
        checks.add("labels", "at least two classes are needed to choose from")
    view = _read_view(checks, request)
    checks.finish()
    return ClassQuestion(
        image=request.image,
        view=view,
        labels=labels,
        examples=tuple((example.image, example.label) for example in request.examples),
    )


def moved(error: InvalidRequestError, field: str) -> InvalidRequestError:
    """The same error of an image that stands elsewhere in the request, for example in an example.

    Args:
        error: its violations begin with "image", which is what decoding calls every image.
        field: path of the image in the request.
    """
    violations = [
        FieldViolation(field + found.field.removeprefix("image"), found.description)
        for found in error.violations
    ]
    return type(error)(f"{field}: {error.message}", metadata=error.metadata, violations=violations)


def _check_image(checks: Checks, image: image_pb2.Image, name: str) -> None:
    if image.WhichOneof("source") is None:
        checks.add(name, "an image is required: set encoded, pixels or sha256")


def _read_view(checks: Checks, request: ObjectRequest | inference_service_pb2.ClassifyRequest) -> View | None:
    if not request.HasField("view"):
        return None
    return checks.attempt(lambda: wire.view_from_proto(request.view), None)


def _read_parameters(checks: Checks, request: ObjectRequest, model: type[Model]) -> Parameters | None:
    name = request.WhichOneof("parameters")
    if name is None:
        return None
    if name != model.name or model.parameters_type is None:
        checks.add(name, f"these are parameters of another model than {model.name}")
        return None
    try:
        return model.parameters_type(**_set_fields(getattr(request, name)))
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            path = ".".join((name, *(str(part) for part in problem["loc"])))
            checks.add(path, problem["msg"])
        return None


def _set_fields(message: Message) -> dict[str, Any]:
    """The fields that a message sets, enum values as lower-case text without their prefix."""
    values: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        values[descriptor.name] = (
            _enum_text(descriptor.enum_type, value) if descriptor.enum_type is not None else value
        )
    return values


def _enum_text(enum: EnumDescriptor, number: int) -> str:
    """The name of an enum value; an unknown number stays a number, which no parameter accepts."""
    if number not in enum.values_by_number:
        return str(number)
    # Every zero value is named PREFIX_UNSPECIFIED, so it tells the prefix.
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(enum.values_by_number[number].name).removeprefix(prefix).lower()
