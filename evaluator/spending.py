"""What a run may spend on models that providers charge for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping


class Purse:
    """What is left of a run's cost limit, for all of its models together.

    A call is let through only if there is enough for the dearest answer that its model has given, beside as
    much for every call in flight. Until the first answer nobody knows a model's price: so long, one call at a
    time. The limit is exceeded at most by what a call costs more than the dearest one before. What is asked
    and not answered is taken to cost nothing.

    Args:
        limit_micro_usd: the most that may be spent.
        spent_micro_usd: what earlier parts of the run have spent.
        dearest: model -> what its dearest answer has cost, where it has given any.
    """

    def __init__(self, limit_micro_usd: int, spent_micro_usd: int, dearest: Mapping[str, int]) -> None:
        self.limit_micro_usd = limit_micro_usd
        self.spent_micro_usd = spent_micro_usd
        self._dearest = dict(dearest)
        self._in_flight: Counter[str] = Counter()
        self._joined: list[Callable[[], None]] = []

    def join(self, go_on: Callable[[], None]) -> None:
        """Call this whenever there may be room for more."""
        self._joined.append(go_on)

    @property
    def why(self) -> str:
        """Why nothing more may be spent, for a person."""
        spent, limit = self.spent_micro_usd / 1e6, self.limit_micro_usd / 1e6
        return f"${spent:.4g} of the cost limit of ${limit:.4g} are spent"

    @property
    def used_up(self) -> bool:
        """True if what does not fit now never will: nothing is in flight that might cost less than feared."""
        return not self._in_flight.total()

    def fits(self, model: str) -> bool:
        """True if another call of a model may begin."""
        reserved = sum(count * self._dearest.get(name, 0) for name, count in self._in_flight.items())
        left = self.limit_micro_usd - self.spent_micro_usd - reserved
        price = self._dearest.get(model)
        if price is None:
            return left > 0 and not self._in_flight[model]
        return price <= left

    def begin(self, model: str) -> None:
        """Set something aside for a call."""
        self._in_flight[model] += 1

    def pay(self, model: str, cost_micro_usd: int) -> None:
        """Note what an answer cost; its call has not ended yet."""
        self.spent_micro_usd += cost_micro_usd
        self._dearest[model] = max(cost_micro_usd, self._dearest.get(model, 0))

    def end(self, model: str) -> None:
        """End a call: what was set aside for it is free again."""
        self._in_flight[model] -= 1
        for go_on in self._joined:
            go_on()
