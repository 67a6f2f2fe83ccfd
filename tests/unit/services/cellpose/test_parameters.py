"""The parameters and settings of Cellpose, without PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hooke.v1 import inference_service_pb2 as pb
from hooke.v1 import parameters_pb2
from runtime.checks import Checks
from runtime.parameters import read_parameters
from runtime.settings import SettingsError, load_settings
from services.cellpose.model import CellposeModel
from services.cellpose.parameters import CellposeParameters
from services.cellpose.settings import CellposeSettings
from services.cellpose.weights import FILES


def read(**fields: Any) -> CellposeParameters:
    request = pb.SegmentRequest(cellpose=parameters_pb2.CellposeParameters(**fields))
    checks = Checks()
    found = read_parameters(checks, request, CellposeModel)
    checks.finish()
    assert isinstance(found, CellposeParameters)
    return found


# Every field of the wire has its twin, and none beside.
def test_the_twin_is_complete() -> None:
    descriptor = parameters_pb2.CellposeParameters.DESCRIPTOR
    assert CellposeParameters.model_fields.keys() == {field.name for field in descriptor.fields}


# What a message does not say is left to the model, which knows what was said.
def test_absent_fields_are_defaults() -> None:
    assert read() == CellposeParameters()
    assert read().model_fields_set == set()
    given = read(flow_threshold=0.0, min_area_px=0, normalization_skipped=False)
    assert (given.flow_threshold, given.min_area_px, given.normalization_skipped) == (0, 0, False)
    assert given.model_fields_set == {"flow_threshold", "min_area_px", "normalization_skipped"}


# The modes of a stack arrive by name, and say whether the image keeps its planes.
def test_volume_modes() -> None:
    modes = parameters_pb2.CellposeVolumeMode
    for mode, name in (
        (modes.CELLPOSE_VOLUME_MODE_STITCHED, "stitched"),
        (modes.CELLPOSE_VOLUME_MODE_FULL, "full"),
    ):
        found = read(cellpose_volume_mode=mode)
        assert found.cellpose_volume_mode == name
        assert CellposeModel.takes_volume(found)
    assert not CellposeModel.takes_volume(read())
    assert not CellposeModel.takes_volume(None)


# Bounds are kept as the wire says them.
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("flow_threshold", (0, 0.4, 3), (-0.1, float("nan"), float("inf"))),
        ("cell_probability_threshold", (-100, 0, 6, 100), (float("nan"), float("-inf"), -101, 1e300)),
        ("min_area_px", (0, 15, 10**6), (-1,)),
        ("max_area_fraction", (0.001, 1), (0, 1.1, float("nan"))),
        ("low_percentile", (0, 98.9), (-1, 99, 101)),
        ("high_percentile", (1.1, 100), (1, 0, 101, float("nan"))),
        ("iteration_count", (1, 2000), (0, -5, 20_001)),
        ("tile_overlap", (0.05, 0.5), (0.04, 0.51, float("nan"))),
    ],
)
def test_bounds(name: str, good: tuple[float, ...], bad: tuple[float, ...]) -> None:
    for value in good:
        assert getattr(CellposeParameters(**{name: value}), name) == value
    for value in bad:
        with pytest.raises(ValidationError):
            CellposeParameters(**{name: value})


# What only some modes know is refused in the others, not ignored.
@pytest.mark.parametrize(
    ("name", "value", "mode"), [("stitch_threshold", 0.5, "stitched"), ("anisotropy", 2.0, "full")]
)
def test_parameters_of_volumes(name: str, value: float, mode: str) -> None:
    assert getattr(CellposeParameters(**{name: value, "cellpose_volume_mode": mode}), name) == value
    for other in {None, "stitched", "full"} - {mode}:
        with pytest.raises(ValidationError, match=f"{name} is only for"):
            CellposeParameters(**{name: value, "cellpose_volume_mode": other})
    for bad in (0, -1, float("nan")):
        with pytest.raises(ValidationError):
            CellposeParameters(**{name: bad, "cellpose_volume_mode": mode})


# Settings come from the environment, and the ones that cannot be are named.
def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKE_CELLPOSE_CHECKPOINT", "/data/mine")
    monkeypatch.setenv("HOOKE_WEIGHTS_DIR", "/data")
    settings = load_settings(CellposeSettings)
    assert (settings.port, settings.cellpose_checkpoint, settings.weights_dir) == (
        50054,
        "/data/mine",
        Path("/data"),
    )
    monkeypatch.setenv("HOOKE_CELLPOSE_TILE_BATCH_SIZE", "0")
    with pytest.raises(SettingsError, match="HOOKE_CELLPOSE_TILE_BATCH_SIZE"):
        load_settings(CellposeSettings)


# Published files are pinned to a revision, a size and a digest.
def test_published_files() -> None:
    assert CellposeSettings().cellpose_checkpoint in FILES
    for name, file in FILES.items():
        assert (file.name, file.file_name) == (name, name)
        assert "/resolve/main/" not in file.url
        assert file.sha256 is not None
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.size_bytes is not None


# A process that only names the model imports neither PyTorch nor the library.
def test_no_heavy_import() -> None:
    script = """
import sys
from services.cellpose.model import CellposeModel
from services.cellpose.settings import CellposeSettings
CellposeModel.from_settings(CellposeSettings())
print(sorted({"torch", "cellpose", "segment_anything", "cv2"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
