"""Settings of the SAM service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runtime.settings import MIB, Port, TorchServerSettings


class SamSettings(TorchServerSettings):
    """Which weights, and how much may be kept and computed."""

    port: Port = 50053
    """gRPC port; 0 takes a free one. The one after the classical model's."""
    sam_checkpoint: Annotated[str, Field(min_length=1)] = "vit_h"
    """`vit_h`, `vit_l` or `vit_b` for published weights, largest first; or a file of your own (in the folder
    of the weights, or anywhere by its path) with a JSON file of the same name beside it."""
    sam_embedding_cache_bytes: Annotated[int, Field(ge=0)] = 1024 * MIB
    """Bytes of main memory for embeddings of images, so that the next prompt on an image skips the encoder;
    4 MiB for an image, least recently used dropped first. 0 keeps none."""
    sam_max_sessions: Annotated[int, Field(ge=0)] = 64
    """Most sessions whose image is kept before all others; one more ends the one idle for longest."""
    sam_session_idle_s: Annotated[float, Field(gt=0)] = 900.0
    """Seconds after its last prompt for which a session's image is kept before others."""
    sam_max_points: Annotated[int, Field(ge=1)] = 65536
    """Most points of a grid over all crops, each crop beside the whole image counted as 1,000 points more,
    about what encoding it costs. The microscopy preset costs 12,192, the finest grid without crops 65,536."""
    sam_encoder_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Most images encoded in one forward pass. Absent: 8 on a GPU; 1 on a CPU, where more are no faster."""
    sam_decoder_bytes: Annotated[int, Field(ge=MIB)] = 2048 * MIB
    """Bytes for the masks that are decoded together: of large images fewer at a time. 2 GiB fit the 64 points
    that the library decodes together, up to images of 1600 x 1600 pixels."""
