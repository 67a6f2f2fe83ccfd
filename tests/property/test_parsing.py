"""Whatever words stand around an answer, it is read as what it says or not at all: never as another one.

Known counts and classes are put into generated phrases. Of some it is only known that they must not be
misread (`never_another`), of others that they are no answers (`never_read`), and the plain ones are read.
"""

# ruff: noqa: RUF001 - the look-alike characters are what is tested

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooke.types import AnswerOutcome, FinishReason
from runtime.prompting.parsing import read_class, read_class_json, read_count, read_count_json
from runtime.prompting.reading import Reading

STOP, LENGTH = FinishReason.STOP, FinishReason.LENGTH
pytestmark = pytest.mark.slow  # thousands of texts
THOROUGH = settings(max_examples=400, deadline=None)
# Names that contain each other, and one that contains a negation.
LABELS = (
    *("fibers", "coated films", "film", "blood cell", "cell"),
    *("class 1", "class 10", "MEMS", "not infected"),
)
NFFA = (
    *("biological", "fibers", "coated films", "MEMS", "nanowires"),
    *("particles", "patterned surfaces", "porous sponge", "powder", "tips"),
)
WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def phrases(listed: str) -> st.SearchStrategy[str]:
    """Any of the phrases that stand between bars."""
    return st.sampled_from(listed.split(" | "))


COUNTS = st.integers(0, 130) | st.integers(0, 10**7)


