"""Answers in words: choices, short texts and numbers."""

from __future__ import annotations

import itertools

import pytest

from evaluator.metrics.answers import (
    AnswerKind,
    Tolerance,
    no_answer,
    score_choice,
    score_number,
    score_text,
)
from evaluator.metrics.quantities import score_quantity
from hooke.types import FinishReason, SampleOutcome

SCORED, ABSTAINED, UNPARSED = SampleOutcome.SCORED, SampleOutcome.ABSTAINED, SampleOutcome.UNPARSED
OPTIONS = ("Ribosomes", "Stress granules", "Lysosomes", "Peroxisome")
GRANULES = "Stress granules"


def chosen(text, options=OPTIONS, finish=FinishReason.STOP):
    found = score_choice(options[0], text, options, finish)
    return found.answer or str(found.outcome)


# A letter, the words, or both name an option, in the sentences that models write.
@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "(B)",
        "[B]",
        "B.",
        "B)",
        "**B**",
        "Option B",
        "choice B",
        "Answer: B",
        "answer: (b)",
        "B. Stress granules",
        "B) stress granules",
        "(B) Stress granules",
        "B: stress-granules",
        "Stress granules",
        "stress granule",
        "Stress granules (B)",
        "The answer is B.",
        "It is B",
        "The correct answer is (B) Stress granules.",
        "I think it is stress granules",
        "So the answer is B.",
        "Answer: B\nBecause they lack a membrane. A cell would be larger, I think.",
        "They lack a membrane.\n\nTherefore, the correct answer is **B. Stress granules**.",
    ],
)
def test_choices_that_are_clear(text):
    assert chosen(text) == GRANULES


# What names two options, none, or one only in passing, is no answer.
@pytest.mark.parametrize(
    "text",
    [
        "A or B",
        "B, C",
        "B. Ribosomes",
        "Ribosomes (B)",
        "E",
        "5",
        "not B",
        "B because of the shape",
        "A ribosome",
        "Answer: B\nAnswer: C",
        "Answer: B\nOr C.",
        "Answer: B\nWait, it is a lysosome.",
        "Granules",
        "",
        "Either stress granules or lysosomes",
        "The options are A, B, C and D.",
        "Answer: not B",
        "Answer: A/B",
    ],
)
def test_choices_that_are_not(text):
    assert chosen(text) == "unparsed"


# Who cannot tell has abstained, unless that is what an option says.
@pytest.mark.parametrize(
    "text", ["I cannot tell from this image.", "NaN", "Answer: unknown", "None of the above"]
)
def test_choices_of_nothing(text):
    assert chosen(text) == "abstained"
    assert score_choice("None of the above", "None of the above", [*OPTIONS, "None of the above"]).correct


# The same words choose the same option in every order of the options; a letter follows the order shown.
def test_options_in_any_order():
    for order in itertools.permutations(OPTIONS):
        letter = "ABCD"[order.index(GRANULES)]
        for text in (letter, GRANULES, f"{letter}. {GRANULES}", f"Answer: {letter}"):
            assert score_choice(GRANULES, text, order).correct
        right = sum(score_choice(GRANULES, other, order).correct for other in "ABCD")
        assert right == 1


# An option that looks like a letter, or begins with one, is not taken for another option's letter.
def test_options_that_look_like_letters():
    assert chosen("B", ("B", "A")) == "unparsed"
    assert chosen("A", ("A", "B")) == "A"
    species = ("E. coli", "B. subtilis", "A. niger")
    assert chosen("B. subtilis", species) == "B. subtilis"
    assert chosen("C", species) == chosen("A. niger", species) == "A. niger"
    assert chosen("2", ("1", "2", "3")) == chosen("B", ("1", "2", "3")) == "2"


# A text that was cut off gives no answer that it might have taken back or not finished.
def test_cut_choices():
    assert chosen("The answer is B", finish=FinishReason.LENGTH) == "unparsed"
    assert chosen("Answer: B\nThis is because", finish=FinishReason.LENGTH) == GRANULES


# A question with a truth that is no option, or the same option twice, is a mistake.
@pytest.mark.parametrize(
    ("truth", "options"), [("x", ["a", "b"]), ("a", ["a", "a"]), ("0", list(map(str, range(27))))]
)
def test_wrong_options(truth, options):
    with pytest.raises(ValueError, match="options"):
        score_choice(truth, "A", options)


# A short text is right in any case, with or without articles and full stops, and on an answer line.
@pytest.mark.parametrize(
    ("text", "correct", "anls"),
    [
        ("Mitochondria", 1, 1),
        ("the mitochondria.", 1, 0.75),
        ("Answer: **mitochondria**", 1, 1),
        ("mitochondrion", 0, 11 / 13),
        ("nucleus", 0, 0),
        ("mitochondrial matrix", 0, 1 - 8 / 20),
    ],
)
def test_short_texts(text, correct, anls):
    found = score_text(["mitochondria"], text)
    assert found.outcome is SCORED
    assert found.metrics == {"correct": correct, "anls": pytest.approx(anls)}


