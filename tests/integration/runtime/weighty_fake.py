"""A fake model with a file of weights, as `python -m services.fake` would be.

FAKE_URL is where its weights are published, FAKE_LIBRARY a library that it cannot do without.
"""

from __future__ import annotations

import os
from typing import Self

from runtime.download import weights_for
from runtime.fakes import FakeModel
from runtime.model_main import model_main
from runtime.settings import ModelServerSettings, TorchServerSettings
from runtime.tasks import ModelCard
from runtime.weights import WeightsFile

CONTENT = b"weights"
FILES = {
    "tiny": WeightsFile("tiny", "tiny.pth", os.environ.get("FAKE_URL", ""), len(CONTENT), None, "Apache-2.0"),
    "large": WeightsFile("large", "large.pth", "http://127.0.0.1:9/", 2_564_550_879, None, "CC-BY-NC-4.0"),
}


class WeightyModel(FakeModel):
    """Loads the weights called "tiny"."""

    libraries = (os.environ.get("FAKE_LIBRARY", "json"),)
    settings: TorchServerSettings

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        model = cls()
        assert isinstance(settings, TorchServerSettings)
        model.settings = settings
        return model

    def load(self) -> ModelCard:
        weights_for(self.settings, FILES["tiny"], self.name)
        return super().load()


if __name__ == "__main__":
    model_main(WeightyModel, TorchServerSettings, FILES)
