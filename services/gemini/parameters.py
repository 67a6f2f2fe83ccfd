"""Parameters of the Gemini proxy."""

from __future__ import annotations

from typing import Literal

from runtime.decoding import Decoding
from runtime.tasks import Parameters


class GeminiParameters(Parameters):
    """The twin of the wire's GeminiParameters; None and empty: the proxy or its provider decides."""

    provider_model: str = ""
    """The provider's name of the model."""
    decoding: Decoding = Decoding()
    """How words are chosen."""
    gemini_media_resolution: Literal["low", "medium", "high"] | None = None
    """How many tokens each image becomes."""
