"""Text comes in pieces that end between characters."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from services.llava.pieces import Pieces
from tests.integration.services.llava.conftest import Stage

pytestmark = pytest.mark.torch

TEXT = "Ünal saw 10 µm cells 🔬🧫, naïvely: 細胞 two  spaces\n<pad>?"


def test_pieces_end_between_characters(stage: Stage) -> None:
    """Tokens that are parts of characters wait for the rest; together the pieces are the whole text."""
    tokenizer = AutoTokenizer.from_pretrained(stage.folder)
    tokens = tokenizer.encode(TEXT, add_special_tokens=False)
    pieces = Pieces(tokenizer)
    written = [pieces.add(token) for token in tokens]
    assert "".join(written) == tokenizer.decode(tokens, skip_special_tokens=True) == TEXT.replace("<pad>", "")
    assert pieces.rest() == ""
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in written)
    assert "🔬" in written


def test_what_breaks_off_is_told_at_the_end(llava: Stage) -> None:
    """The first bytes of a character whose last ones never come are what the library makes of them."""
    tokenizer = AutoTokenizer.from_pretrained(llava.folder)
    tokens = tokenizer.encode("a🔬", add_special_tokens=False)[:-1]
    pieces = Pieces(tokenizer)
    assert [pieces.add(token) for token in tokens] == ["a", *[""] * (len(tokens) - 1)]
    assert "a" + pieces.rest() == tokenizer.decode(tokens)
