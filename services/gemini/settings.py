"""Settings of the Gemini proxy."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from runtime.settings import PREFIX, Port, RemoteServerSettings, secret_of

KEY_SETTING = f"{PREFIX}GEMINI_API_KEY"
"""The variable that holds the key."""

Names = Annotated[tuple[str, ...], NoDecode]
"""Written in the environment as one text, with commas between."""


class GeminiSettings(RemoteServerSettings):
    """The settings of every proxy, and those of this one."""

    port: Port = 50057
    """gRPC port; each service has its own, so that all fit one machine."""
    gemini_api_key: SecretStr | None = None
    """The key for the provider, from https://aistudio.google.com. Without one the service starts and says
    what is missing."""
    gemini_api_key_file: Path | None = None
    """File that the key stands in, instead of the variable."""
    gemini_base_url: str = "https://generativelanguage.googleapis.com"
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

    @field_validator("gemini_models", "gemini_sampling_models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name for part in value.split(",") if (name := part.strip()))
        return value

    @field_validator("gemini_base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError(
                "an address such as https://proxy.example/gemini is expected, without a password"
            )
        return value.rstrip("/")

    @model_validator(mode="after")
    def _key_is_there(self) -> Self:
        _ = self.api_key  # a file that cannot be read is an error before any port opens
        return self

    @cached_property
    def api_key(self) -> SecretStr | None:
        """The key, from wherever it is set.

        Raises:
            SettingsError: it is set twice, or its file cannot be read or is empty.
        """
        return secret_of("GEMINI_API_KEY", self.gemini_api_key, self.gemini_api_key_file)

    @property
    def offered(self) -> tuple[str, ...]:
        """The provider's models that requests may name; the default first."""
        return tuple(dict.fromkeys((self.gemini_model, *self.gemini_models)))

    def takes_sampling(self, provider_model: str) -> bool:
        """Whether a model of the provider can be told how to choose its words."""
        return any(fnmatchcase(provider_model, pattern) for pattern in self.gemini_sampling_models)
