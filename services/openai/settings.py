"""Settings of the OpenAI proxy."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from runtime.provider_settings import Address, Names, Provider, ProviderSettings
from runtime.settings import Port, secret_of

VENDOR_URL = "https://api.openai.com/v1"


class OpenaiSettings(ProviderSettings):
    """The settings of every proxy, and those of this one."""

    port: Port = 50056
    """gRPC port; each service has its own, so that all fit one machine."""
    openai_api_key: SecretStr | None = None
    """The key for the provider. Without one the service starts and says what is missing."""
    openai_api_key_file: Path | None = None
    """File that the key stands in, instead of the variable."""
    openai_base_url: Address = VENDOR_URL
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

    @property
    def from_vendor(self) -> bool:
        """True if OpenAI itself is asked."""
        return urlsplit(self.openai_base_url).hostname == urlsplit(VENDOR_URL).hostname

    @cached_property
    def provider(self) -> Provider:
        """OpenAI, or whoever's server is of its kind."""
        key_name = "OPENAI_API_KEY"
        return Provider(
            title="OpenAI",
            base_url=self.openai_base_url,
            key=secret_of(key_name, self.openai_api_key, self.openai_api_key_file),
            key_name=key_name,
            key_needed=self.from_vendor,
            model=self.openai_model,
            models=self.openai_models,
            sampling_models=self.openai_sampling_models,
            free=self.openai_free,
        )
