"""Names of classes as models write them: in other case, with other hyphens, in singular or plural."""

from __future__ import annotations

import re
from collections.abc import Iterable

from runtime.prompting.prose import clean

_JOINT = re.compile(r"(?<=\w)[-_\u2010-\u2015](?=\w)|_")
_PUNCTUATION = " .,;:!?\"'()[]{}<>"


def find_name(text: str, labels: Iterable[str]) -> str | None:
    """The label that a text is, the whole of it; None if it is none of them, or may be more than one.

    Exact names go before looser ones, so "cell" and "cells" may both be labels. A name inside a longer one is
    never found: "blood cell" is not "cell", nor "class 10" "class 1".
    """
    for form in (str.strip, _exact, _folded, _singular, _joined):
        wanted = form(text)
        found = [label for label in labels if form(label) == wanted]
        if wanted and found:
            return found[0] if len(found) == 1 else None
    return None


def mentions_name(text: str, labels: Iterable[str]) -> bool:
    """Whether any of the labels stands somewhere in a text, in whatever form."""
    words = f" {_words(text)} {_words(_JOINT.sub('', text))} "
    # A label without a letter or digit, such as "+", is looked for as it is.
    return any(f" {wanted} " in words if (wanted := _words(label)) else label in text for label in labels)


def _exact(text: str) -> str:
    return clean(" ".join(text.split()))


def _folded(text: str) -> str:
    return _JOINT.sub(" ", _exact(text).casefold()).strip(_PUNCTUATION)


def _singular(text: str) -> str:
    """With the last word in the singular."""
    folded = _folded(text)
    if len(folded) > 3:
        for ending, single in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("shes", "sh"), ("ches", "ch")):
            if folded.endswith(ending):
                return folded.removesuffix(ending) + single
        if not folded.endswith("ss"):
            return folded.removesuffix("s")
    return folded


def _joined(text: str) -> str:
    """Written as one word, but never with numbers run together."""
    singular = _singular(text)
    return singular if any(map(str.isnumeric, singular)) else singular.replace(" ", "")


def _words(text: str) -> str:
    return " ".join(_singular(word) for word in re.findall(r"\w+", _folded(text)))
