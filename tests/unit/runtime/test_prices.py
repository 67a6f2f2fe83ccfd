"""What answers cost."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hooke.types import TokenUsage
from runtime.prices import PriceList
from runtime.settings import SettingsError

LIST = """
date: 2026-11-25
providers:
  openai:
    small: {input: 0.1, cached_input: 0.01, cache_write: 0.125, output: 0.5}
    small-2026-01-01: {input: 1, output: 5}
    plain: {input: 2, output: 8}
    tall: {input: 1, output: 10, long: {above: 1000, input: 2, output: 15}}
"""


@pytest.fixture
def prices(tmp_path: Path) -> PriceList:
    file = tmp_path / "prices.yaml"
    file.write_text(LIST, encoding="utf-8")
    return PriceList.load(file)


# Dollars for a million tokens are micro-dollars for one; fractions are rounded up, once, at the end.
@pytest.mark.parametrize(
    ("model", "usage", "written", "micro_usd"),
    [
        ("plain", TokenUsage(1000, 100), 0, 2800),
        ("plain", TokenUsage(1000, 100, cached_input_token_count=400), 0, 2800),
        ("small", TokenUsage(1000, 100), 0, 150),
        ("small", TokenUsage(1000, 100, cached_input_token_count=400), 0, 114),
        ("small", TokenUsage(1000, 100, cached_input_token_count=400), 200, 119),
        ("small", TokenUsage(1, 0), 0, 1),
        ("small", TokenUsage(0, 0), 0, 0),
        ("small", TokenUsage(3, 3), 0, 2),
        ("tall", TokenUsage(1000, 10), 0, 1100),
        ("tall", TokenUsage(1001, 10), 0, 2152),
    ],
)
def test_costs(prices: PriceList, model: str, usage: TokenUsage, written: int, micro_usd: int) -> None:
    priced = prices.cost("openai", model, usage, written)
    assert priced.cost_micro_usd == micro_usd
    assert not priced.price_missing
    assert priced.price_list_date == "2026-11-25"
    assert priced.input_token_count == usage.input_token_count


# A version behind the name has the price of the model, unless the list says otherwise.
@pytest.mark.parametrize(
    ("model", "micro_usd"), [("small-2026-09-22", 100), ("small-001", 100), ("small-2026-01-01", 1000)]
)
def test_versions(prices: PriceList, model: str, micro_usd: int) -> None:
    assert prices.cost("openai", model, TokenUsage(1000, 0)).cost_micro_usd == micro_usd


# What the list does not know costs nothing that is known, and that is said.
@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "smaller"), ("openai", "small-preview"), ("gemini", "small")]
)
def test_a_missing_price_is_said_to_be_missing(prices: PriceList, provider: str, model: str) -> None:
    priced = prices.cost(provider, model, TokenUsage(5, 5))
    assert priced.cost_micro_usd is None
    assert priced.price_missing
    assert priced.price_list_date == "2026-11-25"


# The list that comes with Hooke can be read, has both providers, and what is cached is never dearer.
def test_the_own_list() -> None:
    prices = PriceList.load()
    assert prices.date >= dt.date(2026, 11, 25)
    assert set(prices.providers) == {"openai", "gemini"}
    for models in prices.providers.values():
        for price in models.values():
            assert 0 < price.input < price.output
            assert price.cached_input is None or price.cached_input < price.input
            assert price.long is None or price.long.input > price.input


# A list that is none is refused at the start, by the name of the setting.
@pytest.mark.parametrize(
    "text",
    [
        "providers: {}",
        "date: 2026-01-01\nproviders: {openai: {a: {input: -1, output: 1}}}",
        "date: 2026-01-01\nproviders: {openai: {a: {inputs: 1, output: 1}}}",
        "date: [",
        "",
    ],
)
def test_broken_lists(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="HOOKE_PRICES_FILE"):
        PriceList.load(file)
    with pytest.raises(SettingsError, match="HOOKE_PRICES_FILE"):
        PriceList.load(tmp_path / "none.yaml")
