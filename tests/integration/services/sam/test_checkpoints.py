"""Checkpoints: every size is read from its shapes; what is not whole is refused, with the way to mend it."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from segment_anything import sam_model_registry
from segment_anything.modeling import Sam

from runtime.weights import WeightsError, sha256_of
from services.sam.checkpoint import NoSamError, build, load_checkpoint
from services.sam.settings import SamSettings
from services.sam.weights import FILES, locate
from tests.tiny import sam as tiny

pytestmark = pytest.mark.torch


def structure(sam: Sam) -> dict[str, Any]:
    """What the modules are made of: their kinds and every plain attribute, beside the weights."""
    plain = (bool, int, float, str, tuple)
    return {
        name: (type(module).__name__, {k: v for k, v in vars(module).items() if isinstance(v, plain)})
        for name, module in sam.named_modules()
    }


# From the shapes alone the published sizes come out as the library's registry has them.
@pytest.mark.parametrize("name", FILES)
def test_published_sizes(name: str) -> None:
    with torch.device("meta"):
        expected = sam_model_registry[name]()
    built = build(expected.state_dict(), decoder_heads=8)
    assert structure(built) == {
        name: (kind, {**attributes, "training": False})
        for name, (kind, attributes) in structure(expected).items()
    }
    assert not any(parameter.requires_grad for parameter in built.parameters())


# A file of one's own is loaded by its name in the folder of the weights, or by its path.
def test_a_file_of_ones_own(settings: SamSettings, library: Sam, tmp_path: Path) -> None:
    for name in ("tiny.pth", str(tmp_path / "tiny.pth")):
        loaded = load_checkpoint(locate(settings.model_copy(update={"sam_checkpoint": name})))
        assert loaded.name == "tiny"
        assert loaded.sha256 == sha256_of(tmp_path / "tiny.pth")
        assert structure(loaded.sam) == structure(library)
        for key, value in library.state_dict().items():
            assert torch.equal(loaded.sam.state_dict()[key], value)


# Weights in half precision are computed with in float32.
def test_half_precision(settings: SamSettings, tmp_path: Path) -> None:
    weights = torch.load(tmp_path / "tiny.pth", weights_only=True)
    torch.save({key: value.half() for key, value in weights.items()}, tmp_path / "tiny.pth")
    loaded = load_checkpoint(locate(settings))
    assert {value.dtype for value in loaded.sam.state_dict().values()} == {torch.float32}


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def text(path: Path) -> None:
    path.write_text("<html>not found</html>", encoding="utf-8")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_list(path: Path) -> None:
    torch.save([torch.zeros(3)], path)


def a_program(path: Path) -> None:
    class Program:
        def __reduce__(self) -> Any:
            return (os.system, ("touch executed",))

    path.write_bytes(pickle.dumps(Program(), protocol=2))


# A damaged file, or one of something else, is an error that names it; nothing in it is executed.
@pytest.mark.parametrize("damage", [cut_off, text, empty, a_list, a_program])
def test_damaged_files(damage: Callable[[Path], None], settings: SamSettings, tmp_path: Path) -> None:
    damage(tmp_path / "tiny.pth")
    with pytest.raises(WeightsError, match=r"cannot be read|something else") as caught:
        load_checkpoint(locate(settings))
    assert str(tmp_path / "tiny.pth") in str(caught.value)
    assert "python -m services.sam fetch" in str(caught.value)
    assert not Path("executed").exists()


# A weight too few, too many or of another shape is named.
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mask_decoder.iou_token.weight", None, "mask_decoder.iou_token.weight is missing"),
        ("image_encoder.pos_embed", None, "no image_encoder.pos_embed"),
        ("image_encoder.extra", torch.zeros(2), "image_encoder.extra is unknown"),
        (
            "mask_decoder.iou_token.weight",
            torch.zeros(2, 32),
            r"mask_decoder.iou_token.weight has shape \(2, 32\) instead of \(1, 32\)",
        ),
        ("image_encoder.pos_embed", torch.zeros(8, 32), "do not fit together"),
        ("image_encoder.blocks.0.attn.rel_pos_h", torch.zeros(9, 16), "rel_pos_w has shape"),
        (
            "mask_decoder.transformer.final_attn_token_to_image.q_proj.weight",
            torch.zeros(0, 32),
            "do not fit",
        ),
    ],
)
def test_weights_that_do_not_fit(key: str, value: torch.Tensor | None, message: str) -> None:
    weights = dict(tiny.build().state_dict())
    weights.pop(key, None)
    if value is not None:
        weights[key] = value
    with pytest.raises(NoSamError, match=message):
        build(weights, tiny.DECODER_HEADS)


# Weights of something else are refused with a few of the faults, not with hundreds.
def test_weights_of_something_else(settings: SamSettings, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "tiny.pth")
    with pytest.raises(WeightsError, match="no image_encoder") as caught:
        load_checkpoint(locate(settings))
    assert len(str(caught.value)) < 1000


# Heads that do not divide the width are no heads.
def test_heads_that_do_not_fit(settings: SamSettings, tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps({"decoder_heads": 5}), encoding="utf-8")
    with pytest.raises(WeightsError, match="do not fit together"):
        load_checkpoint(locate(settings))
