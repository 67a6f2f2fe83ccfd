"""What models write around an answer: look-alike characters, Markdown, answer lines, refusals."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

IMAGE = r"(?:[a-z-]+ )?(?:image|micrograph|picture|photo|photograph|field of view)"
"""Matches what an image may be called, in lower case or without regard to case."""

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_LOOK_ALIKES = _FULL_WIDTH | str.maketrans("‘’“”。", "''\"\".")  # noqa: RUF001 - what models write
# Nothing inside may be a marker but the underscore of a name: that keeps the search short in any text.
_EMPHASIS = re.compile(
    r"(?<!\w)(\*{1,3}|_{1,3}|`{1,3})(?=\S)((?:[^*_`]|(?<=\w)_(?=\w)){1,200})(?<=\S)\1(?!\w)"
)
# Bullets and headings; "-3" is a negative number, and "> 40" a bound rather than a quotation.
_LINE_START = re.compile(r"^(?:[-*•]|#+) +")
_FENCE = re.compile(r"```\w*|~~~\w*")
# "e.g." ends no sentence.
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.) +")

_NO_ANSWER = re.compile(
    r"nan|n/?a|n\.a|null|unknown|unsure|uncertain|undetermined|indeterminate|abstain|(?:i am |i'm )?not sure"
    r"|not (?:applicable|available|determinable)|i (?:don't|do not) know"
    r"|(?:cannot|can't|unable to) (?:tell|determine|count|say|be (?:determined|counted|told))",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:can ?not|can't|could not|couldn't|unable to|not able to|(?:not |im)possible to|not feasible to)"
    r" (?:\w+ ){0,3}?(?:count|determine|identify|classify|tell|say|see|view|analy[sz]e|process|provide|give"
    r"|be|answer|assist|help|recogni[sz]e|distinguish|estimate|access|interpret|decide|assign|make|know)\b"
    r"|\bdo(?:n't| not) (?:know|have (?:enough|sufficient))\b"
    r"|\b(?:no idea|not enough (?:information|detail)|insufficient (?:information|detail|resolution))\b"
    r"|\b(?:i'm|i am) (?:not (?:sure|certain)|unsure|sorry)\b|^sorry\b|\bi apologi[sz]e\b"
    r"|\bi (?:must |have to )?(?:decline|refuse|won't|will not)\b"
    r"|\bnone of the (?:above|given|listed|classes|categories)\b|\b(?:nan|n/a)\b",
    re.IGNORECASE,
)
_RETRACTION = re.compile(
    r"\b(?:actually|wait|correct(?:ion|ed)|wrong|mistaken?|incorrect|instead|scratch that|second thought)\b",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """The text with plain digits, punctuation and spaces, and without Markdown.

    Digits of any script become ASCII ones. Characters that only look like digits (superscripts, fractions,
    circled numbers) stay, so that "10²" never reads as 102.
    """
    plain = "".join(map(_plain, unicodedata.normalize("NFC", text).translate(_LOOK_ALIKES)))
    lines = (_bare(line) for line in plain.splitlines() if not _FENCE.fullmatch(line.strip()))
    return "\n".join(lines).strip()


def _bare(line: str) -> str:
    """A line without its bullet, its emphasis, and the quotes around all of it."""
    line = _LINE_START.sub("", line.strip(), count=1)
    for _ in range(2):  # the inner one goes first, then what stood around it
        line = _EMPHASIS.sub(r"\2", line)
    line = " ".join(line.split())
    quoted = len(line) > 2 and line[0] == line[-1] and line[0] in "\"'" and line.count(line[0]) == 2
    return line[1:-1] if quoted else line


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cf":  # invisible: what a reader sees has no such thing
        return ""
    return " " if category == "Zs" or character == "\t" else character


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """A line such as "Count: 42".

    Attributes:
        value: what stands behind the colon, up to the end of the line.
        end: where in the text the line below it begins.
    """

    value: str
    end: int


def answer_lines(text: str, key: re.Pattern[str]) -> list[AnswerLine]:
    """The lines of a cleaned text that state an answer.

    Args:
        text: what `clean` returned.
        key: matches up to the colon; it is tried where a sentence begins.
    """
    found = []
    end = 0
    for line in text.split("\n"):
        end += len(line) + 1
        for start in (0, *(stop.end() for stop in _SENTENCE_END.finditer(line))):
            if matched := key.match(line, start):
                found.append(AnswerLine(line[matched.end() :], end))
                break
    return found


def unwrapped(value: str) -> str:
    """A value without the brackets or quotes around all of it, and without punctuation at its end."""
    value = value.strip()
    for pair in ("<>", "()", "[]", "{}", '""', "''"):
        if len(value) > 2 and value[0] + value[-1] == pair and not set(pair) & set(value[1:-1]):
            return unwrapped(value[1:-1])
    bare = value.rstrip(".,;!")
    return value if bare == value else unwrapped(bare)


def is_no_answer(value: str) -> bool:
    """Whether a value says that there is none: "NaN", "unknown", "cannot tell" and their like."""
    return _NO_ANSWER.fullmatch(value.strip(" .!'\"()<>")) is not None


def refuses(text: str) -> bool:
    """Whether somewhere in a cleaned text the model says that it cannot tell."""
    return _REFUSAL.search(text) is not None or any(map(is_no_answer, text.split("\n")))


def takes_back(text: str) -> bool:
    """Whether a cleaned text may take back what was said before it."""
    return _RETRACTION.search(text) is not None
