"""How likely a text is as the answer to a conversation.

A conversation is read once, with its images; what the network keeps of it is then shared by all texts that
are scored behind it, some rows at a time.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import Cache

from hooke.errors import HookeError
from services.llava.checkpoint import Checkpoint
from services.llava.memory import in_parts
from services.llava.prompts import Batch, Message, Prompter


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a text is: the sum of the log-probabilities of its tokens, and how many these are."""

    log_probability: float
    token_count: int

    @property
    def token_mean(self) -> float:
        """Mean log-probability of a token."""
        return self.log_probability / self.token_count


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation, and the texts whose likelihood as its answer is asked for."""

    messages: list[Message]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """Likelihoods of the answers of one question, in their order, and the tokens that were read for it."""

    likelihoods: tuple[Likelihood, ...]
    token_count: int


def score(
    checkpoint: Checkpoint, prompter: Prompter, questions: Sequence[Question], rows_at_once: int
) -> list[Scored]:
    """Score the answers of every question, in order.

    Args:
        checkpoint: what scores.
        prompter: its prompts.
        questions: are read side by side.
        rows_at_once: most answers that are read side by side behind them; each needs memory for its question.

    Raises:
        InvalidRequestError: see `Prompter.batch`.
        OutOfMemoryError: even a lone answer does not fit beside the questions.
    """
    batch = prompter.batch([question.messages for question in questions])
    rows = [
        _Row(index, prompter.continuation(answer))
        for index, question in enumerate(questions)
        for answer in question.answers
    ]
    with torch.inference_mode():
        read = _Read.of(checkpoint, batch)
        chunks = (rows[start : start + rows_at_once] for start in range(0, len(rows), rows_at_once))
        likelihoods = iter([_certain(found) for chunk in chunks for found in in_parts(chunk, read.score)])
    return [
        Scored(
            tuple(itertools.islice(likelihoods, len(question.answers))),
            length + sum(len(row.tokens) for row in rows if row.question == index),
        )
        for index, (question, length) in enumerate(zip(questions, batch.lengths, strict=True))
    ]


def _certain(found: Likelihood | HookeError) -> Likelihood:
    """A likelihood; without that of every answer, a question has none to compare."""
    if isinstance(found, HookeError):
        raise found
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    """One answer: the index of its question, and its tokens."""

    question: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Questions as the network keeps them once it has read them.

    Attributes:
        mask: B x T, 1 where a question has a token, 0 where it is filled up.
        cache: keys and values of every layer.
        following: B x V, log-probabilities of the token that follows.
    """

    checkpoint: Checkpoint
    mask: torch.Tensor
    cache: Cache
    following: torch.Tensor

    @classmethod
    def of(cls, checkpoint: Checkpoint, batch: Batch) -> _Read:
        """Read questions, images included."""
        mask = batch.inputs["attention_mask"]
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
        output = checkpoint.network(**batch.inputs, position_ids=positions, use_cache=True, logits_to_keep=1)
        return cls(checkpoint, mask, output.cache, _log_probabilities(output.logits[:, -1]))

    def score(self, rows: Sequence[_Row]) -> list[Likelihood]:
        """Score answers side by side, each behind its question."""
        device = self.mask.device
        tokens = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(row.tokens, device=device) for row in rows], batch_first=True
        )
        lengths = torch.tensor([len(row.tokens) for row in rows], device=device)
        given = torch.arange(tokens.shape[1], device=device) < lengths[:, None]
        chosen = torch.tensor([row.question for row in rows], device=device)
        log_probabilities = self.following[chosen, None]
        if tokens.shape[1] > 1:  # what the last token of an answer leads to, nobody asks
            behind = self._behind(chosen, tokens[:, :-1], given[:, :-1])
            log_probabilities = torch.cat([log_probabilities, behind], dim=1)
        each = log_probabilities.gather(-1, tokens[..., None])[..., 0]
        sums = torch.where(given, each, 0.0).sum(dim=-1)
        return [Likelihood(value, len(row.tokens)) for value, row in zip(sums.tolist(), rows, strict=True)]

    def _behind(self, chosen: torch.Tensor, tokens: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of what follows each of `tokens`, R x N, behind the questions `chosen`, R."""
        mask = self.mask[chosen]
        positions = mask.sum(dim=-1, keepdim=True) + torch.arange(tokens.shape[1], device=mask.device)
        output = self.checkpoint.network(
            input_ids=tokens,
            attention_mask=torch.cat([mask, given.to(mask.dtype)], dim=-1),
            position_ids=positions,
            cache=_rows_of(self.cache, chosen),
            use_cache=True,
        )
        return _log_probabilities(output.logits)


def _rows_of(cache: Cache, rows: torch.Tensor) -> Cache:
    """A cache of these rows of another one, which stays as it is; a row may be taken several times."""
    taken = copy.copy(cache)
    taken.layers = [copy.copy(layer) for layer in cache.layers]
    taken.batch_select_indices(rows)  # replaces tensors, changes none
    return taken


def _log_probabilities(logits: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(logits.float(), dim=-1)
