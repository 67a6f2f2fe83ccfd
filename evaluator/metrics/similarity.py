"""How similar two short texts are."""

from __future__ import annotations

import re
import unicodedata

ANLS_THRESHOLD = 0.5

_ARTICLES = re.compile(r"^A(?= [a-z])|\b(?:a|[Aa]n|[Tt]he)\b")
# Points and commas inside numbers, signs and comparisons stay: 3.5 is not 35, and CD4+ not CD4-. A hyphen
# between two words is a space.
_PUNCTUATION = re.compile(r"[^\w\s%°⁻/+<>≤≥±~^=.,-]|_|[.,](?!\d)|(?<=\w)-(?=\w)|(?<!\S)-(?!\S)")
_ALIKE = str.maketrans({"\u00b5": "\u03bc", "\u2212": "-"})  # the micro sign and mu; the minus sign and "-"


def normalised(text: str) -> str:
    """A text in the form in which two are compared for being the same.

    Case, articles (a, an, the), punctuation and the amount of space make no difference, nor do two ways to
    write one character (composed or not, the micro sign or mu). What may be part of a number or a name, as
    in "3.5", "< 5" or "CD4+", stays. A text that would have nothing left stays as it is.
    """
    plain = unicodedata.normalize("NFC", text).translate(_ALIKE)
    for words in (_ARTICLES.sub(" ", plain), plain):
        if kept := " ".join(_PUNCTUATION.sub(" ", words.casefold()).split()):
            return kept
    return plain.strip()


def anls(truth: str, answer: str) -> float:
    """Average normalised Levenshtein similarity of one pair (Biten et al., ICCV 2019).

    1 - distance / length of the longer text, without regard to case and the amount of space; 0 where the
    distance is half of the length or more.
    """
    first, second = (" ".join(text.casefold().split()) for text in (truth, answer))
    longer = max(len(first), len(second))
    if not longer:
        return 1.0
    # The distance is at least the difference of the lengths: long texts need no long computation.
    if abs(len(first) - len(second)) >= ANLS_THRESHOLD * longer:
        return 0.0
    distance = _levenshtein(first, second) / longer
    return 1 - distance if distance < ANLS_THRESHOLD else 0.0


def _levenshtein(first: str, second: str) -> int:
    """The fewest characters to insert, delete or replace to make one text of the other."""
    above = list(range(len(second) + 1))
    for row, one in enumerate(first, start=1):
        current = [row]
        for column, other in enumerate(second):
            current.append(min(above[column + 1] + 1, current[column] + 1, above[column] + (one != other)))
        above = current
    return above[-1]
