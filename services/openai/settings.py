"""Settings of the OpenAI proxy."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from runtime.settings import Port, RemoteServerSettings, secret_of

VENDOR_URL = "https://api.openai.com/v1"

Names = Annotated[tuple[str, ...], NoDecode]
"""Written in the environment as one text, with commas between."""


class OpenaiSettings(RemoteServerSettings):
    """The settings of every proxy, and those of this one."""

    port: Port = 50056
    """gRPC port; each service has its own, so that all fit one machine."""
    openai_api_key: SecretStr | None = None
    """The key for the provider. Without one the service starts and says what is missing."""
    openai_api_key_file: Path | None = None
    """File that the key stands in, instead of the variable."""
    openai_base_url: str = VENDOR_URL
    """Where the provider's API begins. Another one, for example `http://localhost:8000/v1`, reaches vLLM,
    Ollama and others; only the vendor's needs a key."""
    openai_api: Literal["responses", "chat"] = "responses"
    """Which API is spoken: Responses, or Chat Completions for servers that lack it."""
    openai_model: Annotated[str, Field(min_length=1)] = "gpt-6-luna"
    """The provider's model where a request names none. The smallest of the current ones that sees images: a
    larger one should be somebody's decision."""
    openai_models: Names = ()
    """Further models that requests may name, with commas between. None by default: each costs differently."""
    openai_sampling_models: Names = ("gpt-4*",)
    """Patterns of models that take a temperature, with commas between. They are asked to take the likeliest
    word where a request does not say how to choose; models that reason refuse to be told. `*` fits servers of
    your own."""
    openai_max_output_token_count: Annotated[int, Field(ge=16)] = 16384
    """Most tokens of an answer where a request sets none, hidden reasoning included: a bound on its cost."""
    openai_max_side_px: Annotated[int, Field(ge=64)] = 2048
    """Longest side of an image as sent; larger ones are scaled down. The provider scales to that at detail
    "high" anyway."""
    openai_free: bool = False
    """Whether the provider charges nothing, as a server of your own. Otherwise the price of a model that the
    price list does not know counts as missing."""

    @field_validator("openai_models", "openai_sampling_models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name for part in value.split(",") if (name := part.strip()))
        return value

    @field_validator("openai_base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("an address such as https://api.openai.com/v1 is expected, without a password")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _key_can_be_read(self) -> Self:
        _ = self.api_key  # a file that cannot be read is an error before any port opens
        return self

    @cached_property
    def api_key(self) -> SecretStr | None:
        """The key, from wherever it is set.

        Raises:
            SettingsError: it is set twice, or its file cannot be read or is empty.
        """
        return secret_of("OPENAI_API_KEY", self.openai_api_key, self.openai_api_key_file)

    @property
    def from_vendor(self) -> bool:
        """True if OpenAI itself is asked."""
        return urlsplit(self.openai_base_url).hostname == urlsplit(VENDOR_URL).hostname

    @property
    def offered(self) -> tuple[str, ...]:
        """The provider's models that requests may name; the default first."""
        return tuple(dict.fromkeys((self.openai_model, *self.openai_models)))

    def takes_sampling(self, provider_model: str) -> bool:
        """Whether a model of the provider can be told how to choose its words."""
        return any(fnmatchcase(provider_model, pattern) for pattern in self.openai_sampling_models)
