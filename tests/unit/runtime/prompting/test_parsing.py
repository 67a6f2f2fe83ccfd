"""Answers read from texts, by the table."""

# ruff: noqa: RUF001 - the look-alike characters are what is tested

from __future__ import annotations

import tracemalloc

import pytest

from hooke.types import AnswerOutcome, FinishReason
from runtime.prompting.parsing import read_class, read_class_json, read_count, read_count_json
from runtime.prompting.reading import Reading

ABSTAINED, UNPARSED = AnswerOutcome.ABSTAINED, AnswerOutcome.UNPARSED
STOP, LENGTH = FinishReason.STOP, FinishReason.LENGTH
NFFA = (
    *("biological", "fibers", "coated films", "MEMS", "nanowires"),
    *("particles", "patterned surfaces", "porous sponge", "powder", "tips"),
)


def outcome(reading: Reading) -> int | str | AnswerOutcome:
    """The answer, or why there is none; a reason stands where the text was unparsed, and only there."""
    assert bool(reading.unparsed_reason) == (reading.outcome is UNPARSED)
    answered = reading.outcome is AnswerOutcome.ANSWERED
    assert answered == ((reading.label is None) != (reading.count is None))
    if not answered:
        return reading.outcome
    return reading.count if reading.label is None else reading.label  # type: ignore[return-value]


