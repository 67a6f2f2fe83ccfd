"""How a model that writes chooses its words: the wire's Decoding, and what it comes to for a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from hooke.types import UsedParameter
from runtime.tasks import Parameters


@dataclass(frozen=True, slots=True)
class Sampling:
    """From what the next token is drawn; None where that is left to the provider.

    Attributes:
        temperature: 0 takes the likeliest token, always; more is more random.
        top_p: share of the probability that tokens are drawn from, the likeliest first.
    """

    temperature: float | None
    top_p: float | None


GREEDY = Sampling(temperature=0.0, top_p=1.0)
"""The likeliest token, always."""


class Decoding(Parameters):
    """The wire's Decoding; None means that the preset or the server decides."""

    decoding_preset: Literal["greedy", "paper"] | None = None
    """Where to begin from; None: greedy."""
    max_output_token_count: int | None = Field(default=None, gt=0)
    """Most tokens to write; None: the server decides."""
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    """Sampling temperature; 0 takes the likeliest token. None: that of the preset."""
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    """Share of the probability that tokens are sampled from; None: that of the preset."""
    seed: int | None = None
    """Seed of the sampling; None: the server decides."""

    def sampling(self, paper: Sampling) -> Sampling:
        """The preset with the fields that the request sets.

        Args:
            paper: what the preset "paper" is for the model's family.
        """
        preset = paper if self.decoding_preset == "paper" else GREEDY
        return Sampling(
            preset.temperature if self.temperature is None else self.temperature,
            preset.top_p if self.top_p is None else self.top_p,
        )

    def used(self, sampling: Sampling) -> tuple[UsedParameter, ...]:
        """The preset, temperature and top_p as used; what is left to the provider does not stand there.

        Args:
            sampling: what was made of this, usually by `sampling`.
        """
        used = [
            UsedParameter("decoding_preset", self.decoding_preset or "greedy", self.decoding_preset is None)
        ]
        if sampling.temperature is not None:
            used.append(UsedParameter("temperature", sampling.temperature, self.temperature is None))
        if sampling.top_p is not None:
            used.append(UsedParameter("top_p", sampling.top_p, self.top_p is None))
        return tuple(used)
