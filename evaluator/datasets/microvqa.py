"""MicroVQA: choices about one image or several, in Parquet files that hold the images, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from evaluator.datasets.basis import given
from evaluator.datasets.cleaning import clean
from evaluator.datasets.dataset import Content, Item
from evaluator.datasets.folders import Folder
from evaluator.datasets.listing import Chosen, listed
from evaluator.datasets.public_specs import MicroVqaSpec
from evaluator.metrics.answers import AnswerKind
from evaluator.records import ExpectedAnswer, Inquiry, Truth
from hooke.errors import ImageUnreadableError, InvalidRequestError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

IMAGES = "images_list"
ASKED = ("question", "choices", "correct_index")
LAYOUT = "*.parquet with the columns question, choices, correct_index and images_list"


@dataclass(frozen=True, slots=True)
class _Question:
    """One row without its images: where these are, and what is asked."""

    path: str
    group: int
    place: int
    number: int
    values: Mapping[str, Any]


def list_items(spec: MicroVqaSpec, folder: Folder) -> Chosen:
    """List the questions; the images of a row group are read when one of them is asked for."""
    columns = (*ASKED, *spec.slices, *given(spec.cluster))
    paths = [path for path in folder.files if path.endswith(".parquet")]
    questions = [question for path in paths for question in _read_file(folder, path, columns)]
    if not questions:
        raise folder.expected(LAYOUT)
    images = _Images(folder)
    return listed(questions, range(len(questions)), partial(_item, spec, images))


def _read_file(folder: Folder, path: str, columns: Sequence[str]) -> list[_Question]:
    questions: list[_Question] = []
    with folder.open_file(path) as file:
        parquet = _open(file, folder, path)
        missing = sorted({*columns, IMAGES} - set(parquet.schema_arrow.names))
        if missing:
            raise InvalidRequestError(f"{folder.path / path}: no column {missing[0]!r}")
        for group in range(parquet.num_row_groups):
            rows = parquet.read_row_group(group, columns=list(dict.fromkeys(columns))).to_pylist()
            for place, values in enumerate(rows):
                number = len(questions) + 1
                _check(f"{folder.path / path}, row {number}", values)
                questions.append(_Question(path, group, place, number, values))
    return questions


def _open(file: Any, folder: Folder, path: str) -> ParquetFile:
    # Imported where it is needed: it takes more memory than the rest of the evaluator.
    from pyarrow import ArrowException  # noqa: PLC0415
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        return ParquetFile(file)
    except (ArrowException, OSError) as error:
        raise InvalidRequestError(f"{folder.path / path} is not a Parquet file: {error}") from error


def _check(where: str, values: Mapping[str, Any]) -> None:
    choices, right = values["choices"], values["correct_index"]
    if not isinstance(choices, list) or len(set(choices)) != len(choices) or len(choices) < 2:
        raise InvalidRequestError(f"{where}: {choices!r} is no list of two or more different options")
    if not isinstance(right, int) or not 0 <= right < len(choices):
        raise InvalidRequestError(f"{where}: there is no option {right!r}; there are {len(choices)}")


def _item(spec: MicroVqaSpec, images: _Images, question: _Question) -> Item:
    values = question.values
    inquiry = Inquiry(str(values["question"]), tuple(map(str, values["choices"])))
    truth = Truth(answer=ExpectedAnswer(AnswerKind.CHOICE, (inquiry.options[values["correct_index"]],)))
    return Item(
        f"{question.path}, row {question.number}",
        partial(images.content, question, truth, inquiry),
        {axis: str(values[axis]) for axis in spec.slices},
        cluster=str(values[spec.cluster]) if spec.cluster else None,
    )


class _Images:
    """The images of rows. Those of the last row group are kept: rows are mostly read in their order."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._group = lru_cache(maxsize=1)(self._read_group)

    def content(self, question: _Question, truth: Truth, inquiry: Inquiry) -> Content:
        """Read the images of a row, cleaned.

        Raises:
            ImageUnreadableError: there is none, or one cannot be read.
        """
        column = self._group(question.path, question.group)
        found = [clean(_bytes_of(image)) for image in column[question.place].as_py() or ()]
        if not found:
            raise ImageUnreadableError(f"{question.path}, row {question.number}: there is no image")
        return Content(found[0], truth, inquiry=inquiry, further_images=tuple(found[1:]))

    def _read_group(self, path: str, group: int) -> Any:
        with self._folder.open_file(path) as file:
            parquet = _open(file, self._folder, path)
            return parquet.read_row_group(group, columns=[IMAGES]).column(0)


def _bytes_of(image: Any) -> bytes:
    """Of an image that is a structure of bytes and a path, the bytes."""
    data = image.get("bytes") if isinstance(image, dict) else image
    return data if isinstance(data, bytes) else b""
