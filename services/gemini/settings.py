"""Settings of the Gemini proxy."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from runtime.provider_settings import Address, Names, Provider, ProviderSettings
from runtime.settings import Port, secret_of

KEY_NAME = "GEMINI_API_KEY"
"""The variable that holds the key, without its prefix."""


class GeminiSettings(ProviderSettings):
    """The settings of every proxy, and those of this one."""

    port: Port = 50057
    """gRPC port; each service has its own, so that all fit one machine."""
    gemini_api_key: SecretStr | None = None
    """The key for the provider, from https://aistudio.google.com. Without one the service starts and says
    what is missing."""
    gemini_api_key_file: Path | None = None
    """File that the key stands in, instead of the variable."""
    gemini_base_url: Address = "https://generativelanguage.googleapis.com"
    """Where the provider's API begins, without its version."""
    gemini_api_version: Annotated[str, Field(pattern=r"^v\d+(alpha|beta)?\d*$")] = "v1"
    """Version of the API. v1 is the stable one and has all that is asked of it here; names of models that end
    in `-latest`, and models that are tried out, may need `v1beta`."""
    gemini_model: Annotated[str, Field(min_length=1)] = "gemini-3.8-flash"
    """The provider's model where a request names none: the current one for everything."""
    gemini_models: Names = ()
    """Further models that requests may name, with commas between. None by default: each costs differently."""
    gemini_sampling_models: Names = ("gemini-1*", "gemini-2*")
    """Patterns of models that take a temperature, with commas between. They are asked to take the likeliest
    word where a request does not say how to choose. Google advises against it for Gemini 3, and newer models
    choose in their own way."""
    gemini_max_output_token_count: Annotated[int, Field(gt=0)] = 16384
    """Most tokens of an answer where a request sets none, hidden reasoning included: a bound on its cost."""
    gemini_max_side_px: Annotated[int, Field(ge=64)] = 3072
    """Longest side of an image as sent; larger ones are scaled down. The provider scales to that anyway."""
    gemini_safety_threshold: Literal[
        "off", "block_none", "block_only_high", "block_medium_and_above", "block_low_and_above"
    ] = "block_only_high"
    """From which probability of harm on the provider blocks a question or its answer. High only: the words of
    pathology and microbiology set off stricter filters."""

    @cached_property
    def provider(self) -> Provider:
        """Google, or whoever passes its API on."""
        return Provider(
            title="Gemini",
            base_url=self.gemini_base_url,
            key=secret_of(KEY_NAME, self.gemini_api_key, self.gemini_api_key_file),
            key_name=KEY_NAME,
            model=self.gemini_model,
            models=self.gemini_models,
            sampling_models=self.gemini_sampling_models,
        )
