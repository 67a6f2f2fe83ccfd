"""What answers took, in tokens and money."""

from __future__ import annotations

from evaluator.records import Prediction
from evaluator.summaries import Usage
from hooke.types import SampleOutcome


def added(so_far: Usage | None, prediction: Prediction) -> Usage | None:
    """What answers took, with one more; None as long as nothing is known of any.

    Failed ones do not count, since nobody knows what they took, nor do those that were used again from an
    earlier evaluation, where that stands already.
    """
    if prediction.outcome is SampleOutcome.FAILED or prediction.cached_from:
        return so_far
    so_far = so_far or Usage(0, None, None, 0, 0)
    return Usage(
        answer_count=so_far.answer_count + 1,
        input_token_count=_sum(so_far.input_token_count, prediction.input_token_count),
        output_token_count=_sum(so_far.output_token_count, prediction.output_token_count),
        cost_micro_usd=so_far.cost_micro_usd + (prediction.cost_micro_usd or 0),
        price_missing_count=so_far.price_missing_count + prediction.price_missing,
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return first if second is None else (first or 0) + second
