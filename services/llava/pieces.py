"""Tokens to text, piece by piece."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer makes of the first bytes of a character whose last ones are yet to come."""


class Pieces:
    """Turns the tokens of one text into pieces of it, which never end within a character.

    Tokens mean different things at the beginning and within a text (many tokenizers drop a leading space), so
    each piece is decoded behind the one before it. Together they are what the tokenizer makes of all tokens;
    only of bytes that are no text at all it may make more or fewer replacement characters.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._behind: list[int] = []
        self._waiting: list[int] = []

    def add(self, token: int) -> str:
        """Return the text that is whole with this token; may be empty."""
        self._waiting.append(token)
        piece = self._piece()
        if not piece or piece.endswith(UNFINISHED):
            return ""
        self._behind, self._waiting = self._waiting, []
        return piece

    def rest(self) -> str:
        """Return what is left at the end, where that breaks off within a character."""
        return self._piece()

    def _piece(self) -> str:
        before = self._decode(self._behind)
        return self._decode(self._behind + self._waiting)[len(before) :]

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True)) if tokens else ""
