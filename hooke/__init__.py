"""Hooke: ask any model about a micrograph, through one address.

    import hooke

    with hooke.Client("localhost:50051") as client:
        result = client.segment("cells.tif", model="classical", expected_diameter_um=12)
        print(len(result.instances), result.provenance.model_version)

`AsyncClient` is the same for asyncio. Everything that can go wrong is in `hooke.errors`, every answer in
`hooke.types`; `hooke.codecs` reads and writes images, `hooke.masks` writes results to files.
"""

from hooke import errors, types
from hooke._channel import Tls
from hooke.aio import AsyncClient
from hooke.client import Client
from hooke.conversations import Prompt, Turn
from hooke.errors import HookeError
from hooke.images import Micrograph, PixelSize, View
from hooke.parameters import (
    CellposeParameters,
    ClassicalParameters,
    Decoding,
    GeminiParameters,
    LlavaParameters,
    OpenaiParameters,
    SamParameters,
    SamPoint,
)
from hooke.streams import AnswerStream, AsyncAnswerStream
from hooke.types import Box

__all__ = [
    "AnswerStream",
    "AsyncAnswerStream",
    "AsyncClient",
    "Box",
    "CellposeParameters",
    "ClassicalParameters",
    "Client",
    "Decoding",
    "GeminiParameters",
    "HookeError",
    "LlavaParameters",
    "Micrograph",
    "OpenaiParameters",
    "PixelSize",
    "Prompt",
    "SamParameters",
    "SamPoint",
    "Tls",
    "Turn",
    "View",
    "errors",
    "types",
]
