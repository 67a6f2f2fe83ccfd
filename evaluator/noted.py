"""Which samples a task is known to have: a million of them in some fifty megabytes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from evaluator.runs import KnownSample

_ID_BYTES = 32
_TRUTH_BYTES = 8
"""Of the hash of a truth: enough to see that it has changed."""
_UNKNOWN, _KNOWN, _DUPLICATE = 0, 1, 2


class NotedSamples:
    """Ids and truths by position in the dataset. The same id is kept once; a later one is a duplicate.

    Args:
        count: samples that the dataset lists.
        known: what was noted before.
    """

    def __init__(self, count: int, known: Iterable[KnownSample] = ()) -> None:
        self.duplicate_count = 0
        self._states = bytearray(count)
        # Memory that is not written to is not taken.
        self._ids = np.zeros((count, _ID_BYTES), np.uint8)
        self._truths = np.zeros((count, _TRUTH_BYTES), np.uint8)
        # An open hash table of positions + 1, at most half full.
        self._table = array("I", bytes(array("I").itemsize << (2 * count).bit_length()))
        for sample in known:
            self.note(sample)

    def __contains__(self, position: int) -> bool:
        """True if it is known what the sample at a position is."""
        return self._states[position] != _UNKNOWN

    def note(self, sample: KnownSample) -> bool:
        """Say what the sample at a position is; False if it is a duplicate of another one."""
        sample_id = bytes.fromhex(sample.sample_id)
        place = int.from_bytes(sample_id[:8]) % len(self._table)
        while taken := self._table[place]:
            if self._ids[taken - 1].tobytes() == sample_id:
                self._states[sample.position] = _DUPLICATE
                self.duplicate_count += 1
                return False
            place = (place + 1) % len(self._table)
        self._table[place] = sample.position + 1
        self._states[sample.position] = _KNOWN
        self._ids[sample.position] = np.frombuffer(sample_id, np.uint8)
        self._truths[sample.position] = _truth(sample)
        return True

    def sample_id(self, position: int) -> str | None:
        """Id of the sample at a position; None if it is not known, or is a duplicate."""
        return self._ids[position].tobytes().hex() if self._states[position] == _KNOWN else None

    def agrees(self, sample: KnownSample) -> bool:
        """True if a sample is what was noted at its position."""
        same = self._truths[sample.position].tobytes() == _truth(sample).tobytes()
        return same and self.sample_id(sample.position) == sample.sample_id


def _truth(sample: KnownSample) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(bytes.fromhex(sample.truth_digest)[:_TRUTH_BYTES], np.uint8)
