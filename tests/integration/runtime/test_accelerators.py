"""Devices and precisions, with the real PyTorch."""

import pytest
import torch

from runtime.accelerators import choose, limit_threads, out_of_memory
from runtime.settings import SettingsError, TorchServerSettings

pytestmark = pytest.mark.torch

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is an NVIDIA GPU")


# Without a GPU, `auto` is the CPU with the numbers of the published results.
@no_gpu
def test_auto_without_gpu() -> None:
    chosen = choose(TorchServerSettings())
    assert (chosen.device, chosen.dtype, chosen.name) == (torch.device("cpu"), torch.float32, "cpu")


# With a GPU, `auto` is the first one, and its name says what it is.
@gpu
def test_auto_with_gpu() -> None:
    chosen = choose(TorchServerSettings())
    assert chosen.device == torch.device("cuda:0")
    assert chosen.name == f"cuda:0 ({torch.cuda.get_device_name(0)})"
    assert choose(TorchServerSettings(device="cuda", precision="float16")).name.endswith(", float16)")


# The CPU computes a layer in every precision.
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_precisions_of_the_cpu(precision: str) -> None:
    chosen = choose(TorchServerSettings(device="cpu", precision=precision))  # type: ignore[arg-type]
    layer = torch.nn.Conv2d(1, 2, 3).to(chosen.device, chosen.dtype)
    assert layer(torch.ones(1, 1, 4, 4, dtype=chosen.dtype)).dtype == getattr(torch, precision)
    assert chosen.name == ("cpu" if precision == "float32" else f"cpu ({precision})")


# A device that is not there, or that there is no such thing as, is an error that names the variable.
@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cuda:", "cuda:0,1", "cpu:1", "autocpu", ""])
def test_no_such_device(device: str) -> None:
    with pytest.raises(SettingsError, match="HOOKE_DEVICE"):
        choose(TorchServerSettings(device=device))


# The number of threads is that of the setting, on the thread that asks for it.
def test_threads() -> None:
    before = torch.get_num_threads()
    try:
        limit_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        limit_threads(before)


# Memory that runs out is told from other errors, on the CPU as on a GPU.
def test_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert out_of_memory(caught.value)
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB."))
    assert out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling ..."))
    assert out_of_memory(MemoryError())
    assert not out_of_memory(RuntimeError("shapes do not fit: out of memory of the author"))
    assert not out_of_memory(ValueError("DefaultCPUAllocator"))


# A real GPU that has no more memory raises what is recognised.
@gpu
def test_gpu_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**13, device="cuda:0")
    assert out_of_memory(caught.value)
