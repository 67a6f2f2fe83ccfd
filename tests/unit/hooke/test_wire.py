"""Messages of the wire and values of Hooke, both ways."""

from __future__ import annotations

import pickle
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from hooke import types, wire
from hooke.errors import ImageTooLargeError, ImageUnreadableError, InvalidRequestError
from hooke.images import ImageLimits, PixelSize, PixelSizeSource, View
from hooke.v1 import (
    conversation_pb2,
    evaluation_service_pb2,
    image_pb2,
    inference_service_pb2,
    mask_pb2,
    model_service_pb2,
    provenance_pb2,
)
from hooke.wire.enums import OPEN_ENUMS

ENUMS: list[tuple[wire.EnumMap[Any], type[Any], Any]] = [
    (wire.TASKS, types.Task, model_service_pb2.Task),
    (wire.MODEL_STATES, types.ModelState, model_service_pb2.ModelState),
    (wire.MASK_FORMATS, types.MaskFormat, mask_pb2.MaskFormat),
    (wire.PIXEL_SIZE_SOURCES, PixelSizeSource, image_pb2.PixelSizeSource),
    (wire.EVALUATION_STATES, types.EvaluationState, evaluation_service_pb2.EvaluationState),
    (wire.SAMPLE_OUTCOMES, types.SampleOutcome, evaluation_service_pb2.SampleOutcome),
    (wire.REPORT_FORMATS, types.ReportFormat, evaluation_service_pb2.ReportFormat),
    (wire.TURN_ROLES, types.TurnRole, conversation_pb2.TurnRole),
    (wire.ANSWER_MODES, types.AnswerMode, conversation_pb2.AnswerMode),
    (wire.ANSWER_OUTCOMES, types.AnswerOutcome, conversation_pb2.AnswerOutcome),
    (wire.FINISH_REASONS, types.FinishReason, conversation_pb2.FinishReason),
]
PROVENANCE = types.Provenance(
    model="classical",
    model_version="1",
    weights_digest=None,
    code_version="0.1.0",
    image_sha256="ab" * 32,
    rendered_image=types.RenderedImage(30, 20, "YX", "uint16", (types.IntensityRange(3.0, 900.5),)),
    parameters=(
        types.UsedParameter("expected_diameter_px", 17.5, chosen_by_server=True),
        types.UsedParameter("polarity", "bright_on_dark"),
        types.UsedParameter("touching_objects_split", False),
        types.UsedParameter("min_area_px", 0.0),
    ),
    pixel_size=PixelSize(0.1, 0.2, None, PixelSizeSource.OME_XML),
    info_bar_box=types.Box(0, 18, 30, 2),
    images=(
        types.SourceImage("ab" * 32, types.RenderedImage(30, 20, "YXS", "uint8", (), "image/png")),
        types.SourceImage("cd" * 32, types.RenderedImage(9, 8, "YXS", "uint8")),
    ),
    prompt_version="v1",
    prompt_sha256="ef" * 32,
    unused_fields=("examples", "prompt.context"),
)
BARE_PROVENANCE = types.Provenance("m", "1", "sha", "0", "cd" * 32, types.RenderedImage(1, 1, "YXS", "uint8"))
INSTANCE = types.Instance(
    label=1,
    bounding_box=types.Box(1, 2, 3, 4),
    score=0.0,
    area_px=9,
    area_um2=0.25,
    centroid_x_px=2.0,
    centroid_y_px=3.5,
    equivalent_diameter_px=3.4,
    equivalent_diameter_um=0.5,
    touches_border=True,
    mean_intensity=12.5,
    rle=b"0123",
)
BARE_INSTANCE = types.Instance(2, types.Box(0, 0, 1, 1), None, 1, None, 0, 0, 1.1, None, False, 0.0)
VOLUME_INSTANCES = tuple(
    replace(BARE_INSTANCE, extent=types.Extent(9, volume_um3, 0, 3, 1.25)) for volume_um3 in (None, 0.5)
)
INFO = types.ModelInfo(
    name="classical",
    version="2",
    description="Finds objects.",
    tasks=frozenset({types.Task.SEGMENT, types.Task.COUNT}),
    state=types.ModelState.READY,
    weights_digest=None,
    licences=types.Licences("Apache-2.0", "MIT", "CC0"),
    max_image_pixels=1 << 40,
    score_meaning="contrast",
    device="cpu",
    max_channel_count=3,
    examples_required=True,
    code_version="0.1.0",
    state_message="The key is missing.",
    remote=True,
)


