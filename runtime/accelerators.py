"""Where a PyTorch model computes, and with which numbers.

The one module of the runtime that knows PyTorch. It imports it inside its functions, which only models
that run on PyTorch call, inside `load`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.settings import PREFIX, SettingsError, TorchServerSettings

if TYPE_CHECKING:
    import torch

_DEVICE = re.compile(r"cpu|cuda(?::(?P<index>\d+))?")

_CPU_ALLOCATION_FAILED = "DefaultCPUAllocator"
_LIBRARY_ALLOCATION_FAILED = re.compile(r"CUBLAS_STATUS_ALLOC_FAILED|CUDA error: out of memory")
"""What PyTorch says, as plain RuntimeErrors, of memory that it did not get by its own GPU allocator."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A device, and the numbers that the heavy part of a model computes with there.

    Attributes:
        device: for `module.to` and `tensor.to`.
        dtype: float32, bfloat16 or float16.
        name: for ModelCard.device, for example "cpu" or "cuda:0 (NVIDIA L4, bfloat16)".
    """

    device: torch.device
    dtype: torch.dtype
    name: str


def choose(settings: TorchServerSettings) -> Accelerator:
    """Return the device and precision that the settings ask for.

    `auto` is the first NVIDIA GPU, else the CPU. Apple's GPUs are left out, because they lack the float64
    that published code computes coordinates with. The CPU takes every precision: bfloat16 is faster on CPUs
    with AMX or AVX-512-BF16 and slower on others, float16 is there to try what a GPU would answer.

    Raises:
        SettingsError: there is no such device, or it cannot compute with this precision.
    """
    import torch  # noqa: PLC0415  (see above)

    wanted = settings.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    match = _DEVICE.fullmatch(wanted)
    if match is None:
        raise SettingsError(f"{PREFIX}DEVICE: {wanted!r} is none of auto, cpu, cuda, cuda:1, ...")
    dtype: torch.dtype = getattr(torch, settings.precision)
    suffix = "" if settings.precision == "float32" else settings.precision
    if wanted == "cpu":
        return Accelerator(torch.device("cpu"), dtype, f"cpu ({suffix})" if suffix else "cpu")
    index = int(match["index"] or 0)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        found = f"PyTorch finds {count} GPU(s)" if count else "PyTorch finds no GPU that it can use"
        raise SettingsError(f"{PREFIX}DEVICE: there is no {wanted}: {found}")
    device = torch.device("cuda", index)
    # Emulated bfloat16 would be slower than float32, and not what was asked for.
    with torch.cuda.device(device):
        if settings.precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise SettingsError(
                f"{PREFIX}PRECISION: {torch.cuda.get_device_name(device)} has no bfloat16; use float16"
            )
    about = ", ".join(filter(None, (torch.cuda.get_device_name(device), suffix)))
    return Accelerator(device, dtype, f"{device} ({about})")


def limit_threads(count: int) -> None:
    """Let PyTorch compute with `count` threads on the CPU; call it on the thread that computes."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(count)


def out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory ran out, on a GPU or on the CPU.

    What failed may be tried again with less at a time, once nothing of the failed attempt is referred to
    any more and `torch.cuda.empty_cache()` has given its memory back.
    """
    import torch  # noqa: PLC0415

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        _CPU_ALLOCATION_FAILED in text or _LIBRARY_ALLOCATION_FAILED.search(text) is not None
    )
