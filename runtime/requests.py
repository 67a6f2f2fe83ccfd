"""From requests to tasks: every rule of the wire is checked here, and every violation is named."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hooke import wire
from hooke.errors import ExamplesRequiredError, FieldViolation, InvalidRequestError
from hooke.images import Micrograph, View
from hooke.types import AnswerMode, MaskFormat, TurnRole
from hooke.v1 import conversation_pb2, image_pb2, inference_service_pb2, mask_pb2
from runtime.checks import Checks
from runtime.parameters import read_parameters
from runtime.prompting import PromptOptions, likelihood_versions, prompt_versions
from runtime.tasks import Classifier, Counter, LabelScorer, Model, Parameters, Segmenter

ObjectRequest = inference_service_pb2.SegmentRequest | inference_service_pb2.CountRequest
AskRequest = inference_service_pb2.AskRequest | inference_service_pb2.StreamAskRequest

MAX_WORDS = 4000
"""Most characters of a part of a prompt."""
MAX_CONVERSATION = 1_000_000
"""Most characters of a conversation: some 250,000 tokens."""
MAX_TURNS = 1000
"""Most turns of a conversation."""
MAX_IMAGES = 4096
"""Most images of a request, whatever their size: each costs time by itself."""
MAX_LABELS = 1000
"""Most classes to choose from."""
MAX_LABEL = 256
"""Most characters of the name of a class."""


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
    prompt: PromptOptions = field(default_factory=PromptOptions)
    examples: tuple[tuple[image_pb2.Image, int], ...] = ()
    unused: tuple[str, ...] = ()

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
    parameters: Parameters | None
    prompt: PromptOptions
    by_likelihood: bool
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedTurn:
    """A checked turn of a conversation, its images not yet decoded."""

    role: TurnRole
    text: str
    images: tuple[tuple[image_pb2.Image, View | None], ...]


@dataclass(frozen=True, slots=True)
class WordQuestion:
    """A checked Ask or StreamAsk request."""

    turns: tuple[AskedTurn, ...]
    instructions: str
    parameters: Parameters | None


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
    if isinstance(request, inference_service_pb2.CountRequest):
        _check_number(checks, "examples", len(request.examples), MAX_IMAGES, "examples")
    _check_image(checks, request.image, "image")
    diameter = request.WhichOneof("expected_diameter")
    if diameter is not None:
        value = getattr(request, diameter)
        if not (math.isfinite(value) and value > 0):
            checks.add(diameter, f"{value} is no diameter; it must be a finite number greater than 0")
    mask_format = checks.attempt(
        lambda: wire.MASK_FORMATS.requested(request.mask_format, "mask_format", default), default
    )
    view = _read_view(checks, request, "view")
    parameters = read_parameters(checks, request, model)
    prompt = PromptOptions()
    examples: tuple[tuple[image_pb2.Image, int], ...] = ()
    if isinstance(request, inference_service_pb2.CountRequest):
        prompt = _read_prompt(checks, request.prompt)
        _read_answer_mode(checks, request.prompt, likelihood_offered=False)
        for index, example in enumerate(request.examples):
            _check_image(checks, example.image, f"examples[{index}].image")
            if example.count < 0:
                checks.add(f"examples[{index}].count", f"{example.count} is no count; it must be 0 or more")
        examples = tuple((example.image, example.count) for example in request.examples)
    checks.finish()
    return ObjectQuestion(
        image=request.image,
        view=view,
        expected_diameter_px=request.expected_diameter_px if diameter == "expected_diameter_px" else None,
        expected_diameter_um=request.expected_diameter_um if diameter == "expected_diameter_um" else None,
        mask_format=mask_format,
        parameters=parameters,
        prompt=prompt,
        examples=examples,
        unused=_unused_fields(request, model),
    )


def read_classify_request(
    request: inference_service_pb2.ClassifyRequest, model: type[Model], *, examples_required: bool
) -> ClassQuestion:
    """Check a Classify request.

    Args:
        request: what came over the wire.
        model: the class that is asked, for its own parameters and what it offers.
        examples_required: whether it learns classes from examples.

    Raises:
        ExamplesRequiredError: the model learns from examples and there are none.
        InvalidRequestError: with one violation for each fault.
    """
    checks = Checks()
    _check_number(checks, "examples", len(request.examples), MAX_IMAGES, "examples")
    _check_image(checks, request.image, "image")
    labels = tuple(request.labels) or tuple(dict.fromkeys(example.label for example in request.examples))
    known = frozenset(labels)
    _check_number(checks, "labels", len(labels), MAX_LABELS, "classes")
    names = {" ".join(label.split()) for label in labels}  # as they stand in a prompt
    if len(names) != len(labels):
        checks.add("labels", "every class may stand there once")
    if "" in names:
        checks.add("labels", "a class has a name")
    if any(len(label) > MAX_LABEL for label in labels):
        checks.add("labels", f"the name of a class has at most {MAX_LABEL} characters")
    for index, example in enumerate(request.examples):
        _check_image(checks, example.image, f"examples[{index}].image")
        if example.label not in known:
            checks.add(f"examples[{index}].label", f"{example.label[:MAX_LABEL]!r} is none of the labels")
    if examples_required and not request.examples:
        checks.finish()
        raise ExamplesRequiredError(
            "this model learns classes from examples: send some images of each class as `examples`"
        )
    if len(labels) < 2:
        checks.add("labels", "at least two classes are needed to choose from")
    view = _read_view(checks, request, "view")
    parameters = read_parameters(checks, request, model)
    prompt = _read_prompt(checks, request.prompt)
    offered = issubclass(model, LabelScorer) and prompt.version in likelihood_versions()
    mode = _read_answer_mode(checks, request.prompt, likelihood_offered=offered)
    checks.finish()
    return ClassQuestion(
        image=request.image,
        view=view,
        labels=labels,
        examples=tuple((example.image, example.label) for example in request.examples),
        parameters=parameters,
        prompt=prompt,
        by_likelihood=offered and mode is not AnswerMode.GENERATION,
        unused=_unused_fields(request, model),
    )


def read_ask_request(request: AskRequest, model: type[Model]) -> WordQuestion:
    """Check an Ask or StreamAsk request.

    Raises:
        InvalidRequestError: with one violation for each fault.
    """
    checks = Checks()
    conversation = request.conversation
    _check_number(checks, "conversation.turns", len(conversation.turns), MAX_TURNS, "turns")
    image_count = sum(len(turn.images) for turn in conversation.turns)
    _check_number(checks, "conversation.turns", image_count, MAX_IMAGES, "images")
    texts = (conversation.instructions, *(turn.text for turn in conversation.turns))
    _check_number(checks, "conversation", sum(map(len, texts)), MAX_CONVERSATION, "characters")
    turns = tuple(
        _read_turn(checks, turn, f"conversation.turns[{index}]")
        for index, turn in enumerate(conversation.turns)
    )
    roles = [turn.role for turn in turns]
    by_turns = [TurnRole.MODEL if index % 2 else TurnRole.USER for index in range(len(turns))]
    if not len(turns) % 2 or roles != by_turns:
        checks.add(
            "conversation.turns", "the user and the model speak by turns; the user begins and asks at the end"
        )
    elif not turns[-1].text.strip():
        checks.add(f"conversation.turns[{len(turns) - 1}].text", "a question is required")
    if turns and not any(turn.images for turn in turns):
        checks.add("conversation.turns", "at least one image is required")
    parameters = read_parameters(checks, request, model)
    checks.finish()
    return WordQuestion(turns, conversation.instructions, parameters)


def moved(error: InvalidRequestError, field: str, view_field: str) -> InvalidRequestError:
    """The same error of an image that stands elsewhere in the request, for example in an example.

    Args:
        error: its violations begin with "image" or "view", which is what decoding calls every image and view.
        field: path of the image in the request.
        view_field: path of its view.
    """

    def path(found: str) -> str:
        if found.startswith("view"):
            return view_field + found.removeprefix("view")
        return field + found.removeprefix("image")

    violations = [FieldViolation(path(found.field), found.description) for found in error.violations]
    told = "; ".join(f"{found.field}: {found.description}" for found in violations)
    return type(error)(told or f"{field}: {error.message}", metadata=error.metadata, violations=violations)


def _unused_fields(
    request: ObjectRequest | inference_service_pb2.ClassifyRequest, model: type[Model]
) -> tuple[str, ...]:
    """Paths of what a request sets and the model has no use for: one request fits all models.

    A model's own parameters are never among them: those of another model are refused.
    """
    if isinstance(request, inference_service_pb2.ClassifyRequest):
        unused = {"prompt"} if issubclass(model, Classifier) else {"prompt.object_name"}
    else:
        unused = {"prompt", "examples"} if issubclass(model, Segmenter | Counter) else set()
        if not model.reads_diameter:
            unused |= {"expected_diameter_px", "expected_diameter_um"}
        segments = isinstance(request, inference_service_pb2.SegmentRequest)
        has_masks = segments or (issubclass(model, Segmenter) and not issubclass(model, Counter))
        if not has_masks and request.mask_format != mask_pb2.MASK_FORMAT_NONE:
            unused.add("mask_format")
    found = []
    for descriptor, value in request.ListFields():
        if descriptor.name == "prompt":
            inner = (f"prompt.{part.name}" for part, _ in value.ListFields())
            found += [path for path in inner if "prompt" in unused or path in unused]
        elif descriptor.name in unused:
            found.append(descriptor.name)
    return tuple(found)


def _check_number(checks: Checks, name: str, number: int, most: int, of_what: str) -> None:
    """Refuse what is too many at once: to look at each would be the work that the limit spares."""
    if number > most:
        checks.add(name, f"{number:,} {of_what} are too many; at most {most:,} are taken")
        checks.finish()


def _check_image(checks: Checks, image: image_pb2.Image, name: str) -> None:
    if image.WhichOneof("source") is None:
        checks.add(name, "an image is required: set encoded, pixels or sha256")


def _read_turn(checks: Checks, turn: conversation_pb2.Turn, path: str) -> AskedTurn:
    def role() -> TurnRole:
        if turn.turn_role == 0:
            raise InvalidRequestError.of_field(f"{path}.turn_role", "user or model is required")
        return wire.TURN_ROLES.requested(turn.turn_role, f"{path}.turn_role", TurnRole.USER)

    who = checks.attempt(role, TurnRole.USER)
    images = []
    for index, viewed in enumerate(turn.images):
        _check_image(checks, viewed.image, f"{path}.images[{index}].image")
        images.append((viewed.image, _read_view(checks, viewed, f"{path}.images[{index}].view")))
    if who is TurnRole.MODEL:
        if images:
            checks.add(f"{path}.images", "only the user's turns have images")
        if not turn.text:
            checks.add(f"{path}.text", "what the model said is required")
    return AskedTurn(who, turn.text, tuple(images))


def _read_prompt(checks: Checks, prompt: conversation_pb2.Prompt) -> PromptOptions:
    options = PromptOptions(
        version=prompt.version or PromptOptions().version,
        modality=prompt.modality,
        object_name=prompt.object_name,
        context=prompt.context,
    )
    if options.version not in prompt_versions():
        known = ", ".join(prompt_versions())
        checks.add("prompt.version", f"{options.version[:128]!r} is unknown; known are {known}")
    for name in ("modality", "object_name", "context"):
        if len(getattr(options, name)) > MAX_WORDS:
            checks.add(f"prompt.{name}", f"at most {MAX_WORDS} characters are taken")
    return options


def _read_answer_mode(
    checks: Checks, prompt: conversation_pb2.Prompt, *, likelihood_offered: bool
) -> AnswerMode | None:
    if prompt.answer_mode == 0:
        return None
    mode = checks.attempt(
        lambda: wire.ANSWER_MODES.requested(prompt.answer_mode, "prompt.answer_mode", AnswerMode.GENERATION),
        AnswerMode.GENERATION,
    )
    if mode is AnswerMode.LIKELIHOOD and not likelihood_offered:
        checks.add(
            "prompt.answer_mode",
            "the model cannot say how likely an answer is, or not to a prompt of this version",
        )
    return mode


def _read_view(
    checks: Checks,
    request: ObjectRequest | inference_service_pb2.ClassifyRequest | conversation_pb2.ViewedImage,
    path: str,
) -> View | None:
    if not request.HasField("view"):
        return None
    view: View | None = None
    try:
        view = wire.view_from_proto(request.view)
    except InvalidRequestError as error:
        for found in error.violations:
            checks.add(path + found.field.removeprefix("view"), found.description)
    return view
