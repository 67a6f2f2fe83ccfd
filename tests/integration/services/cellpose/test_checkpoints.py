"""Checkpoints are loaded as a whole, or refused with the file's name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cellpose import vit

from hooke import codecs
from runtime.accelerators import choose
from runtime.settings import SettingsError
from runtime.tasks import SegmentTask
from runtime.weights import WeightsError
from services.cellpose.model import CellposeModel
from services.cellpose.network import Network, _Sizes, load_network
from services.cellpose.settings import CellposeSettings
from tests.tiny.cellpose import cells, library_model, settings

pytestmark = pytest.mark.torch

State = dict[str, torch.Tensor]


def load(folder: Path, name: str) -> None:
    CellposeModel(
        CellposeSettings(weights_dir=folder, cellpose_checkpoint=name, device="cpu", threads=1)
    ).load()


# The published network has the sizes that are read from its shapes: name for name, shape for shape.
def test_the_published_architecture() -> None:
    with torch.device("meta"):
        published = vit.CPSAM().state_dict()
        ours = Network(_Sizes.of(published))
    assert {name: value.shape for name, value in ours.state_dict().items()} == {
        name: value.shape for name, value in published.items()
    }
    assert (ours.tile_px, len(ours.encoder.blocks), ours.encoder.blocks[0].attn.num_heads) == (256, 24, 16)


# Weights that are not there are named with the command that gets them; nothing else is taken instead.
def test_missing_published_weights(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"cpsam is not there[\s\S]*python -m services\.cellpose fetch cpsam"
    ):
        load(tmp_path, "cpsam")


# A file of one's own that is not there is named.
@pytest.mark.parametrize("name", ["mine", "folder"])
def test_missing_own_weights(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(WeightsError, match=f"{name} is not there"):
        load(tmp_path, name)


def without_a_block(state: State) -> State:
    return {name: value for name, value in state.items() if "blocks.0." not in name}


def without_a_tensor(state: State) -> State:
    return {name: value for name, value in state.items() if name != "encoder.blocks.1.attn.proj.bias"}


def with_another(state: State) -> State:
    return {**state, "encoder.extra": torch.zeros(3)}


def of_another_shape(state: State) -> State:
    return {**state, "out.weight": torch.zeros(192, 7, 1, 1)}


def of_another_model(_: State) -> State:
    return {"encoder.cls_token": torch.zeros(3)}


def empty(_: State) -> State:
    return {}


# What is no such network, whole and of one piece, is refused; the library would fill it up with noise.
@pytest.mark.parametrize(
    "change",
    [without_a_block, without_a_tensor, with_another, of_another_shape, of_another_model, empty],
)
def test_incomplete_checkpoints(tmp_path: Path, checkpoint: Path, change: Callable[[State], State]) -> None:
    torch.save(change(torch.load(checkpoint, weights_only=True)), tmp_path / "mine")
    with pytest.raises(WeightsError, match="mine is no checkpoint of Cellpose-SAM"):
        load(tmp_path, "mine")


# What is no file of tensors at all is refused, and code inside it is never run.
@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\3\4 half of a zip file"])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine").write_bytes(content)
    with pytest.raises(WeightsError, match="mine"):
        load(tmp_path, "mine")


def test_code_is_never_run(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "was here"),)

    torch.save({"weights": Malicious()}, tmp_path / "mine")
    with pytest.raises(WeightsError, match="mine"):
        load(tmp_path, "mine")
    assert not (tmp_path / "was here").exists()


# Tensors beside other values are no checkpoint.
def test_mixed_content(tmp_path: Path) -> None:
    torch.save({"encoder.pos_embed": torch.zeros(1), "epoch": 3}, tmp_path / "mine")
    with pytest.raises(WeightsError, match="no mapping"):
        load(tmp_path, "mine")


# A checkpoint of several GPUs loads to the same network, and holds no more memory than its tensors.
def test_checkpoints_of_several_gpus(tmp_path: Path, checkpoint: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "mine")
    accelerator = choose(CellposeSettings(device="cpu"))
    network = load_network(tmp_path / "mine", accelerator)
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name])
        assert value.untyped_storage().nbytes() == value.numel() * 4


# Reduced precision gives what the library gives in it, bit for bit.
def test_bfloat16(tmp_path: Path, checkpoint: Path) -> None:
    model = CellposeModel(settings(tmp_path, precision="bfloat16"))
    assert model.load().device == "cpu (bfloat16)"
    image = cells((120, 130))
    expected, _, _ = library_model(checkpoint, use_bfloat16=True).eval(image)
    (found,) = model.segment([SegmentTask(codecs.from_array(image))])
    assert found.labels is not None
    assert expected.max() > 5
    assert np.array_equal(found.labels, expected)


# A precision or device that there is not is an error of the settings.
def test_impossible_settings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="precision"):
        CellposeSettings(precision="float16")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="HOOKE_DEVICE"):
        CellposeModel(settings(tmp_path, device="cuda:77")).load()


# The folders of the library are neither read nor made, whatever the environment says of them.
def test_the_folders_of_the_library(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tests.tiny.cellpose import cells, settings
from hooke import codecs
from runtime.tasks import SegmentTask
from services.cellpose.model import CellposeModel
model = CellposeModel(settings(Path({str(tmp_path)!r}), tile_px=64))
model.load()
print(model.segment([SegmentTask(codecs.from_array(cells((60, 70))))])[0].labels.max())
"""
    other = tmp_path / "other"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HOME": str(other), "CELLPOSE_LOCAL_MODELS_PATH": str(other / "models")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 0
    assert not (other / "models").exists()
    assert not (other / ".cellpose").exists()