# What comes of each text that asks for a count of cells.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The torture set.
        ("5.", 5),
        ("Count: NaN", ABSTAINED),
        ("1. **Fibres:** approximately 4 ... Count: NaN", ABSTAINED),
        ("1. **Fibres:** approximately 4\n2. **Beads:** 2\n\n**Count: NaN**", ABSTAINED),
        ("approximately 1,200", 1200),
        ("10-12", UNPARSED),
        ("two", 2),
        ("(3) coated films", UNPARSED),
        ("class 10", UNPARSED),
        ("I'm sorry, but I can't help with identifying what is in this image.", ABSTAINED),
        ("", UNPARSED),
        (" \n\t", UNPARSED),
        ("1，200", 1200),
        ("12，", 12),
        # Answer lines.
        ("Count: 42", 42),
        ("count : 42.", 42),
        ("**Count:** 42", 42),
        ("**Count: 42**", 42),
        ("`Count: 42`", 42),
        ("'Count: 42'", 42),
        ("Count: <42>", 42),
        ("Count：４２", 42),
        ("```\nCount: 42\n```", 42),
        ("Final answer: 42", 42),
        ("The count is: 42", 42),
        ("Total number of cells in the image: 42", 42),
        ("Cell count: 42", 42),
        ("Count: approximately 42 cells", 42),
        ("Left: 20\nRight: 22\nCount: 42", 42),
        ("I cannot separate them all, but I try.\nCount: 42", 42),
        ("Count: 42\nCount: 42", 42),
        ("Count: 42\n\nPlease note that this is an estimate.", 42),
        ("Count: 42\nActually, that is too many.", UNPARSED),
        ("Count: 42\nI am unable to count them exactly.", UNPARSED),
        ("Count: 42\nCount: 43", UNPARSED),
        ("Count: <count>\nCount: 43", UNPARSED),
        ("Count: 42\nThree of them touch the border.", UNPARSED),
        ("Count: 42 or 43", UNPARSED),
        ("There are 3 rows of 5. Count: 15", 15),
        ("Count: 1. Fibres: several", UNPARSED),
        ("Count:\n1. Fibres\n2. Beads", UNPARSED),
        ("Bead count: 42", UNPARSED),
        ("Pixel count: 1024", UNPARSED),
        ("Count: unknown", ABSTAINED),
        ("Count: cannot tell", ABSTAINED),
        ("Count: N/A", ABSTAINED),
        ("Count: none", UNPARSED),  # of them, or no answer?
        ("none", UNPARSED),
        ("Count: zero", 0),
        ("Count: 0", 0),
        # Sentences.
        ("There are 42 cells in the image.", 42),
        ("There are approximately 42 visible cells in this SEM image.", 42),
        ("I count 42 cells.", 42),
        ("The image contains about forty-two cells.", 42),
        ("The number of cells in the image is 42.", 42),
        ("There is one cell.", 1),
        ("There are no cells in this image.", 0),
        ("42 objects", 42),
        ("~42", 42),
        ("≈ 42", 42),
        ("There are 42 cells in the left half.", UNPARSED),
        ("There are 42 beads.", UNPARSED),
        ("There are 3 rows of cells.", UNPARSED),
        ("I am 90% sure that there are cells.", UNPARSED),
        ("There are 42 cells. They are round.", UNPARSED),
        ("Figure 3 shows many cells.", UNPARSED),
        ("several", UNPARSED),
        # Numbers in every form.
        ("1,200", 1200),
        ("1 200", 1200),
        ("1\u202f200", 1200),
        ("1'200", 1200),
        ("1,234,567", 1_234_567),
        ("1.200", UNPARSED),
        ("1,20", UNPARSED),
        ("0,200", UNPARSED),
        ("1,200,50", UNPARSED),
        ("12 34", UNPARSED),
        ("10、12", UNPARSED),
        ("٤٢", 42),
        ("4\u200b2", 42),
        ("10²", UNPARSED),
        ("①", UNPARSED),
        ("½", UNPARSED),
        ("3万", UNPARSED),
        ("四十", UNPARSED),
        ("-3", UNPARSED),
        ("−3", UNPARSED),
        ("- 3", 3),
        ("4.2", UNPARSED),
        ("1e3", UNPARSED),
        ("10^3", UNPARSED),
        ("40 %", UNPARSED),
        ("40%", UNPARSED),
        ("40 µm", UNPARSED),
        ("40µm", UNPARSED),
        ("x40", UNPARSED),
        ("0x10", UNPARSED),
        ("$40$", UNPARSED),
        ("10 to 12", UNPARSED),
        ("10–12", UNPARSED),
        ("10~12", UNPARSED),
        ("between 10 and 12", UNPARSED),
        ("10 or 12", UNPARSED),
        ("10/12", UNPARSED),
        ("10 ± 2", UNPARSED),
        ("10, 12", UNPARSED),
        ("more than 40", UNPARSED),
        ("at least 40", UNPARSED),
        ("up to 40", UNPARSED),
        ("almost 40", UNPARSED),
        ("> 40", UNPARSED),
        (">40", UNPARSED),
        ("<40", UNPARSED),
        ("40+", UNPARSED),
        ("~~40~~ 42", UNPARSED),
        ("twenty", 20),
        ("Twenty-one", 21),
        ("one hundred and five", 105),
        ("a hundred", 100),
        ("hundreds", UNPARSED),
        ("two thousand", UNPARSED),
        ("two dozen", UNPARSED),
        ("3 thousand", UNPARSED),
        ("3k", UNPARSED),
        ("twenty two three", UNPARSED),
        ("9223372036854775807", 9_223_372_036_854_775_807),
        ("9223372036854775808", UNPARSED),
        ("9" * 5000, UNPARSED),
        # Refusals.
        ("NaN", ABSTAINED),
        ("N/A", ABSTAINED),
        ("Unknown.", ABSTAINED),
        ("I don't know.", ABSTAINED),
        ("I am not able to count the cells in this image.", ABSTAINED),
        ("It is impossible to determine the number of cells.", ABSTAINED),
        ("The cells cannot be counted at this resolution.", ABSTAINED),
        ("I apologize. As a language model, I can't view images.", ABSTAINED),
        ("I cannot give an exact number, but there may be 40.", UNPARSED),
        ("I can’t count them; there are hundreds.", UNPARSED),
    ],
)
def test_counts(text: str, expected: int | AnswerOutcome) -> None:
    assert outcome(read_count(text, STOP, object_name="cells")) == expected


