"""The parameters that a request may set."""

from __future__ import annotations

from typing import Literal

from runtime.decoding import Decoding, Sampling
from runtime.tasks import Parameters

PAPER = Sampling(temperature=0.2, top_p=0.7)
"""What arXiv:2405.00876 sampled LLaVA with."""

LabelNormalization = Literal["token_mean", "none", "prior"]


class LlavaParameters(Parameters):
    """The wire's LlavaParameters; None means that the server decides."""

    decoding: Decoding | None = None
    """How words are chosen; None: greedily."""
    label_normalization: LabelNormalization | None = None
    """What the likelihood of a class is measured by; None: the mean over its tokens."""