# Every value of every enum exists on both sides under the same name, and survives the way there and back.
@pytest.mark.parametrize(("enum_map", "members", "wire_enum"), ENUMS)
def test_enums_match_as_a_whole(enum_map: wire.EnumMap[Any], members: type[Any], wire_enum: Any) -> None:
    numbers = {number for number in wire_enum.values() if number}
    assert {enum_map.number(member) for member in members} == numbers
    for member in members:
        number = enum_map.number(member)
        assert enum_map.member(number) is member
        assert wire_enum.Name(number).endswith(f"_{member.name}")


# A number of a newer server becomes a member of its own, which compares, pickles and goes back as it came.
@pytest.mark.parametrize(("enum_map", "members", "wire_enum"), [row for row in ENUMS if row[1] in OPEN_ENUMS])
def test_unknown_values_survive(enum_map: wire.EnumMap[Any], members: type[Any], wire_enum: Any) -> None:
    for number in (99, -7):
        unknown = enum_map.member(number)
        assert isinstance(unknown, members)
        assert unknown == f"unknown_{number}"
        assert pickle.loads(pickle.dumps(unknown)) == unknown
        assert enum_map.number(unknown) == number
        assert unknown not in list(members)


# Enums that only travel in requests, and a text that is no value at all, are refused.
@pytest.mark.parametrize(("enum_map", "members", "wire_enum"), ENUMS)
def test_texts_that_are_no_value_are_refused(
    enum_map: wire.EnumMap[Any], members: type[Any], wire_enum: Any
) -> None:
    for text in ("nonsense", "unknown_nonsense", "unknown_"):
        with pytest.raises(ValueError, match=text):
            members(text)
    if members not in OPEN_ENUMS:
        with pytest.raises(ValueError, match="unknown_99"):
            enum_map.member(99)


# In a request, an unspecified value is the default and an unknown one names the field.
def test_requested_enum_values() -> None:
    default = types.MaskFormat.NONE
    assert wire.MASK_FORMATS.requested(0, "mask_format", default) is default
    assert wire.MASK_FORMATS.requested(2, "mask_format", default) is types.MaskFormat.RLE
    with pytest.raises(InvalidRequestError) as caught:
        wire.MASK_FORMATS.requested(77, "mask_format", default)
    assert [violation.field for violation in caught.value.violations] == ["mask_format"]


# An evaluation in a state that this client does not know is not taken for one that has ended.
def test_an_unknown_state_has_not_ended() -> None:
    ended = {state for state in types.EvaluationState if state.ended}
    assert {state.value for state in ended} == {"succeeded", "partially_succeeded", "failed", "cancelled"}
    assert not wire.EVALUATION_STATES.member(99).ended


# Pixel sizes keep every number and the source; unspecified is the caller's word.
@pytest.mark.parametrize("source", list(PixelSizeSource))
@pytest.mark.parametrize("z_um", [None, 0.5])
def test_pixel_sizes_go_there_and_back(source: PixelSizeSource, z_um: float | None) -> None:
    size = PixelSize(0.1, 0.2, z_um, source)
    assert wire.pixel_size_from_proto(wire.pixel_size_to_proto(size)) == size
    unsaid = image_pb2.PixelSize(pixel_size_x_um=1, pixel_size_y_um=1)
    assert wire.pixel_size_from_proto(unsaid).source is PixelSizeSource.REQUEST


