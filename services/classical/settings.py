"""Settings of the classical service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runtime.settings import ModelServerSettings, Port, usable_cores


class ClassicalSettings(ModelServerSettings):
    """One worker process for each core: the algorithms are CPU-bound and hold Python's lock."""

    port: Port = 50052
    """gRPC port; 0 takes a free one. The one after the gateway's."""
    workers: Annotated[int, Field(ge=0, le=256)] = Field(default_factory=usable_cores)
    """Worker processes; 0 runs the model on a thread of the server. One for each core by default."""
