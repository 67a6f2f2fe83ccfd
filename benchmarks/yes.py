"""A model service that says yes to every question, `python -m benchmarks.yes`: every step of a real one."""

from __future__ import annotations

from typing import Self

from runtime.fakes import FakeAnswerer
from runtime.service import serve_model
from runtime.settings import ModelServerSettings


class Yes(FakeAnswerer):
    """Looks at nothing."""

    @classmethod
    def from_settings(cls, settings: ModelServerSettings) -> Self:
        """It has none."""
        del settings
        return cls(lambda _task: "Answer: yes")


if __name__ == "__main__":
    serve_model(Yes, ModelServerSettings)
