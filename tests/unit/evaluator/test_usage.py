"""What answers took, added up."""

from __future__ import annotations

from evaluator.records import Prediction, Usage
from evaluator.usage import usage_of
from hooke.types import SampleOutcome


def prediction(model: str, outcome: SampleOutcome = SampleOutcome.SCORED, **usage) -> Prediction:
    return Prediction("task", model, "id", outcome, **usage)


# Tokens and cost are added up by model, whatever came of an answer; failed samples are left out,
# and so are answers that were used again: what they took stands where they were asked for.
def test_sums() -> None:
    tokens = {"input_token_count": 100, "output_token_count": 7, "cost_micro_usd": 30}
    found = usage_of(
        [
            prediction("a", **tokens),
            prediction("a", SampleOutcome.UNPARSED, **tokens),
            prediction("a", SampleOutcome.FAILED, **tokens),
            prediction("a", cached_from="earlier"),
            prediction("b"),
        ]
    )
    assert found == {"a": Usage(2, 200, 14, 60, 0), "b": Usage(1, None, None, 0, 0)}


# An answer of an unknown price is counted, and adds nothing to the cost.
def test_missing_price() -> None:
    tokens = {"input_token_count": 100, "output_token_count": 7}
    found = usage_of(
        [prediction("a", **tokens, price_missing=True), prediction("a", **tokens, cost_micro_usd=5)]
    )
    assert found == {"a": Usage(2, 200, 14, 5, 1)}
