"""Whatever words stand around a number, a unit or an option, no other one is ever taken for the answer.

Known answers are put into generated phrases. What the scorers accept as right is what was put in; other
phrases may be read or not, but never as something else, and what is no answer is never read.
"""

# ruff: noqa: RUF001 - the look-alike characters are what is tested

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evaluator.metrics.answers import AnswerScore, Tolerance, score_choice, score_number, score_text
from evaluator.metrics.quantities import parse_unit, score_quantity
from hooke.types import FinishReason, SampleOutcome

STOP, LENGTH = FinishReason.STOP, FinishReason.LENGTH
pytestmark = pytest.mark.slow  # thousands of texts
THOROUGH = settings(max_examples=300, deadline=None)
OPTIONS = ("ribosomes", "stress granules", "lysosomes", "peroxisome", "none of the above")
# Ways to write a unit of length, and how many nanometres it is.
LENGTHS = {
    unit: nanometres
    for units, nanometres in (
        ("nm nanometers nanometres", 1),
        ("Å angstrom", 0.1),
        ("pm", 1e-3),
        ("µm μm um microns micrometers Micrometers", 1e3),
        ("mm millimetres", 1e6),
        ("cm", 1e7),
        ("m", 1e9),
    )
    for unit in units.split()
}
NUMBERS = st.integers(1, 10**6).map(float) | st.integers(1, 10**7).map(lambda number: number / 1000)


def phrases(listed: str) -> st.SearchStrategy[str]:
    """Any of the phrases that stand between bars."""
    return st.sampled_from(listed.split(" | "))


PLAIN = phrases(
    "{} | {}. | **{}** | `{}` | ({}) | Answer: {} | **Answer:** {} | about {} | ~{} | ≈ {} | It is {}. | "
    "It is approximately {} | The diameter is {}. | Diameter: {} | diameter = {} | "
    "The diameter of the particle is roughly {}. | I measured {} | The answer is {}. | "
    "The particle is round.\n\nAnswer: {} | Answer: {}\nThe particle is round."
)
SPOILED = phrases(
    "more than {} | at least {} | < {} | ≥ {} | up to {} | not {} | {} or so | {} or 7 nm | {} to 9 µm | "
    "3-{} | 3 x {} | the scale bar is {} | Scale bar: {} | {} and 4 nm | step {} | {}? | between 1 and {} | "
    "{}/pixel? | I guess {}, but it may be 12 nm | {} or 12 | Answer: {}\nNo, 12 nm. | nearly {} | "
    "Answer: {}\nAnswer: 12 km"
)


def written(number: float) -> st.SearchStrategy[str]:
    """Ways to write a number that cannot be misunderstood."""
    plain = f"{number:.3f}".rstrip("0").rstrip(".")
    power = math.floor(math.log10(number))
    mantissa = repr(round(number / 10.0**power, 9))
    ways = [plain, f"{number:,.3f}", f"{mantissa}e{power}", f"{mantissa}E{power}", f"{mantissa} × 10^{power}"]
    ways += [f"{mantissa}x10^{power}", f"{mantissa}·10^{power}".replace("^-", "^−")]
    return st.sampled_from(ways)


def is_read(found: AnswerScore) -> bool:
    return found.outcome is SampleOutcome.SCORED


# A length in any unit, written in any way in a plain phrase, is right; the same number a thousandfold is
# said to be so, and without its unit it is never right.
@given(st.data(), NUMBERS, st.sampled_from(sorted(LENGTHS)), st.sampled_from(sorted(LENGTHS)), PLAIN)
@THOROUGH
def test_lengths(data: st.DataObject, number: float, unit: str, asked: str, phrase: str) -> None:
    truth = number * LENGTHS[unit] / LENGTHS[asked]
    near = Tolerance(relative=1e-6)
    text = phrase.format(f"{data.draw(written(number))}{data.draw(phrases('  | '))}{unit}")
    names = {"name": "diameter", "objects": "particles"}
    found = score_quantity(truth, asked, text, near, **names)
    assert found.correct, (text, found)
    shifted = score_quantity(truth * 1000, asked, text, near, **names)
    assert shifted.note == "off by 10^-3"
    bare = score_quantity(truth, asked, phrase.format(data.draw(written(number))), near, **names)
    assert not bare.correct
    assert not score_quantity(truth * 1.1, asked, text, near, **names).correct


# A bound, a range, two numbers or a number of something else is not read.
@given(st.data(), NUMBERS, st.sampled_from(sorted(LENGTHS)), SPOILED)
@THOROUGH
def test_no_lengths(data: st.DataObject, number: float, unit: str, phrase: str) -> None:
    text = phrase.format(f"{data.draw(written(number))} {unit}")
    assert not is_read(score_quantity(number, unit, text, name="diameter", objects="particles")), text
    bare = phrase.format(data.draw(written(number)))
    assert not is_read(score_number(number, bare, name="diameter", objects="particles")), bare


