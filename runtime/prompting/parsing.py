"""Answers read from what a model wrote: one clear answer, an abstention, or nothing.

A number or a class is read only where the text says it and nothing else: as JSON, on an answer line
("Count: 42") with nothing below that could change it, or as the whole of a short text ("There are about 40
cells in this image."). Every pattern has to match all of what it reads; a rest that nobody foresaw makes the
text unparsed. `docs/prompting.md` shows what comes of what.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hooke.types import AnswerOutcome, FinishReason
from runtime.prompting.class_names import find_name, mentions_name
from runtime.prompting.numerals import MAX_COUNT, NUMERAL, mentions_number, number_of
from runtime.prompting.prose import IMAGE, clean, is_no_answer, unwrapped
from runtime.prompting.reading import ABSTAINED, Reading, read_json, read_text


def read_count(text: str, finish: FinishReason, *, object_name: str) -> Reading:
    """The number of objects that a text states.

    An approximate number ("about 40") is an answer; a range ("10-12") or a bound ("more than 40") is none,
    nor is a number with a unit, a sign, a fraction, an exponent, or a point, which may set apart thousands.

    Args:
        text: all that the model wrote.
        finish: why it ends there.
        object_name: what was to be counted, in the plural.
    """
    name = clean(object_name).lower()
    objects = f"(?:{re.escape(name)}|{re.escape(name.removesuffix('s'))}|objects?)"
    sentence = _count_sentence(objects)

    def value(text: str) -> Reading:
        if is_no_answer(text):
            return ABSTAINED
        matched = sentence.fullmatch(unwrapped(text).lower())
        if matched is None:
            return Reading.unparsed("what stands for the answer is not one whole number and nothing else")
        return _count(number_of(matched["number"]) if matched["number"] else 0)

    return read_text(text, finish, key=_count_key(objects), value=value, mentions=mentions_number)


def read_count_json(text: str, finish: FinishReason) -> Reading:
    """The number in an answer that follows `count_schema`. 3.0 is the integer 3, as JSON schema has it."""

    def value(answer: Any) -> Reading:
        if isinstance(answer, float) and answer.is_integer():
            answer = int(answer)
        if not isinstance(answer, int) or isinstance(answer, bool):
            return Reading.unparsed("the answer is no whole number")
        return _count(answer)

    return read_json(text, finish, value)


def read_class(text: str, finish: FinishReason, *, labels: Sequence[str], numbered: bool) -> Reading:
    """The one of `labels` that a text names.

    Args:
        text: all that the model wrote.
        finish: why it ends there.
        labels: the classes, as they stood in the question.
        numbered: whether the question numbered them from 1, so that a number alone is an answer.
    """

    def value(text: str) -> Reading:
        found = _class_of(text, labels, numbered=numbered)
        if found is not None:
            return _class(found)
        if is_no_answer(text) or _NO_CLASS.fullmatch(unwrapped(text)):
            return ABSTAINED
        return Reading.unparsed("what stands for the answer is not one of the classes and nothing else")

    def mentions(text: str) -> bool:
        return mentions_name(text, labels) or (numbered and mentions_number(text))

    return read_text(text, finish, key=_CLASS_KEY, value=value, mentions=mentions)


def read_class_json(text: str, finish: FinishReason, *, labels: Sequence[str]) -> Reading:
    """The one of `labels` in an answer that follows `class_schema`."""

    def value(answer: Any) -> Reading:
        found = find_name(answer, labels) if isinstance(answer, str) else None
        return Reading.unparsed("the answer is none of the classes") if found is None else _class(found)

    return read_json(text, finish, value)


def _count(number: int) -> Reading:
    if not 0 <= number <= MAX_COUNT:
        return Reading.unparsed("the answer is no number that a count can have")
    return Reading(AnswerOutcome.ANSWERED, count=number)


def _class(label: str) -> Reading:
    return Reading(AnswerOutcome.ANSWERED, label=label)


def _count_key(objects: str) -> re.Pattern[str]:
    """What an answer line of a count begins with; `objects` is a pattern for what was to be counted."""
    return re.compile(
        r"(?:(?:the|my|final|total|estimated|approximate|overall) )*"
        rf"(?:{objects} )?(?:count|number|total|answer)(?: of (?:the )?{objects})?"
        rf"(?: (?:in|within) (?:the|this) {IMAGE})?(?: is)? ?[:=] ?",
        re.IGNORECASE,
    )


def _count_sentence(objects: str) -> re.Pattern[str]:
    """A number in lower-case text, alone or in a sentence that says only how many objects there are."""
    image = rf"(?:the|this) {IMAGE}"
    there = r"there (?:are|is|appears? to be|seems? to be)"
    lead = (
        rf"(?:(?:i|we) (?:can )?(?:count|counted|see|find|found|estimate|identify|detect|observe)(?: that)?"
        rf"|{image} (?:shows|contains|has|depicts)"
        r"|(?:the )?(?:(?:total|estimated|approximate|final) )*(?:count|number|total|answer)"
        rf"(?: of {objects})?(?: (?:in|within) {image})? (?:is|are))"
    )
    where = rf"(?:in|within|on) {image}"
    return re.compile(
        rf"(?:{lead} )?(?:{where},? )?(?:{there} )?(?:a total of )?"
        r"(?:(?:approximately|approx\.?|about|around|roughly|circa|ca\.?|~|≈|exactly|precisely|only|just) ?)?"
        rf"(?:(?P<number>{NUMERAL})(?:(?: (?:visible|distinct|individual|separate|discernible))* {objects})?"
        rf"|no {objects})"
        rf"(?:,? (?:{where}|(?:are )?(?:visible|present|shown)|in total|total|here)){{0,3}}"
    )


_CLASS_KEY = re.compile(
    r"(?:(?:the|my|final|predicted|correct|image|most likely) )*"
    r"(?:answer|class|classification|category|type|label|prediction)(?: (?:number|name))?"
    rf"(?: (?:of|for) (?:the|this) {IMAGE})?(?: is)? ?[:=] ?",
    re.IGNORECASE,
)
_CLASS_LEAD = re.compile(
    r"(?:(?:i (?:think|believe|guess|would say)(?: that)? )?"
    rf"(?:(?:the|this) {IMAGE}|it|this)(?: (?:most )?likely| probably)? "
    r"(?:is|shows|depicts|contains|represents|displays|features|belongs to|falls (?:in|into|under)|looks like"
    r"|(?:appears|seems) to (?:be|show|belong to)|(?:is|can be) (?:best )?classified as)"
    r"|the (?:best |correct |most likely |image )?(?:answer|class|category|type) is)"
    r"(?: an image of)? ",
    re.IGNORECASE,
)
_CLASS_NOUN = re.compile(r"(?:(?:the|an?) )?(?:(?:class|category|type) (?:of )?)?", re.IGNORECASE)
_NO_CLASS = re.compile(
    r"none(?: of (?:these|them|the above|(?:the|these) (?:\w+ )?(?:classes|categories|options)))?",
    re.IGNORECASE,
)
_NUMBER = r"(?:class |option |category |type )?(?:number |no\. ?)?[#(\[<]*(?P<number>\d{1,4})"
_NUMBER_ALONE = re.compile(rf"{_NUMBER}[)\]>.:]*", re.IGNORECASE)
_NUMBER_FIRST = re.compile(rf"{_NUMBER}(?:[)\]>:]+ ?|\. | )(?:[-\u2013\u2014:] )?(?P<name>.+)", re.IGNORECASE)
_NUMBER_LAST = re.compile(rf"(?P<name>.+) \({_NUMBER}\)\.?", re.IGNORECASE)


def _class_of(text: str, labels: Sequence[str], *, numbered: bool) -> str | None:
    """The class that the whole of a text is: by name, by number, or by both where they agree."""
    lead = _CLASS_LEAD.match(text)
    short = text[lead.end() :] if lead else text
    bare = unwrapped(short)
    candidates = (text, short, bare, _CLASS_NOUN.sub("", bare, count=1))
    names = (find_name(candidate, labels) for candidate in candidates)
    named = next((name for name in names if name is not None), None)
    if named is not None and not numbered:
        return named
    found: set[str | None] = set() if named is None else {named}
    for pattern in (_NUMBER_FIRST, _NUMBER_LAST):
        if (both := pattern.fullmatch(bare)) and (beside := find_name(both["name"], labels)) is not None:
            found |= {beside, _by_number(both["number"], labels)}
    if numbered and (alone := _NUMBER_ALONE.fullmatch(bare)):
        found.add(_by_number(alone["number"], labels))
    return found.pop() if len(found) == 1 else None


def _by_number(number: str, labels: Sequence[str]) -> str | None:
    """The class of a number that counts from 1."""
    return labels[int(number) - 1] if 1 <= int(number) <= len(labels) else None
