"""Writing of answers: many conversations side by side, each with its own way of choosing and its own end.

All rows of a batch go through one `generate` of the library. It takes the likeliest token of what `_Chooser`
leaves of the scores, and `_Follower` gets each row's token as it is written: passes it on to whoever reads
along, and says which rows are done. So rows of different decoding share a batch, a row that samples draws
from a generator of its own and does not depend on its neighbours, and a row that nobody waits for any more
ends while the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from hooke.types import FinishReason
from runtime.decoding import Sampling
from runtime.tasks import AskTask
from services.llava.checkpoint import Checkpoint
from services.llava.pieces import Pieces
from services.llava.prompts import Prompter


class Writer:
    """The answer to one task while it is written.

    Args:
        task: says who reads along, and whether anybody still waits.
        sampling: how tokens are chosen.
        seed: of the sampling.
        most_tokens: after so many the answer ends.
        checkpoint: what writes.

    Attributes:
        most_tokens: as given, or fewer where the checkpoint takes no more.
        text: what was written; all of it was passed on to whoever reads along.
        tokens: the same as the network wrote it, with the token that ends it.
        finish_reason: why it ends; None while it goes on.
        input_tokens: length of the question, once that is known.
    """

    def __init__(
        self, task: AskTask, sampling: Sampling, seed: int, most_tokens: int, checkpoint: Checkpoint
    ) -> None:
        self.task = task
        self.sampling = sampling
        self.seed = seed
        self.most_tokens = most_tokens
        self.text = ""
        self.tokens: list[int] = []
        self.finish_reason: FinishReason | None = None
        self.input_tokens = 0
        self._generator = torch.Generator().manual_seed(seed)
        self._pieces = Pieces(checkpoint.processor.tokenizer)
        self._end_tokens = checkpoint.end_tokens
        self._position = 0

    @property
    def done(self) -> bool:
        """Whether there is nothing more to write: it ended, or nobody waits for it."""
        return self.finish_reason is not None or self.task.abandoned.is_set()

    def begin(self, input_tokens: int, context_tokens: int) -> None:
        """Begin to write, or begin again where an attempt failed: what was written then is written again."""
        self.input_tokens = input_tokens
        self.most_tokens = min(self.most_tokens, context_tokens - input_tokens)
        self._position = 0

    def choose(self, scores: torch.Tensor) -> int | None:
        """Choose the next token by its scores, one for each of the vocabulary; None: the likeliest."""
        if self._position < len(self.tokens):
            return self.tokens[self._position]
        if self.done or not self.sampling.temperature:
            return None
        return draw(scores, self.sampling, self._generator)

    def take(self, token: int) -> bool:
        """Take the next token, and say whether the answer ends here."""
        if self.done:
            return True
        self._position += 1
        if self._position <= len(self.tokens):
            return False
        self.tokens.append(token)
        if token in self._end_tokens:
            self.finish_reason = FinishReason.STOP
        elif len(self.tokens) >= self.most_tokens:
            self.finish_reason = FinishReason.LENGTH
        piece = self._pieces.add(token)
        self._pass_on(piece if self.finish_reason is None else piece or self._pieces.rest())
        return self.finish_reason is not None

    def _pass_on(self, piece: str) -> None:
        self.text += piece
        if piece and self.task.emit is not None:
            self.task.emit(piece)


def write(checkpoint: Checkpoint, prompter: Prompter, writers: Sequence[Writer]) -> None:
    """Write all answers that are not done yet, side by side.

    After an error it may be called again, with all or with fewer of the writers.

    Raises:
        InvalidRequestError: see `Prompter.batch`.
    """
    waiting = [writer for writer in writers if not writer.done]
    if not waiting:
        return
    batch = prompter.batch([prompter.messages(writer.task) for writer in waiting])
    for writer, length in zip(waiting, batch.lengths, strict=True):
        writer.begin(length, checkpoint.context_tokens)
    with torch.inference_mode():
        checkpoint.network.generate(
            **batch.inputs,
            max_new_tokens=max(writer.most_tokens for writer in waiting),
            logits_processor=LogitsProcessorList([_Chooser(waiting)]),
            stopping_criteria=StoppingCriteriaList([_Follower(waiting)]),
        )


def draw(scores: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Draw a token: from the likeliest ones that together have a share `top_p` of the probability.

    Args:
        scores: logits, one for each token of the vocabulary.
        sampling: temperature above 0, and top_p.
        generator: of the CPU, so that a seed means the same on every device.
    """
    # Without its maximum, no score overflows however low the temperature is.
    probabilities = torch.softmax((scores.double() - scores.max()) / sampling.temperature, dim=-1)
    ordered, tokens = probabilities.sort(descending=True, stable=True)
    cumulative = ordered.cumsum(dim=-1)
    top_p = 1.0 if sampling.top_p is None else sampling.top_p
    kept = int((cumulative - ordered < top_p).sum())  # the first one always
    point = torch.rand((), generator=generator, dtype=torch.float64).item() * cumulative[kept - 1]
    place = int(torch.searchsorted(cumulative[:kept], point, right=True))
    return int(tokens[min(place, kept - 1)])


class _Chooser(LogitsProcessor):  # type: ignore[misc]  # the library publishes no types
    """Leaves of each row's scores only the token that its writer chose."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = writers

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        del input_ids
        for writer, row in zip(self._writers, scores, strict=True):
            token = writer.choose(row)
            if token is not None:
                row.fill_(-torch.inf)
                row[token] = 0.0
        return scores


class _Follower(StoppingCriteria):  # type: ignore[misc]  # the library publishes no types
    """Hands each row's token to its writer, and tells the library which rows are done."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = writers

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        del scores
        tokens = input_ids[:, -1].tolist()
        done = [writer.take(token) for writer, token in zip(self._writers, tokens, strict=True)]
        return torch.tensor(done, device=input_ids.device)
