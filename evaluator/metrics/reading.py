"""Answers to questions of all kinds, read from what a model wrote by the rules of `runtime.prompting`.

A choice, a number or a short text is read where the text says it and nothing else: on an answer line
("Answer: B") with nothing below that could change it, or as the whole of a short text ("It is about 5 µm.").
A range, a bound, two answers, or words that nobody foresaw make the text unparsed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hooke.types import AnswerOutcome, FinishReason
from runtime.prompting.class_names import find_name, mentions_name
from runtime.prompting.numerals import NUMERAL, mentions_number, number_of
from runtime.prompting.prose import IMAGE, is_no_answer, refuses, unwrapped
from runtime.prompting.reading import ABSTAINED, Reading, read_text


@dataclass(frozen=True, slots=True)
class NumberReading(Reading):
    """A number that was read.

    Attributes:
        value: the number, finite.
        unit: what stands behind it, as it was written; empty: nothing.
    """

    value: float = 0.0
    unit: str = ""


def read_words(text: str, finish: FinishReason, *, right: Callable[[str], bool]) -> Reading:
    """The short text that a text is or names on an answer line, as `label`.

    Args:
        text: all that the model wrote.
        finish: why it ends there.
        right: whether a text is the right answer; one that is is never taken for a refusal.
    """

    def value(text: str) -> Reading:
        words = unwrapped(text)
        if not right(words) and (is_no_answer(words) or refuses(words)):
            return ABSTAINED
        return Reading(AnswerOutcome.ANSWERED, label=words)

    return read_text(text, finish, key=_ANSWER_KEY, value=value, mentions=lambda _: False)


def read_choice(text: str, finish: FinishReason, options: Mapping[str, str]) -> Reading:
    """The option that a text names by its letter, by its words, or by both where they agree, as `label`.

    Args:
        text: all that the model wrote.
        finish: why it ends there.
        options: upper-case letter -> option.
    """

    def value(text: str) -> Reading:
        chosen = _option_of(text, options)
        if chosen is not None:
            return Reading(AnswerOutcome.ANSWERED, label=chosen)
        if is_no_answer(text) or _NONE_OF_THEM.fullmatch(unwrapped(text)):
            return ABSTAINED
        return Reading.unparsed("what stands for the answer is not one of the options and nothing else")

    def mentions(text: str) -> bool:
        letters = {found["letter"] for found in _LETTER_MENTIONED.finditer(text)}
        return mentions_name(text, options.values()) or not letters.isdisjoint(options)

    return read_text(text, finish, key=_ANSWER_KEY, value=value, mentions=mentions)


def read_number(text: str, finish: FinishReason, *, name: str = "", objects: str = "") -> Reading:
    """The number that a text states, a `NumberReading`; with a unit behind it the text is unparsed.

    Digits may be grouped in threes; a point is a decimal point. Exponents and a stated uncertainty ("5 ± 1")
    are understood, decimal commas are not: "1,234" is 1234, and "1,5" unparsed.

    Args:
        text: all that the model wrote.
        finish: why it ends there.
        name: what was asked for, for example "aspect ratio".
        objects: what has it, or what is counted, in the plural.
    """
    things = _things(objects)
    behind = rf"(?: {things})?" if objects else ""
    return _read_number(text, finish, name, things, behind)


def read_quantity(text: str, finish: FinishReason, *, name: str = "", objects: str = "") -> Reading:
    """The number with a unit that a text states, a `NumberReading`; see `read_number`.

    Whether there is such a unit is for the caller to find out.
    """
    return _read_number(
        text, finish, name, _things(objects), r"(?: ?(?P<unit>[^\W\d_].{0,40}?|[%°].{0,40}?))?"
    )


_FINAL = (
    r"(?:(?:the|my|its|final|correct|best|right|most likely|total|estimated|approximate|overall|measured) )*"
)
_ANSWER_KEY = re.compile(
    rf"(?:(?:so|thus|therefore|hence),? )?{_FINAL}(?:answer|option|choice)(?: (?:is|would be):? | ?[:=] ?)",
    re.IGNORECASE,
)
_CHOICE_LEAD = re.compile(
    r"(?:(?:so|thus|therefore|hence),? )?"
    r"(?:i (?:think|believe|guess|choose|select|would (?:say|choose|select))(?: that)? )?"
    rf"(?:{_FINAL}(?:answer|option|choice) (?:is|would be):? |(?:it|this|that) (?:is|shows) |it's )?",
    re.IGNORECASE,
)
_LETTER = r"(?:(?:option|choice|answer|letter) )?[(\[]*(?P<letter>[a-z])"
_LETTER_ALONE = re.compile(rf"{_LETTER}[)\].:]*", re.IGNORECASE)
_LETTER_FIRST = re.compile(rf"{_LETTER}(?:[)\].:]+ ?| [-\u2013\u2014] )(?P<option>.+)", re.IGNORECASE)
_LETTER_LAST = re.compile(rf"(?P<option>.+) [(\[]{_LETTER}[)\]]", re.IGNORECASE)
# "A cell" and "I see" are no options A and I.
_LETTER_MENTIONED = re.compile(r"(?<![\w'])(?P<letter>[B-HJ-Z]|[AI](?! [a-z]))(?![\w'])")
_NONE_OF_THEM = re.compile(r"none(?: of (?:these|them|the (?:above|options|choices)))?", re.IGNORECASE)


def _option_of(text: str, options: Mapping[str, str]) -> str | None:
    """The option that the whole of a text is."""
    lead = _CHOICE_LEAD.match(text)
    short = text[lead.end() :] if lead else text
    found: set[str | None] = {
        name for part in (text, short) if (name := find_name(part, options.values())) is not None
    }
    bare = unwrapped(short)
    for pattern in (_LETTER_FIRST, _LETTER_LAST):
        both = pattern.fullmatch(bare)
        if both and (beside := find_name(both["option"], options.values())) is not None:
            found |= {beside, options.get(both["letter"].upper())}
    if alone := _LETTER_ALONE.fullmatch(bare):
        found.add(options.get(alone["letter"].upper()))
    return found.pop() if len(found) == 1 else None


_SIGN = "[-+\u2212]"
_TIMES = "[x\u00d7·*]"
_NUMBER = (
    rf"(?P<sign>{_SIGN})?(?P<whole>{NUMERAL})?(?P<fraction>\.\d{{1,19}})?"
    rf"(?:(?:e| ?{_TIMES} ?10 ?\^ ?)(?P<exponent>{_SIGN}?\d{{1,3}})"
    rf"| ?{_TIMES} ?10(?P<raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,3}}))?"
)
_PLAIN = str.maketrans("\u2212⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789")


def _things(objects: str) -> str:
    """A pattern for objects that are named in the plural."""
    words = " ".join(objects.split())
    return rf"(?:{re.escape(words)}|{re.escape(words.removesuffix('s'))})" if words else "objects?"


def _read_number(text: str, finish: FinishReason, name: str, things: str, behind: str) -> Reading:
    asked = rf"(?:answer|value|result|estimate|number|count{'|' + re.escape(name) if name else ''})"
    of = rf"(?: of (?:(?:the|this|each|an?|one) )?{things})?"
    key = re.compile(rf"{_FINAL}{asked}{of} ?[:=] ?", re.IGNORECASE)
    image = rf"(?:the|this) {IMAGE}"
    sentence = re.compile(
        r"(?:(?:i|we) (?:can )?(?:count(?:ed)?|see|find|found|estimate|estimated|measured?)(?: that)? )?"
        rf"(?:there (?:are|is) |it is |it's |this is |{_FINAL}{asked}{of} (?:is|are|equals) |{image} shows )?"
        r"(?:(?:approximately|approx\.?|about|around|roughly|circa|ca\.?|~|≈|exactly|precisely|only|just) ?)?"
        rf"{_NUMBER}(?: ?(?:±|\+/-) ?[\d.]{{1,19}})?{behind}"
        r"(?: (?:in (?:diameter|length|width|height|size)|wide|long|high|thick|across))?"
        rf"(?:,? (?:(?:in|within|on) {image}|(?:are )?(?:visible|present|shown)|in total))?",
        re.IGNORECASE,
    )

    def value(text: str) -> Reading:
        if is_no_answer(text):
            return ABSTAINED
        matched = sentence.fullmatch(unwrapped(text))
        number = _value_of(matched) if matched else None
        if matched is None or number is None:
            return Reading.unparsed("what stands for the answer is not one number and nothing else")
        return NumberReading(AnswerOutcome.ANSWERED, value=number, unit=matched.groupdict().get("unit") or "")

    return read_text(text, finish, key=key, value=value, mentions=mentions_number)


def _value_of(matched: re.Match[str]) -> float | None:
    """The value of what `_NUMBER` matched; None where it is no number that a float can hold."""
    whole, fraction = matched["whole"], matched["fraction"] or ""
    in_words = whole is not None and not whole[0].isdigit()
    exponent = matched["exponent"] or matched["raised"] or "0"
    if not (whole or fraction) or (in_words and (fraction or exponent != "0")):
        return None
    digits = number_of(whole.lower()) if whole else 0
    value = float(f"{matched['sign'] or ''}{digits}{fraction}e{exponent}".translate(_PLAIN))
    return value if math.isfinite(value) else None