# A size that is no size names its field.
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_impossible_pixel_sizes_are_refused(axis: str, value: float) -> None:
    message = image_pb2.PixelSize(pixel_size_x_um=1, pixel_size_y_um=1)
    setattr(message, f"pixel_size_{axis}_um", value)
    with pytest.raises(InvalidRequestError) as caught:
        wire.pixel_size_from_proto(message, "image.pixel_size")
    assert caught.value.violations[0].field == f"image.pixel_size.pixel_size_{axis}_um"


# Index 0 and "not given" are different things, and stay so.
@pytest.mark.parametrize(
    "view",
    [
        View(),
        View(time_index=0, z_index=0),
        View(time_index=3, z_projection="max", channel_indices=(2, 0)),
        View(z_projection="mean"),
        View(channel_names=("DAPI", "actin"), low_percentile=0.0, high_percentile=100.0),
        View(low_percentile=99.0),
        View(high_percentile=1.5),
    ],
)
def test_views_go_there_and_back(view: View) -> None:
    assert wire.view_from_proto(wire.view_to_proto(view)) == view


# A projection that is not known names its field.
def test_unknown_projections_are_refused() -> None:
    message = image_pb2.View()
    message.z_projection = 9  # type: ignore[assignment]
    with pytest.raises(InvalidRequestError) as caught:
        wire.view_from_proto(message)
    assert caught.value.violations[0].field == "view.z_projection"


