"""What answers took, in tokens and money."""

from __future__ import annotations

from collections.abc import Iterable

from evaluator.records import Prediction, Usage
from hooke.types import SampleOutcome


def usage_of(predictions: Iterable[Prediction]) -> dict[str, Usage]:
    """Model -> what its answers took.

    Failed ones are left out, since nobody knows what they took, and those that were used again from earlier
    evaluations, where that stands already.
    """
    found: dict[str, Usage] = {}
    for prediction in predictions:
        if prediction.outcome is not SampleOutcome.FAILED and not prediction.cached_from:
            so_far = found.get(prediction.model, Usage(0, None, None, 0, 0))
            found[prediction.model] = Usage(
                answer_count=so_far.answer_count + 1,
                input_token_count=_sum(so_far.input_token_count, prediction.input_token_count),
                output_token_count=_sum(so_far.output_token_count, prediction.output_token_count),
                cost_micro_usd=so_far.cost_micro_usd + (prediction.cost_micro_usd or 0),
                price_missing_count=so_far.price_missing_count + prediction.price_missing,
            )
    return found


def _sum(first: int | None, second: int | None) -> int | None:
    return first if second is None else (first or 0) + second
