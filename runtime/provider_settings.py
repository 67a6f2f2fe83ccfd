"""What the settings of every proxy for a provider have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, model_validator
from pydantic_settings import NoDecode

from runtime.settings import PREFIX, RemoteServerSettings


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(name for part in value.split(",") if (name := part.strip()))
    return value


def _checked_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise ValueError("an address such as https://api.example.com/v1 is expected, without a password")
    return value.rstrip("/")


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Written in the environment as one text, with commas between."""
Address = Annotated[str, AfterValidator(_checked_address)]
"""Where an API begins, without a slash at its end."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, and what its proxy may ask of it.

    Attributes:
        title: its name, for people.
        base_url: where its API begins.
        key: for the provider; None: there is none.
        key_name: the variable of the key without its prefix.
        key_needed: whether nothing can be asked without one.
        model: the provider's model where a request names none.
        models: further ones that requests may name.
        sampling_models: patterns of those that can be told how to choose their words.
        free: whether the provider charges nothing.
    """

    title: str
    base_url: str
    key: SecretStr | None
    key_name: str
    model: str
    models: tuple[str, ...]
    sampling_models: tuple[str, ...]
    key_needed: bool = True
    free: bool = False

    @property
    def missing(self) -> str:
        """What keeps the proxy from asking and how to mend it; empty: nothing."""
        if self.key is not None or not self.key_needed:
            return ""
        variable = f"{PREFIX}{self.key_name}"
        return f"no key for {self.title}: set {variable} or {variable}_FILE"

    @property
    def offered(self) -> tuple[str, ...]:
        """The provider's models that requests may name; the default first."""
        return tuple(dict.fromkeys((self.model, *self.models)))

    def takes_sampling(self, provider_model: str) -> bool:
        """Whether a model of the provider can be told how to choose its words."""
        return any(fnmatchcase(provider_model, pattern) for pattern in self.sampling_models)


class ProviderSettings(RemoteServerSettings):
    """The settings of every proxy; each adds those of its provider under names of its own."""

    @property
    @abstractmethod
    def provider(self) -> Provider:
        """The provider as these settings describe it.

        Raises:
            SettingsError: its key is set twice, or the file of the key cannot be read.
        """

    @model_validator(mode="after")
    def _key_can_be_read(self) -> Self:
        _ = self.provider  # a file that cannot be read is an error before any port opens
        return self