# Percentiles that are none, or leave nothing between them, name their field; the defaults count, too.
@pytest.mark.parametrize(
    ("field", "percentiles"),
    [
        ("low_percentile", {"low_percentile": -0.1}),
        ("low_percentile", {"low_percentile": float("nan")}),
        ("high_percentile", {"high_percentile": 100.1}),
        ("high_percentile", {"high_percentile": float("inf")}),
        ("high_percentile", {"low_percentile": 50.0, "high_percentile": 50.0}),
        ("high_percentile", {"high_percentile": 1.0}),
        ("high_percentile", {"low_percentile": 99.8}),
    ],
)
def test_impossible_percentiles_are_refused(field: str, percentiles: dict[str, float]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        wire.view_from_proto(image_pb2.View(**percentiles), "turns[3].view")
    assert [violation.field for violation in caught.value.violations] == [f"turns[3].view.{field}"]


# Absent and zero stay apart in provenance, and every kind of parameter keeps its type.
@pytest.mark.parametrize("provenance", [PROVENANCE, BARE_PROVENANCE])
def test_provenance_goes_there_and_back(provenance: types.Provenance) -> None:
    returned = wire.provenance_from_proto(wire.provenance_to_proto(provenance))
    assert returned == provenance
    assert [type(parameter.value) for parameter in returned.parameters] == [
        type(parameter.value) for parameter in provenance.parameters
    ]


# A parameter of a kind that only newer servers know does not stop the answer from being read.
def test_parameters_of_unknown_kind_are_empty() -> None:
    message = provenance_pb2.Provenance(parameters=[provenance_pb2.UsedParameter(name="new")])
    assert wire.provenance_from_proto(message).parameters == (types.UsedParameter("new", ""),)


# Durations keep their nanoseconds; a price of nothing and no price are different things.
@pytest.mark.parametrize(
    "usage",
    [
        None,
        types.TokenUsage(0, 0),
        types.TokenUsage(1 << 40, 7, 5, cost_micro_usd=0, price_list_date="2026-11-01"),
        types.TokenUsage(9, 7, cost_micro_usd=None, price_missing=True, price_list_date="2026-11-01"),
    ],
)
def test_costs_go_there_and_back(usage: types.TokenUsage | None) -> None:
    cost = types.Cost(0.000001, 12.345678901, 3600.5, batch_size=4, token_usage=usage)
    assert wire.cost_from_proto(wire.cost_to_proto(cost)) == cost


# Everything about a model arrives; a task that this client cannot ask for is left out.
def test_model_infos_go_there_and_back() -> None:
    message = wire.model_info_to_proto(INFO)
    assert wire.model_info_from_proto(message) == INFO
    message.tasks.append(99)  # type: ignore[arg-type]
    assert wire.model_info_from_proto(message).tasks == INFO.tasks


# Objects keep all their numbers; absent scores, sizes and masks stay absent.
def test_instances_go_there_and_back() -> None:
    instances = (INSTANCE, BARE_INSTANCE, *VOLUME_INSTANCES)
    messages = wire.instances_to_proto(instances, width_px=30, height_px=20)
    assert wire.instances_from_proto(messages) == instances
    assert (messages[0].rle.width_px, messages[0].rle.height_px) == (30, 20)


# The answers of the three tasks arrive whole, with and without a label image.
def test_results_are_read() -> None:
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    parts: dict[str, Any] = {
        "instances": wire.instances_to_proto([INSTANCE], width_px=4, height_px=3),
        "provenance": wire.provenance_to_proto(PROVENANCE),
        "cost": wire.cost_to_proto(types.Cost(0, 0, 0, 1)),
    }
    masked = parts | {"label_image": wire.label_image_to_proto(labels)}
    segmented = wire.segment_result_from_proto(inference_service_pb2.SegmentResponse(**masked))
    assert segmented.instances == (INSTANCE,)
    assert segmented.provenance == PROVENANCE
    assert np.array_equal(segmented.labels, labels)  # type: ignore[arg-type]
    bare = wire.segment_result_from_proto(inference_service_pb2.SegmentResponse(**parts))
    assert bare.labels is None
    counted = wire.count_result_from_proto(
        inference_service_pb2.CountResponse(count=0, answer_outcome=1, **masked)
    )
    assert (counted.count, counted.labels is not None) == (0, True)
    assert (counted.outcome, counted.written) == (types.AnswerOutcome.ANSWERED, None)
    classes = [
        inference_service_pb2.ClassProbability(label=label, probability=probability)
        for label, probability in (("b", 0.75), ("a", 0.25))
    ]
    classified = wire.classify_result_from_proto(
        inference_service_pb2.ClassifyResponse(label="b", probabilities=classes)
    )
    assert list(classified.probabilities.items()) == [("b", 0.75), ("a", 0.25)]


# Whether there is an answer, and what was written, arrive with every outcome; none is taken for zero or "".
@pytest.mark.parametrize("outcome", list(types.AnswerOutcome))
@pytest.mark.parametrize("finish_reason", list(types.FinishReason))
@pytest.mark.parametrize("confidence", [None, 0.0, 1.0])
def test_outcomes_are_read(
    outcome: types.AnswerOutcome, finish_reason: types.FinishReason, confidence: float | None
) -> None:
    written = types.WrittenAnswer("Seven?", finish_reason, confidence, "no number")
    fields: dict[str, Any] = {
        "answer_outcome": wire.ANSWER_OUTCOMES.number(outcome),
        "written_answer": wire.written_to_proto(written),
    }
    counted = wire.count_result_from_proto(inference_service_pb2.CountResponse(**fields))
    classified = wire.classify_result_from_proto(inference_service_pb2.ClassifyResponse(**fields))
    assert (counted.outcome, counted.written, counted.count) == (outcome, written, None)
    assert (classified.outcome, classified.written, classified.label) == (outcome, written, None)


# An answer in words arrives whole, at once or in pieces with its end.
@pytest.mark.parametrize("finish_reason", list(types.FinishReason))
def test_answers_in_words_are_read(finish_reason: types.FinishReason) -> None:
    cost = types.Cost(0, 1, 2, 1, types.TokenUsage(3, 4))
    fields: dict[str, Any] = {
        "finish_reason": wire.FINISH_REASONS.number(finish_reason),
        "provenance": wire.provenance_to_proto(PROVENANCE),
        "cost": wire.cost_to_proto(cost),
    }
    expected = types.AskResult("Cells.", finish_reason, PROVENANCE, cost)
    assert wire.ask_result_from_proto(inference_service_pb2.AskResponse(text="Cells.", **fields)) == expected
    assert wire.ask_result_from_end("Cells.", inference_service_pb2.AskEnd(**fields)) == expected


# Evaluations and results of samples keep what is known and what is not.
@pytest.mark.parametrize("end_time", [None, datetime(2026, 5, 2, 3, 4, 5, 6000, UTC)])
@pytest.mark.parametrize("state", list(types.EvaluationState))
def test_evaluations_go_there_and_back(state: types.EvaluationState, end_time: datetime | None) -> None:
    evaluation = types.Evaluation(
        evaluation_id="e",
        request_id="r",
        suite_name="demo",
        models=("classical",),
        state=state,
        task_progress=(
            types.TaskProgress("t", "classical", None, 0, 0, 0, 0),
            types.TaskProgress("u", "classical", 9, 1, 2, 3, 3),
        ),
        create_time=datetime(2026, 5, 1, tzinfo=UTC),
        end_time=end_time,
        state_message="",
    )
    assert wire.evaluation_from_proto(wire.evaluation_to_proto(evaluation)) == evaluation
    assert [progress.done_count for progress in evaluation.task_progress] == [0, 9]


# The result of a sample keeps its metrics in order.
@pytest.mark.parametrize("outcome", list(types.SampleOutcome))
def test_sample_results_go_there_and_back(outcome: types.SampleOutcome) -> None:
    result = types.SampleResult("s", "t", "m", outcome, {"b": 0.5, "a": 0.0}, "12", "13", "")
    assert wire.sample_result_from_proto(wire.sample_result_to_proto(result)) == result


# Up to label 65,535 the image travels as uint16, beyond as uint32; nothing is cut off.
@pytest.mark.parametrize(
    ("highest", "dtype"), [(0, "uint16"), (65_535, "uint16"), (65_536, "uint32"), (2**32 - 1, "uint32")]
)
@pytest.mark.parametrize("given", ["int64", "uint64", ">u4"])
@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (3, 5, 7)])
def test_label_images_go_there_and_back(highest: int, dtype: str, given: str, shape: tuple[int, ...]) -> None:
    labels = np.zeros(shape, given)
    labels[..., 2, 3] = highest
    message = wire.label_image_to_proto(labels)
    returned = wire.label_image_from_proto(message)
    assert returned.dtype == dtype
    assert np.array_equal(returned, labels)


