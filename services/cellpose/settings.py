"""Settings of the Cellpose service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runtime.settings import Port, TorchServerSettings


class CellposeSettings(TorchServerSettings):
    """Which weights, and how much is computed together."""

    port: Port = 50054
    """gRPC port; 0 takes a free one. The one after SAM's."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Numbers that the network computes with. float32 by default, as the weights are published; bfloat16 is
    the library's own default, faster and smaller on a GPU, and gives slightly different flows."""
    cellpose_checkpoint: Annotated[str, Field(min_length=1)] = "cpsam"
    """`cpsam` or `cpsam_v2` for published weights; or a file of your own, fine-tuned from them (in the folder
    of the weights, or anywhere by its path)."""
    cellpose_tile_batch_size: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Most tiles of 256 x 256 pixels in one forward pass, of however many images. More need more memory;
    where it runs out, a quarter is tried once. Absent: 8 on a GPU, as in the library; 1 on a CPU, where more
    only crowd its caches."""
    cellpose_max_tiles: Annotated[int, Field(ge=1)] = 16384
    """Most tiles of 256 x 256 pixels that one request may come to, once its image is enlarged to the diameter
    of its objects. The largest image that is taken costs 1,521 as it is, a full volume of 256 planes of
    512 x 512 pixels 8,448. A GPU computes some tens in a second, a CPU takes seconds for each."""