def in_words(number: int) -> str:
    """A number below 1000 in English words."""
    if number >= 100:
        rest = number % 100
        return f"{WORDS[number // 100]} hundred" + (f" and {in_words(rest)}" if rest else "")
    if number >= 20:
        return TENS[number // 10 - 2] + (f"-{WORDS[number % 10]}" if number % 10 else "")
    return WORDS[number]


def written(number: int) -> st.SearchStrategy[str]:
    """Ways to write a number that cannot be misunderstood."""
    grouped = f"{number:,}"
    ways = [str(number), grouped, grouped.replace(",", "\u202f"), grouped.replace(",", "，")]
    # The digits of other scripts, by their zeros.
    ways += ["".join(chr(ord(zero) + int(digit)) for digit in str(number)) for zero in "０٠०"]
    if number < 1000:
        ways += [in_words(number), in_words(number).capitalize(), in_words(number).replace("-", " ")]
    return st.sampled_from(ways)


MARKED = phrases("{} | **{}** | *{}* | `{}` | _{}_ | {}. | **{}.** |   {}\n | ```\n{}\n``` | > {} | - {}")
# Sentences that say a number of cells and no more.
PLAIN_COUNTS = phrases(
    "{} | Count: {} | count: {} cells | Count：{} | {} cells | There are {} cells in the image. | "
    "I count {} cells. | Approximately {} | about {} cells | The image shows {} visible cells. | "
    "~{} | Final count: {} | The total number of cells in this micrograph is {}. | "
    "Cell count: {} | Answer: {} | Count: <{}>"
)
# Phrases in which the number may be read or not, but no other one.
LOOSE_COUNTS = phrases(
    "I would say {} cells, give or take. | {} cells (approximately) | "
    "Some cells overlap.\nCount: {} | Count: {}\nThey overlap. | My count is {}, I think. | "
    "Cells: {} | Number = {} | **Answer:** {} cells\n\nThe cells are round. | [{}] | "
    "\\boxed{{{}}} | Rows of cells are visible. Count: {} | Count: {} cells in total, roughly | "
    "I am unable to be exact. Count: {} | e.g. Count: {}"
)
# What turns a number into something that is no count.
SPOILERS = phrases(
    "{}% | {} % | {} µm | {}x | -{} | −{} | {}.5 | {}.200 | {},2 | {}e3 | {}² | 10^{} | 1/{} | "
    "{}+ | {}/9 | 0.{} | "
    "{} µm² | {} mm | more than {} | at least {} | over {} cells | fewer than {} | up to {} | "
    "almost {} | > {} | ≥{} | <{} | not {} | {} thousand | {}k | {} dozen | {} million | {}万 | "
    "{} rows of cells | {} cells in the upper half | step {} | {} ± 3 | {} cells per field | "
    "{} hundred thousand | the {}th cell | "
    "version {} | {}:30 | page {} | {} nm | "
    "{}\nWait, that is wrong. | {}\nActually, I miscounted. | {}. Fibres: several"
)


def never_another(reading: Reading, truth: int | str) -> None:
    """The truth or nothing; and nothing has a reason where it is unparsed."""
    answered = reading.outcome is AnswerOutcome.ANSWERED
    assert (reading.count, reading.label).count(None) == (1 if answered else 2)
    assert not answered or truth in (reading.count, reading.label)
    assert bool(reading.unparsed_reason) == (reading.outcome is AnswerOutcome.UNPARSED)


def never_read(reading: Reading) -> None:
    """No answer at all."""
    assert reading.outcome is not AnswerOutcome.ANSWERED
    assert (reading.count, reading.label) == (None, None)


def count_in(text: str, finish: FinishReason = STOP) -> Reading:
    """What is read from the answer to a question of cells."""
    return read_count(text, finish, object_name="cells")


# A number in a plain sentence is read, however it is written.
@given(st.data(), COUNTS, PLAIN_COUNTS)
@THOROUGH
def test_plain_counts_are_read(data: st.DataObject, truth: int, phrase: str) -> None:
    assert count_in(phrase.format(data.draw(written(truth)))).count == truth


# In other phrases, in Markdown and between other sentences, it is read or nothing is.
@given(st.data(), COUNTS, PLAIN_COUNTS | LOOSE_COUNTS, MARKED)
@THOROUGH
def test_counts_in_any_dress(data: st.DataObject, truth: int, phrase: str, marks: str) -> None:
    number = data.draw(written(truth))
    never_another(count_in(marks.format(phrase.format(number))), truth)
    never_another(count_in(phrase.format(marks.format(number))), truth)
    never_another(count_in(data.draw(st.text(max_size=12)) + "\nCount: " + number), truth)


# What only contains a number is never read as it, nor as a part of it.
@given(
    st.data(),
    st.integers(2, 10**6),
    SPOILERS,
    phrases("{} | Count: {} | There are {} cells. | **{}**"),
)
@THOROUGH
def test_no_counts(data: st.DataObject, number: int, spoiler: str, phrase: str) -> None:
    never_read(count_in(phrase.format(spoiler.format(data.draw(written(number))))))


# Two numbers are one answer only where a last line says which.
@given(
    st.data(),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    phrases(
        "{} or {} | {}-{} | {}–{} | {} to {} | between {} and {} | {}, {} | {}; {} | {} / {} | "
        "Count: {} or {} | Count: {}\nCount: {} | {}\n{} | 1. {}\n2. {} | {} cells and {} beads | "
        "{} ({}) | {} × {} | Count: {}\nMaybe {}. | Left: {}\nRight: {} | {}~{} | {} vs. {} | {}、{} | "
        "There are {} cells. I see {} cells."
    ),
)
@THOROUGH
def test_two_numbers(data: st.DataObject, first: int, second: int, phrase: str) -> None:
    if first == second:
        second += 1
    numbers = data.draw(written(first)), data.draw(written(second))
    text = phrase.format(*numbers)
    never_read(count_in(text))
    assert count_in(text.replace("Count: ", "") + f"\n\nCount: {first}").count == first


# Cut off anywhere, a text gives the number or nothing.
@given(st.data(), COUNTS, PLAIN_COUNTS, phrases(" | \n | \nThat is | \nCount: "))
@THOROUGH
def test_cut_counts(data: st.DataObject, truth: int, phrase: str, more: str) -> None:
    text = phrase.format(data.draw(written(truth))) + more
    cut = text[: data.draw(st.integers(0, len(text)))]
    never_another(count_in(cut, LENGTH), truth)
    structured = json.dumps({"answer": truth, "confidence": 0.5, "abstain": False})
    cut = structured[: data.draw(st.integers(0, len(structured)))]
    never_another(read_count_json(cut, LENGTH), truth)


REFUSALS = st.builds(
    "{}{} {}{}".format,
    phrases(" | I'm sorry, but  | Sorry.  | As a language model,  | Unfortunately, "),
    phrases(
        "I cannot | I can't | I can’t | I am unable to | it is impossible to | I am not able to | I could not"
    ),
    phrases(
        "count the cells | accurately determine this | identify anything here | provide a number | "
        "view images"
    ),
    phrases(". |  in this image. |  because the image is too blurry. |  | !\nPlease send a sharper image."),
)
NO_ANSWERS = phrases("NaN | nan | N/A | unknown | Unknown. | cannot tell | null | not sure | I don't know")


# Who says that it cannot tell has abstained; with a number beside it, nothing is read.
@given(REFUSALS | NO_ANSWERS, COUNTS)
@THOROUGH
def test_refusals(refusal: str, number: int) -> None:
    assert count_in(refusal).outcome is AnswerOutcome.ABSTAINED
    assert read_class(refusal, STOP, labels=NFFA, numbered=True).outcome is AnswerOutcome.ABSTAINED
    never_read(count_in(f"{refusal} There may be {number} cells."))
    never_read(count_in(f"Count: {number}\n{refusal}"))
    if "\n" not in refusal:
        assert count_in(f"1. **Fibres:** {number}\n\nCount: NaN").outcome is AnswerOutcome.ABSTAINED


# Any text at all is read without an error, and a class that it does not name is never found in it.
@given(st.text(max_size=60) | st.text("0123456789,. -:Count\n*_<>'%", max_size=30))
@settings(max_examples=1500, deadline=None)
def test_any_text(text: str) -> None:
    for finish in (STOP, LENGTH):
        reading = count_in(text, finish)
        assert reading.count is None or reading.count >= 0
        never_read(read_class(text, finish, labels=("alpha", "beta"), numbered=False))
        read_class(text, finish, labels=NFFA, numbered=True)
        read_count_json(text, finish)
        read_class_json(text, finish, labels=NFFA)


def dressed(label: str) -> st.SearchStrategy[str]:
    """Ways to write the name of a class."""
    ways = [label, label.upper(), label.title(), label.replace(" ", "-"), label.replace(" ", "_")]
    ways += [f'"{label}"', f"({label})", f"**{label}**", f"{label}."]
    ways += [label.rstrip("sS"), label.rstrip("sS") + "s"]
    return st.sampled_from([*ways, f"a {label}", f"the {label}"])


PLAIN_CLASSES = phrases(
    "{} | Answer: {} | Class: {} | **Answer:** {} | The image shows {}. | This is {} | "
    "It appears to be {}. | The answer is {} | The image belongs to the class {}. | "
    "I think it is {}."
)
SPOILED_CLASSES = phrases(
    "not {} | no {} | It is not {}. | anything but {} | {} or glass | glass, not {} | "
    "non-{} | un{} | {} and more | rather glass than {} | Answer: not {} | {}-like glass | "
    "neither {} nor glass | It might be {} but I doubt it | {}\nglass"
)


# A class in a plain phrase is read.
@given(st.sampled_from(NFFA), PLAIN_CLASSES)
@THOROUGH
def test_plain_classes_are_read(truth: str, phrase: str) -> None:
    for numbered in (False, True):
        assert read_class(phrase.format(truth), STOP, labels=NFFA, numbered=numbered).label == truth


# However a name is written, among names that contain each other, it is that class or none.
@given(st.data(), st.sampled_from(LABELS), PLAIN_CLASSES, MARKED, st.permutations(LABELS), st.booleans())
@THOROUGH
def test_classes_in_any_dress(
    data: st.DataObject, truth: str, phrase: str, marks: str, labels: list[str], numbered: bool
) -> None:
    name = data.draw(dressed(truth))
    for text in (phrase.format(marks.format(name)), marks.format(phrase.format(name))):
        never_another(read_class(text, STOP, labels=labels, numbered=numbered), truth)
    never_another(read_class_json(json.dumps({"answer": name}), STOP, labels=labels), truth)


# A class that is only mentioned is not the answer.
@given(st.data(), st.sampled_from(NFFA), SPOILED_CLASSES)
@THOROUGH
def test_no_classes(data: st.DataObject, label: str, phrase: str) -> None:
    name = data.draw(dressed(label))
    for numbered in (False, True):
        never_read(read_class(phrase.format(name), STOP, labels=NFFA, numbered=numbered))


# One of two classes is not the answer either.
@given(
    st.data(),
    st.permutations(NFFA),
    phrases(
        "{} or {} | {}, {} | {} and {} | {}/{} | {}\n{} | Answer: {}\nAnswer: {} | Answer: {}\nOr {}. | "
        "{} ({}) | {} with {} | It is {}, not {}. | The image shows {}. It shows {}."
    ),
)
@THOROUGH
def test_two_classes(data: st.DataObject, labels: list[str], phrase: str) -> None:
    text = phrase.format(data.draw(dressed(labels[0])), data.draw(dressed(labels[1])))
    for numbered in (False, True):
        never_read(read_class(text, STOP, labels=NFFA, numbered=numbered))


# A number is the class of that number, or none: never that of a part of it.
@given(
    st.integers(0, 120),
    phrases("{} | {}. | ({}) | class {} | Class {} | #{} | Answer: {} | **{}** | {}) | The class is {}."),
)
@THOROUGH
def test_numbers_of_classes(number: int, phrase: str) -> None:
    reading = read_class(phrase.format(number), STOP, labels=NFFA, numbered=True)
    if 1 <= number <= len(NFFA):
        assert reading.label == NFFA[number - 1]
    else:
        never_read(reading)
    never_read(read_class(phrase.format(number), STOP, labels=NFFA, numbered=False))


# What only contains the number of a class is not that class.
@given(
    st.integers(1, 10),
    phrases(
        "{}.5 | {},5 | {}-5 | {} or 5 | -{} | not {} | {} of 10 | {}% | {}\n5 | {}/10 | class {} or 5 | "
        "Answer: {} or 5 | {}? | I see {} objects. | {}th | v{} | {}²"
    ),
)
@THOROUGH
def test_no_numbers_of_classes(number: int, phrase: str) -> None:
    never_read(read_class(phrase.format(number), STOP, labels=NFFA, numbered=True))


# Where names differ only in what is otherwise overlooked, only the exact name is that class.
@given(st.sampled_from(("cell", "Cell", "CELL", "ce-ll", "ce ll")), PLAIN_CLASSES, st.data())
@THOROUGH
def test_names_that_differ_little(truth: str, phrase: str, data: st.DataObject) -> None:
    labels = data.draw(st.permutations(("cell", "Cell", "CELL", "ce-ll", "ce ll")))
    assert read_class(phrase.format(truth), STOP, labels=labels, numbered=False).label == truth
    never_read(read_class(phrase.format("cELL"), STOP, labels=labels, numbered=False))


# A number and a name beside it are read where they agree.
@given(
    st.integers(1, 10),
    st.sampled_from(NFFA),
    phrases("({}) {} | {}. {} | Class {}: {} | {} - {} | {}) {} | ({}) **{}**"),
)
@THOROUGH
def test_numbers_beside_names(number: int, label: str, phrase: str) -> None:
    for numbered in (False, True):
        reading = read_class(phrase.format(number, label), STOP, labels=NFFA, numbered=numbered)
        if NFFA[number - 1] == label:
            assert reading.label == label
        else:
            never_read(reading)


# Labels of any characters find themselves, and nothing else is found.
@given(
    st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=2, max_size=6, unique=True),
    st.data(),
)
@THOROUGH
def test_any_labels(labels: list[str], data: st.DataObject) -> None:
    truth = data.draw(st.sampled_from(labels))
    assert read_class_json(json.dumps({"answer": truth}), STOP, labels=labels).label in (truth, None)
    text = f"Answer: {' '.join(truth.split())}"
    never_another(read_class(text, STOP, labels=labels, numbered=False), truth)
