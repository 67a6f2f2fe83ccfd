"""What an answer of a provider costs, by a dated list of prices."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hooke.types import TokenUsage
from runtime.settings import PREFIX, SettingsError

OWN_FILE = Path(__file__).with_name("prices.yaml")
"""The list that comes with Hooke."""

_VERSION = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{3,4}|latest)$")
"""What stands behind a model's name to say which version of it."""

Usd = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Strict):
    """US dollars for a million tokens."""

    input: Usd
    output: Usd
    cached_input: Usd | None = None
    """Of tokens that the provider had kept; absent: as others."""
    cache_write: Usd | None = None
    """Of tokens that the provider keeps; absent: as others."""


class LongPrice(Price):
    """The price of a whole question that is long."""

    above: Annotated[int, Field(gt=0)]
    """Input tokens above which it holds."""


class ModelPrice(Price):
    """The price of a model."""

    long: LongPrice | None = None


class PriceList(_Strict):
    """Prices of the models of all providers on a day."""

    date: dt.date
    providers: dict[str, dict[str, ModelPrice]]

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a list from a YAML file; the one that comes with Hooke if absent.

        Raises:
            SettingsError: there is no such file, or it is not a list of prices.
        """
        try:
            return cls.model_validate(yaml.safe_load((path or OWN_FILE).read_text(encoding="utf-8")))
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(f"{PREFIX}PRICES_FILE: {error}") from error
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)
            )
            raise SettingsError(f"{PREFIX}PRICES_FILE: {path or OWN_FILE}: {problems}") from None

    def cost(self, provider: str, model: str, usage: TokenUsage, written_token_count: int = 0) -> TokenUsage:
        """The same usage with its price in millionths of a US dollar, rounded up.

        Args:
            provider: as in the list.
            model: the provider's name of the model that answered; a version behind the name does not matter,
                unless the list has a price of its own for it.
            usage: token counts.
            written_token_count: input tokens that the provider keeps for later questions.
        """
        price = self._price(provider, model)
        date = self.date.isoformat()
        if price is None:
            return replace(usage, cost_micro_usd=None, price_missing=True, price_list_date=date)
        rate: Price = price
        if price.long is not None and usage.input_token_count > price.long.above:
            rate = price.long
        fresh = usage.input_token_count - usage.cached_input_token_count - written_token_count
        micro_usd = (  # dollars for a million tokens are millionths of a dollar for one
            fresh * rate.input
            + usage.cached_input_token_count * _either(rate.cached_input, rate.input)
            + written_token_count * _either(rate.cache_write, rate.input)
            + usage.output_token_count * rate.output
        )
        whole = int(micro_usd.to_integral_value(ROUND_CEILING))
        return replace(usage, cost_micro_usd=whole, price_missing=False, price_list_date=date)

    def _price(self, provider: str, model: str) -> ModelPrice | None:
        prices = self.providers.get(provider, {})
        return prices.get(model) or prices.get(_VERSION.sub("", model))


def _either(price: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if price is None else price
