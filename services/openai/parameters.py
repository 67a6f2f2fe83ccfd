"""Parameters of the OpenAI proxy."""

from __future__ import annotations

from typing import Literal

from runtime.decoding import Decoding
from runtime.tasks import Parameters


class OpenaiParameters(Parameters):
    """The twin of the wire's OpenaiParameters; None and empty: the proxy or its provider decides."""

    provider_model: str = ""
    """The provider's name of the model."""
    decoding: Decoding = Decoding()
    """How words are chosen."""
    openai_detail: Literal["low", "high"] | None = None
    """How closely the images are looked at."""
