"""What answers took, added up."""

from __future__ import annotations

from functools import reduce

from evaluator.records import Prediction
from evaluator.summaries import Usage
from evaluator.usage import added
from hooke.types import SampleOutcome

TOKENS = {"input_token_count": 100, "output_token_count": 7}


def usage_of(*predictions: Prediction) -> Usage | None:
    return reduce(added, predictions, None)


def prediction(outcome: SampleOutcome = SampleOutcome.SCORED, **usage) -> Prediction:
    return Prediction("task", "model", "id", outcome, **usage)


# Tokens and cost are added up, whatever came of an answer; failed samples are left out, and so are answers
# that were used again: what they took stands where they were asked for.
def test_sums() -> None:
    found = usage_of(
        prediction(**TOKENS, cost_micro_usd=30),
        prediction(SampleOutcome.UNPARSED, **TOKENS, cost_micro_usd=30),
        prediction(SampleOutcome.FAILED, **TOKENS, cost_micro_usd=30),
        prediction(cached_from="earlier"),
    )
    assert found == Usage(2, 200, 14, 60, 0)


# Where nobody counts tokens there are none, and where nothing was asked nothing is known.
def test_nothing() -> None:
    assert usage_of(prediction()) == Usage(1, None, None, 0, 0)
    assert usage_of(prediction(SampleOutcome.FAILED), prediction(cached_from="earlier")) is None


# An answer of an unknown price is counted, and adds nothing to the cost.
def test_missing_price() -> None:
    found = usage_of(prediction(**TOKENS, price_missing=True), prediction(**TOKENS, cost_micro_usd=5))
    assert found == Usage(2, 200, 14, 5, 1)
