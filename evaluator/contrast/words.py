"""What a page and a Markdown file say of two runs in the same words."""

from __future__ import annotations

import re

MEANING = (
    "Differences are second minus first, over the samples that both runs have and on which neither failed, "
    "with paired 95 % intervals. The headline metrics are tested, and their p-values corrected for their "
    "number (Holm); a change with p of 0.05 or more may well be chance. The p-values of the other metrics "
    "are not corrected: they are there to look at."
)

VERDICTS = {
    "better": "second is better",
    "worse": "second is worse",
    "alike": "cannot be told apart",
}
"""By `Change.verdict`."""

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{12,}\b")


def abridged(text: str) -> str:
    """A text in which hashes are cut to what tells them apart; the whole is shown on hover."""
    return _HASH.sub("\\1\N{HORIZONTAL ELLIPSIS}", text)
