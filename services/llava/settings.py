"""Settings of the LLaVA service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runtime.settings import Port, TorchServerSettings


class LlavaSettings(TorchServerSettings):
    """Which checkpoint is served, and how."""

    port: Port = 50055
    """gRPC port; 0 takes a free one."""
    llava_checkpoint: Annotated[str, Field(min_length=1)] = "llava-hf/llava-1.5-7b-hf"
    """The checkpoint: a folder, absolute or under HOOKE_WEIGHTS_DIR, or an id of the Hugging Face Hub, which
    `python -m services.llava fetch ID` puts into the folder of that name there."""
    llava_revision: str | None = None
    """Commit, tag or branch of the checkpoint that is fetched. Absent: the commit that Hooke was written for
    where it knows the checkpoint, else the newest."""
    llava_quantization: Literal["none", "8bit", "4bit"] = "none"
    """Whether the weights are held in 8 or 4 bits (bitsandbytes, on an NVIDIA GPU): a quarter or an eighth of
    the memory of float32, and answers that differ somewhat."""
    llava_max_output_token_count: Annotated[int, Field(ge=1)] = 512
    """Most tokens that are written where a request does not say."""