# What is no label image is not sent.
@pytest.mark.parametrize(
    "labels",
    [np.full((2, 2), -1), np.full((2, 2), 2**32), np.zeros((1, 2, 2, 2), int), np.zeros((0, 3), int)],
)
def test_impossible_label_images_are_not_sent(labels: Any) -> None:
    with pytest.raises(ValueError, match="label"):
        wire.label_image_to_proto(labels)


def label_message(**changes: Any) -> mask_pb2.LabelImage:
    message = wire.label_image_to_proto(np.arange(20, dtype=np.uint16).reshape(4, 5))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


# A label image whose header and data disagree is refused.
@pytest.mark.parametrize(
    "changes",
    [
        {"width_px": 6},
        {"width_px": 4},
        {"height_px": 0},
        {"width_px": -5},
        {"plane_count": 0},
        {"plane_count": -1},
        {"plane_count": 2},
        {"label_type": 0},
        {"label_type": 9},
        {"label_type": mask_pb2.LabelType.LABEL_TYPE_UINT32},
        {"data": b""},
        {"data": b"no zlib"},
        {"data": zlib.compress(b"\0" * 39)},
        {"data": zlib.compress(b"\0" * 40)[:-2]},
        {"data": zlib.compress(b"\0" * 40) + b"more"},
        {"data": zlib.compress(bytes(50_000_000))},
    ],
)
def test_lying_label_images_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ImageUnreadableError):
        wire.label_image_from_proto(label_message(**changes))


# The size is checked before anything is unpacked.
def test_huge_label_images_are_refused() -> None:
    with pytest.raises(ImageTooLargeError):
        wire.label_image_from_proto(label_message(width_px=2**31 - 1, height_px=2**31 - 1))
    with pytest.raises(ImageTooLargeError):
        wire.label_image_from_proto(label_message(), ImageLimits(max_pixels=19))
