"""A model that a provider charges for, as a real server that is asked over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

from hooke.types import TokenUsage, UsedParameter
from runtime.fakes import FakeAnswerer, serving
from runtime.service import ModelService
from runtime.tasks import Answer, AskTask, ModelCard

COUNTING = """
name: words
tasks:
  - name: cells
    kind: counting
    dataset:
      {loader: simulated, images: IMAGES, seed: 2, width_px: 64, height_px: 64, diameter_px: 8,
       count_min: 1, count_max: 6, unevenness: 0, debris: 0}
"""
"""A suite for it."""


class Provider(FakeAnswerer):
    """Counts three; every answer costs the same, 100 tokens in and 2 out.

    Args:
        cost_micro_usd: of each answer; None: its price is not known.
        version: what it says that answered; its card does not say that.
        temperature: what it says that it was asked with.

    Attributes:
        replies: what it says, in turn.
    """

    name: ClassVar[str] = "provider"

    def __init__(
        self, cost_micro_usd: int | None = 250, version: str = "2026-11", temperature: float | None = 0.0
    ) -> None:
        super().__init__(lambda task: self.replies[len(self.asked) % len(self.replies)])
        self.cost_micro_usd = cost_micro_usd
        self.version = version
        self.temperature = temperature
        self.replies = ("Count: 3",)

    def load(self) -> ModelCard:
        return replace(super().load(), version="latest", remote=True)

    def _write(self, task: AskTask) -> Answer:
        usage = TokenUsage(
            100, 2, cost_micro_usd=self.cost_micro_usd, price_missing=self.cost_micro_usd is None
        )
        used = () if self.temperature is None else (UsedParameter("temperature", self.temperature),)
        return replace(super()._write(task), usage=usage, parameters=used, model_version=self.version)


def counting(images: int) -> str:
    """A suite of one task of so many images."""
    return COUNTING.replace("IMAGES", str(images))


@asynccontextmanager
async def provider_service(model: Provider, **settings: Any) -> AsyncIterator[ModelService]:
    """Serve it on loopback."""
    async with serving(Provider, lambda: model, **settings) as service:
        yield service