# The most similar of several right wordings counts.
def test_several_wordings():
    found = score_text(["red blood cell", "erythrocyte"], "Erythrocyte")
    assert found.metrics == {"correct": 1, "anls": 1}


# Who says that it cannot tell has abstained, unless these are the right words.
def test_texts_that_say_nothing():
    assert score_text(["cells"], "I cannot determine this.").outcome is ABSTAINED
    assert score_text(["cells"], "unknown").outcome is ABSTAINED
    assert score_text(["unknown"], "Unknown").correct
    assert score_text(["cells"], "Answer: cells\nAnswer: fibres").outcome is UNPARSED
    assert score_text(["cells"], "").outcome is UNPARSED


# Numbers are read in the forms that models write them in.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("19", 19),
        ("19.0", 19),
        ("1.9e1", 19),
        ("1,234", 1234),
        ("1 234", 1234),
        ("3\uff0c000", 3000),
        ("-2.5", -2.5),
        ("\u22122.5", -2.5),
        (".5", 0.5),
        ("about 0.25", 0.25),
        ("twenty-one", 21),
        ("5 \u00d7 10^-3", 0.005),
        ("2·10⁴", 20000),
        ("Answer: 7.5", 7.5),
        ("The aspect ratio is 1.5.", 1.5),
        ("aspect ratio = 1.5", 1.5),
        ("There are 19 red blood cells in this image.", 19),
        ("19 red blood cells", 19),
        ("5 ± 1", 5),
        ("**Answer:** 12\nThey overlap.", 12),
        ("approximately 1,200", 1200),
        ("two", 2),
        ("5.", 5),
    ],
)
def test_numbers(text, value):
    found = score_number(value, text, name="aspect ratio", objects="red blood cells")
    assert found.correct, found
    assert found.metrics["relative_error"] == 0


# What only contains a number, or two of them, is not read.
@pytest.mark.parametrize(
    "text",
    [
        "10-12",
        "10 or 12",
        "more than 10",
        "10+",
        "10 %",
        "10 µm",
        "1,5",
        "1.234.567",
        "10 of 12",
        "10 thousand",
        "1/2",
        "step 10",
        "Answer: 10\nAnswer: 12",
        "Answer: 10\nMaybe 12.",
        "1e999",
        "ten.5",
        "five e3",
        "10 cells in the upper half",
        "Left: 10",
        "version 10",
        "",
    ],
)
def test_no_numbers(text):
    assert score_number(10, text, objects="cells").outcome is UNPARSED


# The list of a model that gives up is no count.
@pytest.mark.parametrize(
    "text", ["Count: NaN", "1. **Fibres:** approximately 4 ... Count: NaN", "I can't tell."]
)
def test_no_number_is_given(text):
    assert score_number(4, text, objects="fibres").outcome is ABSTAINED


# A number is right within its tolerance, the ends included whatever rounding does to them.
@pytest.mark.parametrize(
    ("tolerance", "right", "wrong"),
    [
        (Tolerance(), ["30"], ["30.1", "29.999"]),
        (Tolerance(relative=0.1), ["33", "27"], ["33.01", "26.9"]),
        (Tolerance(absolute=0.3), ["30.3", "29.7"], ["30.31"]),
        (Tolerance(relative=0.1, absolute=1), ["33"], ["34"]),
    ],
)
def test_tolerance(tolerance, right, wrong):
    assert all(score_number(30, text, tolerance).correct for text in right)
    assert not any(score_number(30, text, tolerance).correct for text in wrong)
    assert Tolerance(relative=0.1).allows(0.33, 0.3)


# A truth of 0 has no relative error, and allows no relative tolerance.
def test_truth_of_zero():
    assert score_number(0, "0", Tolerance(relative=0.5)).metrics == {"correct": 1, "within_tolerance": 1}
    assert not score_number(0, "1", Tolerance(relative=0.5)).correct


# A question without an answer has the same metrics as one with a wrong answer, and none is rewarded.
def test_no_answer_has_the_same_metrics():
    scored = {
        AnswerKind.CHOICE: score_choice("a", "b", ["a", "b"]),
        AnswerKind.TEXT: score_text(["a"], "b"),
        AnswerKind.NUMBER: score_number(1, "2"),
        AnswerKind.QUANTITY: score_quantity(1, "nm", "2 nm"),
    }
    for kind, found in scored.items():
        assert set(no_answer(kind)) == set(found.metrics)
        assert no_answer(kind)["correct"] == 0
        assert no_answer(kind).get("relative_error", 1) == 1
