"""A table of images, questions in words and answers."""

from __future__ import annotations

import ast
import json
import math
from functools import partial

from evaluator.datasets.basis import given
from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.patterns import fill, names_in
from evaluator.datasets.rows import Row, read_table
from evaluator.datasets.specs import QuestionsSpec
from evaluator.datasets.table import row_image
from evaluator.metrics.answers import AnswerKind, Tolerance
from evaluator.records import ExpectedAnswer, Inquiry, Truth
from hooke.errors import InvalidRequestError

ABSENT = frozenset({"", "none", "null", "nan", "[]"})
"""What stands, in lower case, where a row has no options or no tolerance."""


def list_items(spec: QuestionsSpec, folder: Folder) -> Chosen:
    """List the rows, in the order of the table; the questions about an image are a cluster by default."""
    columns = (spec.question, spec.answer, spec.options, spec.correct_index)
    needed = {name for text in (*spec.image, spec.ask or "", spec.unit) for name in names_in(text)}
    needed |= {name for name in columns if name is not None} | {*spec.slices, *given(spec.cluster)}
    if isinstance(spec.tolerance, str):
        needed.add(spec.tolerance)
    rows = read_table(folder, spec.table, needed, spec.member)
    places = (place for place, row in enumerate(rows) if _item(spec, folder, row) is not None)

    def make(row: Row) -> Item:
        item = _item(spec, folder, row)
        if item is None:
            raise InvalidRequestError(f"{row.where} has changed since the table was listed")
        return item

    items = listed(rows, places, make)
    if not items:
        raise folder.expected(f"images as {' or '.join(spec.image)} for the rows of {spec.table}")
    return items


def _item(spec: QuestionsSpec, folder: Folder, row: Row) -> Item | None:
    """What a row asks; None where its image is missing and may be."""
    path = row_image(spec, folder, row)
    if path is None:
        return None
    asked = row[spec.question] if spec.question is not None else fill(spec.ask or "", row.values)
    inquiry = Inquiry(asked, _options(spec, row))
    truth = Truth(answer=_expected(spec, row, inquiry.options))
    slices = {axis: row[axis] for axis in spec.slices}
    cluster = path if spec.cluster is None else row[spec.cluster]
    return Item(path, partial(_read, folder, path, truth, inquiry), slices, cluster)


def _options(spec: QuestionsSpec, row: Row) -> tuple[str, ...]:
    if spec.options is None or row[spec.options].strip().lower() in ABSENT:
        return ()
    text = row[spec.options]
    try:
        found = json.loads(text) if text.lstrip().startswith('["') else ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise InvalidRequestError(f"{row.where}: {text!r} is no list of options") from error
    if not isinstance(found, list) or len(set(map(str, found))) != len(found) or len(found) < 2:
        raise InvalidRequestError(f"{row.where}: {text!r} is no list of two or more different options")
    return tuple(map(str, found))


def _expected(spec: QuestionsSpec, row: Row, options: tuple[str, ...]) -> ExpectedAnswer:
    if spec.correct_index is not None:
        text = row[spec.correct_index]
        if not text.isdecimal() or int(text) >= len(options):
            raise InvalidRequestError(f"{row.where}: there is no option {text!r}; there are {len(options)}")
        return ExpectedAnswer(AnswerKind.CHOICE, (options[int(text)],))
    answer = row[spec.answer or ""].strip()
    if options:
        if answer not in options:
            raise InvalidRequestError(f"{row.where}: {answer!r} is none of the options")
        return ExpectedAnswer(AnswerKind.CHOICE, (answer,))
    number = _number(answer)
    if number is not None:
        unit = fill(spec.unit, row.values).strip()
        kind = AnswerKind.QUANTITY if unit else AnswerKind.NUMBER
        return ExpectedAnswer(kind, number=number, unit=unit, tolerance=_tolerance(spec, row))
    if not answer:
        raise InvalidRequestError(f"{row.where}: there is no answer")
    return ExpectedAnswer(AnswerKind.TEXT, tuple(answer.splitlines()))


def _tolerance(spec: QuestionsSpec, row: Row) -> Tolerance:
    if not isinstance(spec.tolerance, str):
        return Tolerance(relative=spec.tolerance)
    text = row[spec.tolerance].strip()
    value = 0.0 if text.lower() in ABSENT else _number(text)
    if value is None or value < 0:
        raise InvalidRequestError(
            f"{row.where}: {text!r} is no tolerance; it is a part of the answer, as 0.1"
        )
    return Tolerance(relative=value)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read(folder: Folder, path: str, truth: Truth, inquiry: Inquiry) -> Content:
    return Content(clean(folder.read(path)), truth, inquiry=inquiry)
