"""What became of the samples of a lane before its run was taken up: a byte for each place in the dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from evaluator.runs import KnownOutcome
from hooke.types import SampleOutcome

_NOTHING, _FAILED, _ANSWERED, _FINISHED = range(4)


class Kept:
    """Which samples a model has been asked about, by place.

    Args:
        count: samples that the dataset lists.
        outcomes: of those that have a prediction and whose place is known.
        code_tag: of the code that runs here; a score by other code counts as none.
        find: finds the outcome of a sample at a place by its id.
        total: predictions that there are; the places of those that are not among `outcomes` are not known
            until their samples are read.
    """

    def __init__(
        self,
        count: int,
        outcomes: Iterable[KnownOutcome],
        code_tag: str | None,
        find: Callable[[int, str], KnownOutcome | None] = lambda _place, _sample_id: None,
        total: int = 0,
    ) -> None:
        self._states = bytearray(count)
        self._code_tag = code_tag
        self._find = find
        placed = 0
        for outcome in outcomes:
            self._note(outcome)
            placed += 1
        self.complete = placed >= total
        """True if nothing has to be looked up."""

    def look_up(self, place: int, sample_id: str) -> None:
        """Find out what became of a sample whose place was not known before; reads from the store."""
        if self._states[place] == _NOTHING:
            found = self._find(place, sample_id)
            if found is not None:
                self._note(found)

    def failed(self, place: int) -> bool:
        """True if the model was asked and there is no answer."""
        return self._states[place] == _FAILED

    def answered(self, place: int) -> bool:
        """True if there is a prediction that stays: only what FAILED is asked for again."""
        return self._states[place] >= _ANSWERED

    def finished(self, place: int) -> bool:
        """True if nothing is left to do."""
        return self._states[place] == _FINISHED

    def _note(self, outcome: KnownOutcome) -> None:
        scored = self._code_tag is not None and outcome.code_tag == self._code_tag
        state = _FINISHED if scored else _ANSWERED
        self._states[outcome.position] = _FAILED if outcome.outcome is SampleOutcome.FAILED else state
