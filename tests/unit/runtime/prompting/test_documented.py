"""What docs/prompting.md says of hard cases is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hooke.types import FinishReason
from runtime.prompting.parsing import read_class, read_count
from runtime.prompting.reading import Reading

PAGE = Path(__file__).parents[4] / "docs" / "prompting.md"
ROWS = re.findall(
    r"^\| `(.*)` \| (.+?) \| (.+?) \|$", PAGE.read_text().partition("## The hard cases")[2], re.MULTILINE
)
NFFA = (
    *("biological", "fibers", "coated films", "MEMS", "nanowires"),
    *("particles", "patterned surfaces", "porous sponge", "powder", "tips"),
)


def shown(reading: Reading) -> str:
    """The answer, or what stands for none."""
    if reading.count is not None:
        return str(reading.count)
    return reading.label or reading.outcome.value


# Every row of the table says what comes of its text.
@pytest.mark.parametrize(("text", "number", "label"), ROWS)
def test_hard_cases(text: str, number: str, label: str) -> None:
    written = text.replace("⏎", "\n")
    assert shown(read_count(written, FinishReason.STOP, object_name="cells")) == number
    assert shown(read_class(written, FinishReason.STOP, labels=NFFA, numbered=True)) == label


# The table is found.
def test_rows() -> None:
    assert len(ROWS) > 20
