"""The command line where the parameters of a model are set, and where a model has no use for an option."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tifffile

import hooke.parameters
from hooke.cli.parameters import OF_ALL
from tests.unit.hooke.command_line import Hooke, write_image
from tests.unit.hooke.lab import Lab


# Numbers, texts, switches and what stands deeper arrive; the model whose they are is asked.
def test_set(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    hooke(
        "segment", "a.png", "--set", "cellpose.cellpose_volume_mode=stitched",
        "--set", "cellpose.stitch_threshold=0.5", "--set", "cellpose.iteration_count=9",
        "--set", "cellpose.flows_returned=true",
    )  # fmt: skip
    hooke("count", "a.png", "--set", "openai.provider_model=x=y", "--set", "openai.decoding.seed=4")
    hooke("classify", "a.png", "--labels", "a,b", "--set", "llava.label_normalization=prior")
    hooke(
        "ask", "a.png", "What?", "--model", "gemini", "--max-tokens", "9", "--set", "gemini.decoding.top_p=1"
    )
    (segmented,), (counted,) = lab.calls("Segment"), lab.calls("Count")
    (classified,), (asked,) = lab.calls("Classify"), lab.calls("StreamAsk")
    cellpose = segmented.request.cellpose
    assert segmented.request.model == "cellpose"
    assert (cellpose.cellpose_volume_mode, cellpose.stitch_threshold) == (1, 0.5)
    assert (cellpose.iteration_count, cellpose.flows_returned) == (9, True)
    assert not cellpose.HasField("anisotropy")
    assert (counted.request.model, counted.request.openai.provider_model) == ("openai", "x=y")
    assert counted.request.openai.decoding.seed == 4
    assert classified.request.model == "llava"
    assert classified.request.WhichOneof("parameters") == "llava"
    decoding = asked.request.gemini.decoding
    assert (decoding.max_output_token_count, decoding.top_p) == (9, 1)


# It goes together with the options that are SAM's own.
def test_set_beside_points(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    hooke(
        "segment",
        "a.png",
        "--point",
        "1,1",
        "--set",
        "sam.session_id=s",
        "--set",
        "sam.multimask_output=false",
    )
    (call,) = lab.calls("Segment")
    assert (call.request.model, call.request.sam.session_id) == ("sam", "s")
    assert len(call.request.sam.prompts.points) == 1
    assert call.request.sam.prompts.HasField("multimask_output")


# What cannot be meant is refused before anything is sent, with what there is.
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "flow_threshold=1"], "not of the form MODEL.NAME=VALUE"),
        (["--set", "cellpose.flow_threshold"], "not of the form MODEL.NAME=VALUE"),
        (["--set", "llava.label_normalization=none"], "there are classical, sam, cellpose"),
        (["--set", "cellpose.flow_treshold=1"], "it has flow_threshold, cell_probability_threshold,"),
        (["--set", "sam.points=1"], "sam has no parameter 'points'"),
        (["--set", "cellpose.flow_threshold=much"], "'much' is no number"),
        (["--set", "cellpose.iteration_count=9.5"], "'9.5' is no whole number"),
        (["--set", "cellpose.flows_returned=yes"], "'yes' is neither true nor false"),
        (["--set", "cellpose.cellpose_volume_mode=half"], "known are stitched, full"),
        (["--set", "cellpose.anisotropy=1", "--set", "cellpose.anisotropy=2"], "anisotropy is set twice"),
        (["--preset", "paper", "--set", "sam.sam_preset=default"], "sam_preset is set twice"),
        (["--set", "cellpose.anisotropy=1", "--model", "classical"], "not for classical, which is asked"),
        (["--point", "1,1", "--set", "cellpose.anisotropy=1"], "not for sam, which is asked"),
        (["--set", "cellpose.anisotropy=1", "--set", "sam.session_id=s"], "not for cellpose, which is asked"),
    ],
)
def test_what_cannot_be_set(arguments: list[str], told: str, hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    done = hooke("segment", "a.png", *arguments)
    assert done.code != 0
    assert told in " ".join(done.err.replace("│", " ").split())
    assert not lab.calls("Segment")


# No model's parameters are forgotten.
def test_every_model_with_parameters_is_there() -> None:
    kinds = {value for name, value in vars(hooke.parameters).items() if name.endswith("Parameters")}
    assert set(OF_ALL.values()) == {kind for kind in kinds if isinstance(kind, type)}
    assert all(fields(kind) for kind in OF_ALL.values())


# A stack comes back as a volume: the labels are whole, the overlay shows them from above.
def test_a_stack(hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "stack.tif", np.zeros((4, 2, 3), np.uint8), imagej=True, metadata={"axes": "ZYX"}
    )
    lab.labels = np.zeros((4, 2, 3), np.uint16)
    lab.labels[1, 0, 0] = 1
    done = hooke("segment", "stack.tif", "--set", "cellpose.cellpose_volume_mode=stitched", "--out", "masks")
    assert done.code == 0, done.err
    assert np.array_equal(tifffile.imread(tmp_path / "masks" / "stack_labels.tif"), lab.labels)
    assert (tmp_path / "masks" / "stack_overlay.png").is_file()


# What a model has no use for is said by the names of the options, once for all images.
@pytest.mark.parametrize("command", ["count", "segment", "classify"])
def test_options_without_use(command: str, hooke: Hooke, lab: Lab, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name)
    lab.unused = ("prompt.object_name", "expected_diameter_px", "something.new")
    labels = ("--labels", "a,b") if command == "classify" else ()
    done = hooke(command, "a.png", "b.png", *labels)
    assert done.code == 0
    assert done.err == "m has no use for --objects, --diameter-px, something.new, which changed nothing.\n"
    lab.unused = ()
    assert hooke(command, "a.png", *labels).err == ""
