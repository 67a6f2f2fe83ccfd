"""Text comes in pieces that end between characters."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

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


def test_pieces_of_a_tokenizer_with_bytes() -> None:
    """LLaMA 2 writes characters that it does not know byte by byte, and drops the space at the beginning."""
    words = [
        "<unk>",
        "<s>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        "\u2581",
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    model = models.BPE(
        {word: index for index, word in enumerate(words)}, [], byte_fallback=True, unk_token="<unk>"
    )
    core = Tokenizer(model)
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    core.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", bos_token="<s>")
    tokens = tokenizer.encode(TEXT, add_special_tokens=False)
    pieces = Pieces(tokenizer)
    written = [pieces.add(token) for token in tokens]
    assert "".join(written) == tokenizer.decode(tokens) == TEXT
    assert "🔬" in written


def test_what_breaks_off_is_told_at_the_end(llava: Stage) -> None:
    """The first bytes of a character whose last ones never come are what the library makes of them."""
    tokenizer = AutoTokenizer.from_pretrained(llava.folder)
    tokens = tokenizer.encode("a🔬", add_special_tokens=False)[:-1]
    pieces = Pieces(tokenizer)
    assert [pieces.add(token) for token in tokens] == ["a", *[""] * (len(tokens) - 1)]
    assert "a" + pieces.rest() == tokenizer.decode(tokens)
