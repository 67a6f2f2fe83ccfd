"""The measurement for machines with a GPU, tried without one on tiny models."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu import measuring
from benchmarks.gpu.__main__ import MODELS, _targets, main
from benchmarks.gpu.measuring import Row
from benchmarks.gpu.work import Work

pytestmark = pytest.mark.torch


# Without a GPU it says so, and that is no failure.
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "no NVIDIA GPU" in capsys.readouterr().out


# Every model is measured with both kinds of numbers, in every batch, beside its library.
@pytest.mark.parametrize("model", MODELS)
def test_everything_runs_on_tiny_models(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tiny", model]) == 0
    text = capsys.readouterr().out
    float32, bfloat16 = (
        line.split("|")[2:-1] for line in text.splitlines() if "float" in line and "|" in line
    )
    assert float32[0].strip() == "float32"
    assert bfloat16[0].strip() == "bfloat16"
    assert all(float(cell) > 0 for cell in float32[1:])
    assert all(float(cell) > 0 for cell in bfloat16[2:])
    assert "target: at least 2" in text


# A model that is unknown is refused, with those that are known.
def test_a_model_that_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--tiny", "yolo"])
    assert caught.value.code == 2
    assert "yolo" in capsys.readouterr().err


# Batches that do not fit are left out, those that do are measured; a plain loop that does not fit, too.
def test_what_does_not_fit_is_left_out() -> None:
    def batched(size: int) -> int:
        if size > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return size

    def plain() -> int:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    assert set(measuring._speeds(Work(plain, batched), rounds=1)) == {"1", "2", "4"}
    assert set(measuring._speeds(Work(None, batched), rounds=1)) == {"1", "2", "4"}
    with pytest.raises(ZeroDivisionError):
        measuring._speeds(Work(lambda: 1 // 0, batched), rounds=1)


# The fastest way is held against the loop in float32, or in bfloat16 where float32 does not fit.
def test_targets() -> None:
    rows = [
        Row("a", "float32", 2.0, {1: 2.0, 8: 3.0}),
        Row("a", "bfloat16", 4.0, {1: 4.0, 8: 5.0}),
        Row("b", "float32", None, {}),
        Row("b", "bfloat16", 1.0, {1: 1.0}),
        Row("c", "float32", None, {}),
    ]
    first, second = _targets(rows)
    assert (first.figure, first.met) == (2.5, True)
    assert (second.figure, second.met) == (1.0, False)
    assert "bfloat16" in second.text