# Objects may have a name of several words, or one with signs that patterns are made of.
@pytest.mark.parametrize("name", ["red blood cells", "C++ (beads)", "5-µm beads", "[a-z]+", "NUCLEI"])
def test_object_names(name: str) -> None:
    assert outcome(read_count(f"There are 12 {name} in the image.", STOP, object_name=name)) == 12
    assert outcome(read_count(f"There are 12 bacteria and some {name}.", STOP, object_name=name)) == UNPARSED


# What comes of each text that asks for one of the ten classes, numbered as the paper numbers them.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.", "nanowires"),
        ("5", "nanowires"),
        ("(5)", "nanowires"),
        ("#5", "nanowires"),
        ("**5**", "nanowires"),
        ("５", "nanowires"),
        ("class 10", "tips"),
        ("Class number 1", "biological"),
        ("The class is 10.", "tips"),
        ("Answer: 10", "tips"),
        ("The answer is: 10", "tips"),
        ("(3) coated films", "coated films"),
        ("3. **Coated films**", "coated films"),
        ("Class 3: coated films", "coated films"),
        ("3 - coated films", "coated films"),
        ("coated films (3)", "coated films"),
        ("The image belongs to class (3) coated films.", "coated films"),
        ("(3) fibers", UNPARSED),
        ("fibers (3)", UNPARSED),
        ("0", UNPARSED),
        ("11", UNPARSED),
        ("-3", UNPARSED),
        ("3.5", UNPARSED),
        ("3,5", UNPARSED),
        ("3 or 5", UNPARSED),
        ("3-5", UNPARSED),
        ("3\n5", UNPARSED),
        ("1. **Fibres** are not there. Count: NaN", UNPARSED),
        ("fibers", "fibers"),
        ("Fiber", "fibers"),
        ("It shows fibers.", "fibers"),
        ("I think this image is most likely fibers", UNPARSED),  # a phrase that nobody foresaw
        ("I think it is a porous sponge.", "porous sponge"),
        ("Nano-wires", "nanowires"),
        ("patterned surface", "patterned surfaces"),
        ("sponge", UNPARSED),
        ("not fibers", UNPARSED),
        ("It is not fibers.", UNPARSED),
        ("fibers or powder", UNPARSED),
        ("fibers, powder", UNPARSED),
        ("fibers\npowder", UNPARSED),
        ("It has long strands.\nAnswer: fibers", "fibers"),
        ("It may be powder.\nAnswer: fibers", "fibers"),
        ("Answer: fibers\nOr powder.", UNPARSED),
        ("Answer: fibers\nOr nano-wires.", UNPARSED),
        ("Answer: fibers\nNone of the others fits.", "fibers"),
        ("Answer: fibers\nAnswer: powder", UNPARSED),
        ("NaN", ABSTAINED),
        ("none of the above", ABSTAINED),
        ("None of these classes.", ABSTAINED),
        ("I'm unable to determine the class of this image.", ABSTAINED),
        ("I can't tell whether these are fibers.", UNPARSED),
        ("", UNPARSED),
    ],
)
def test_numbered_classes(text: str, expected: str | AnswerOutcome) -> None:
    assert outcome(read_class(text, STOP, labels=NFFA, numbered=True)) == expected