# A number with a unit is no number without one, and what stands behind it is no part of it.
@given(
    st.data(), NUMBERS, phrases("%| nm| µm|k| thousand| dozen|th| / 2|:30|+|²|–9| per cell|,5|,00|.5.5|-9")
)
@THOROUGH
def test_no_numbers(data: st.DataObject, number: float, tail: str) -> None:
    plain = f"{number:.3f}".rstrip("0").rstrip(".")
    for end in tail.split("|"):
        assert not score_number(number, plain + end).correct, plain + end
    assert score_number(number, data.draw(written(number)), Tolerance(relative=1e-6)).correct


# Cut off anywhere, a text gives the number or nothing.
@given(st.data(), NUMBERS, PLAIN)
@THOROUGH
def test_cut_lengths(data: st.DataObject, number: float, phrase: str) -> None:
    text = phrase.format(f"{data.draw(written(number))} nm")
    cut = text[: data.draw(st.integers(0, len(text)))]
    found = score_quantity(number, "nm", cut, Tolerance(relative=1e-6), name="diameter", finish=LENGTH)
    assert not is_read(found) or found.correct


# Any text at all is scored without an error, quickly, and never as a number that it does not hold.
@given(st.text(max_size=60) | st.text("0123456789,. -+eE×x10^:Answer\n*_<>µm%°/·²⁻", max_size=40))
@settings(max_examples=1000, deadline=None)
def test_any_text(text: str) -> None:
    for finish in (STOP, LENGTH):
        for found in (
            score_quantity(77.125, "µm", text, finish=finish),
            score_number(77.125, text, finish=finish),
            score_choice("lysosomes", text, OPTIONS, finish),
            score_text(["77.125"], text, finish),
        ):
            assert not found.correct or "77" in found.answer or found.answer == "lysosomes"
            assert bool(found.metrics) == is_read(found)
    parse_unit(text)


DRESSED = phrases(
    "{} | {}. | **{}** | Answer: {} | The answer is {}. | The correct answer is {} | I think it is {}. | "
    "It is {} | So the answer is {}. | Some thoughts first.\n\nAnswer: {} | Answer: {}\nThey look round."
)
SPOILED_CHOICES = phrases(
    "not {0} | {0} or {1} | {0}, {1} | {0}/{1} | either {0} or {1} | Answer: {0}\nAnswer: {1} | {0}\n{1} | "
    "Answer: {0}\nOr {1}. | I hesitate between {0} and {1} | anything but {0} | Answer: not {0} | "
    "{0} is wrong | It is {0}, not {1}."
)


# In any order of the options a letter, the words or both choose the same option.
@given(st.permutations(OPTIONS), st.integers(0, 4), DRESSED, st.booleans())
@THOROUGH
def test_choices(options: list[str], place: int, phrase: str, upper: bool) -> None:
    letter, option = "ABCDE"[place], options[place]
    shown = option.upper() if upper else option
    for name in (
        letter,
        f"({letter})",
        shown,
        f"{letter}. {shown}",
        f"{letter}) {shown}",
        f"{shown} ({letter})",
    ):
        found = score_choice(option, phrase.format(name), options)
        assert found.correct, phrase.format(name)


# What names two options, or an option only to deny it, is no choice; nor are a letter and the words of
# another option.
@given(st.permutations(OPTIONS), st.booleans(), SPOILED_CHOICES, DRESSED)
@THOROUGH
def test_no_choices(options: list[str], letters: bool, spoiled: str, phrase: str) -> None:
    first, second = "AB" if letters else options[:2]
    found = score_choice(options[0], spoiled.format(first, second), options)
    assert not is_read(found), spoiled.format(first, second)
    assert not is_read(score_choice(options[0], phrase.format(f"A. {options[1]}"), options))


# Options of any characters find themselves.
@given(
    st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=2, max_size=6, unique=True),
    st.data(),
)
@THOROUGH
def test_any_options(options: list[str], data: st.DataObject) -> None:
    truth = data.draw(st.sampled_from(options))
    letter = "ABCDEF"[options.index(truth)]
    found = score_choice(truth, f"Answer: {' '.join(truth.split())}", options)
    assert not is_read(found) or found.correct
    assume(not any(option.strip().upper() in set("ABCDEF") for option in options))
    by_letter = score_choice(truth, letter, options)
    assert not is_read(by_letter) or by_letter.correct