# Labels that are hard to tell apart: only the whole of a name is a name.
@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("class 10", ("class 1", "class 10"), "class 10"),
        ("class 1", ("class 10", "class 1"), "class 1"),
        ("Answer: Class 1.", ("class 10", "class 1"), "class 1"),
        ("1", ("class 10", "class 1"), UNPARSED),
        ("class 1 0", ("class 1", "class 10"), UNPARSED),
        ("blood cell", ("cell", "blood cell"), "blood cell"),
        ("The image shows a blood cell.", ("cell", "blood cell"), "blood cell"),
        ("a cell of blood", ("cell", "blood cell"), UNPARSED),
        ("cells", ("cell", "cells"), "cells"),
        ("Cells", ("cell", "Cell"), UNPARSED),
        ("A", ("a", "A"), "A"),
        ("1", ("0", "1", "2"), "1"),
        ("-1", ("0", "1"), UNPARSED),
        ("-1", ("-1", "1"), "-1"),
        ("1.5", ("1", "5", "1.5"), "1.5"),
        ("3", ("a", "b", "c"), UNPARSED),  # the question has no numbers
        ("(3) c", ("a", "b", "c"), "c"),
        ("(2) c", ("a", "b", "c"), UNPARSED),
        ("3 fibers", ("3 fibers", "2 fibers", "fibers"), "3 fibers"),
        ("+", ("+", "-"), "+"),
        ("Answer: +", ("+", "-"), "+"),
        ("unknown", ("known", "unknown"), "unknown"),
        ("Answer: none", ("none", "some"), "none"),
        ("not infected", ("infected", "not infected"), "not infected"),
        ("not infected", ("infected", "uninfected"), UNPARSED),
        ("Answer: E. coli", ("E. coli", "S. aureus"), "E. coli"),
        ("Lactobacillus casei", ("Lactobacillus.casei", "Lactobacillus.gasseri"), UNPARSED),
        ("cell_line", ("cell_line", "other"), "cell_line"),
        ("cell line", ("cell_line", "other"), "cell_line"),
        ("Answer: Stage: II", ("Stage: I", "Stage: II"), "Stage: II"),
        ("Answer: a b", ("a\nb", "c"), "a\nb"),
    ],
)
def test_class_names(text: str, labels: tuple[str, ...], expected: str | AnswerOutcome) -> None:
    assert outcome(read_class(text, STOP, labels=labels, numbered=False)) == expected


# Where a number could be a name as well as a place in the list, and they differ, nothing is read.
def test_numbers_that_are_names() -> None:
    assert outcome(read_class("1", STOP, labels=("0", "1", "2"), numbered=True)) == UNPARSED
    assert outcome(read_class("1", STOP, labels=("1", "2", "3"), numbered=True)) == "1"
    assert outcome(read_class("class 1", STOP, labels=("class 10", "class 1"), numbered=True)) == UNPARSED


# What comes of each JSON answer to a question of numbers.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"answer": 3, "confidence": 0.5, "abstain": false}', 3),
        ('```json\n{"answer": 3, "confidence": 0.5, "abstain": false}\n```', 3),
        ('```\n{"answer": 3}\n```', 3),
        ('{"answer": 3.0}', 3),
        ('{"answer": 0}', 0),
        ('{"answer": null, "confidence": 0.5, "abstain": true}', ABSTAINED),
        ('{"answer": 3, "confidence": 0.5, "abstain": true}', ABSTAINED),
        ('{"answer": null, "confidence": 0.5, "abstain": false}', ABSTAINED),
        ('{"answer": 3.5}', UNPARSED),
        ('{"answer": -3}', UNPARSED),
        ('{"answer": "3"}', UNPARSED),
        ('{"answer": true}', UNPARSED),
        ('{"answer": [3]}', UNPARSED),
        ('{"answer": {"answer": 3}}', UNPARSED),
        ('{"answer": NaN}', UNPARSED),
        ('{"answer": Infinity}', UNPARSED),
        ('{"answer": 1e999}', UNPARSED),
        ('{"answer": 9223372036854775808}', UNPARSED),
        ('{"answer": ' + "9" * 5000 + "}", UNPARSED),
        ('{"answer": 3, "answer": 4}', UNPARSED),
        ('{"answer": 3, "abstain": "no"}', UNPARSED),
        ('{"count": 3}', UNPARSED),
        ('{"answer": 3', UNPARSED),
        ('{"answer": 3} {"answer": 4}', UNPARSED),
        ('Here it is: {"answer": 3}', UNPARSED),
        ("[3]", UNPARSED),
        ("3", UNPARSED),
        ("Count: 3", UNPARSED),
        ("<html>", UNPARSED),
        ("[" * 100_000, UNPARSED),
        ("``````", UNPARSED),
        ("", UNPARSED),
    ],
)
def test_json_counts(text: str, expected: int | AnswerOutcome) -> None:
    assert outcome(read_count_json(text, STOP)) == expected


# What comes of each JSON answer to a question of classes.
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('"fibers"', "fibers"),
        ('"Fiber"', "fibers"),
        ('"coated films"', "coated films"),
        ("null", ABSTAINED),
        ('"glass"', UNPARSED),
        ('"fibers or powder"', UNPARSED),
        ('""', UNPARSED),
        ("2", UNPARSED),
        ('["fibers"]', UNPARSED),
        ("true", UNPARSED),
    ],
)
def test_json_classes(answer: str, expected: str | AnswerOutcome) -> None:
    text = f'{{"answer": {answer}, "confidence": 1, "abstain": false}}'
    assert outcome(read_class_json(text, STOP, labels=NFFA)) == expected


# A confidence counts from 0 to 1, also beside an abstention; what is none is left out, and the answer stands.
@pytest.mark.parametrize(
    ("stated", "expected"),
    [("0", 0.0), ("0.75", 0.75), ("1", 1.0)]
    + [(text, None) for text in ("1.01", "85", "-0.1", '"high"', "true", "null", "1e999")],
)
def test_confidence(stated: str, expected: float | None) -> None:
    for abstain, outcome_of in (("false", 3), ("true", ABSTAINED)):
        text = f'{{"answer": 3, "confidence": {stated}, "abstain": {abstain}}}'
        reading = read_count_json(text, STOP)
        assert (outcome(reading), reading.stated_confidence) == (outcome_of, expected)
    assert read_count_json('{"answer": 3}', STOP).stated_confidence is None


# A text that was cut off is read only where a whole line, or a whole JSON object, had been written before.
def test_cut_off() -> None:
    for text in ("Count: 4", "42", "There are 4", "I cannot count", "NaN", "Some text\nCount: 4", ""):
        assert outcome(read_count(text, LENGTH, object_name="cells")) == UNPARSED
    assert outcome(read_count("Count: 42\nI cou", LENGTH, object_name="cells")) == 42
    assert outcome(read_count("Count: 42\nCount: 4", LENGTH, object_name="cells")) == UNPARSED
    assert outcome(read_count("Count: NaN\n", LENGTH, object_name="cells")) == ABSTAINED
    assert outcome(read_class("Answer: fibers", LENGTH, labels=NFFA, numbered=False)) == UNPARSED
    assert outcome(read_class("Answer: fibers\n", LENGTH, labels=NFFA, numbered=False)) == "fibers"
    cut = read_count_json('{"answer": 4', LENGTH)
    assert (outcome(cut), "cut off" in cut.unparsed_reason) == (UNPARSED, True)
    assert outcome(read_count_json('{"answer": 4}', LENGTH)) == 4


# Reading ends, whatever a model writes until its tokens are used up: if its steps grew with the square of the
# length, this would take longer than a test may.
@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["*a", "_a ", "a* ", " ", "\n", "1,", "1 ", "(", "Count: ", "cannot a ", "`", "E. "]
)
def test_long_texts(piece: str) -> None:
    text = piece * (120_000 // len(piece))
    read_count(text, STOP, object_name="cells")
    read_class(text, STOP, labels=NFFA, numbered=True)
    read_count_json(text, STOP)
    read_count_json("```json" + text, LENGTH)


# A text of many answer lines takes no more memory than a few copies of it.
def test_many_answer_lines() -> None:
    text = "Count: 3\n" * 5000
    tracemalloc.start()
    assert outcome(read_count(text, STOP, object_name="cells")) == 3
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * len(text)
