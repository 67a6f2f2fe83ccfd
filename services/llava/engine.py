"""From tasks to answers: parameters, batches, and what happens where memory runs out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hooke.errors import HookeError
from hooke.images import Micrograph
from hooke.types import FinishReason, TokenUsage, TurnRole, UsedParameter
from runtime import accelerators
from runtime.decoding import Decoding
from runtime.tasks import Answer, AskTask, LabelScores, ScoreTask, Turn
from services.llava import checkpoint as checkpoints
from services.llava import scoring, weights
from services.llava.checkpoint import Checkpoint
from services.llava.generation import Writer, write
from services.llava.memory import in_parts
from services.llava.parameters import PAPER, LabelNormalization, LlavaParameters
from services.llava.prompts import Prompter
from services.llava.scoring import Question, Scored
from services.llava.settings import LlavaSettings

ROWS_AT_ONCE = 16
"""Most labels that are scored side by side; each holds a copy of what the network keeps of its question."""
GREY = 127
"""What every sample of an image without content is."""
MAX_SEED = 2**31
"""Seeds that the service draws are below."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A loaded checkpoint that answers tasks.

    Attributes:
        checkpoint: what answers.
        prompter: its prompts.
        settings: of the service.
        device_name: where it runs, for people.
    """

    checkpoint: Checkpoint
    prompter: Prompter
    settings: LlavaSettings
    device_name: str

    @classmethod
    def load(cls, settings: LlavaSettings) -> Self:
        """Load the checkpoint of the settings; call it on the thread that will compute.

        Raises:
            SettingsError: it is missing, not whole, or cannot run as the settings say.
        """
        folder = weights.find(settings)
        accelerators.limit_threads(settings.threads)
        accelerator = accelerators.choose(settings)
        checkpoint = checkpoints.load(folder, settings, accelerator)
        engine = cls(checkpoint, Prompter(checkpoint), settings, accelerator.name)
        engine.answer([_WARM_UP])
        return engine

    def answer(self, tasks: Sequence[AskTask]) -> list[Answer | HookeError]:
        """Answer every task, in order.

        Returns:
            For each task its answer, or why there is none: InvalidRequestError where the conversation is
            longer than the checkpoint takes, OutOfMemoryError where it needs more memory than there is.
        """
        return in_parts([self._writer(task) for task in tasks], self._write)

    def score(self, tasks: Sequence[ScoreTask]) -> list[LabelScores | HookeError]:
        """Score the labels of every task, in order; the errors are those of `answer`."""
        without_content = [_without_content(task) for task in tasks if _normalization(task) == "prior"]
        questions = [
            Question(self.prompter.messages(task), task.labels) for task in (*tasks, *without_content)
        ]
        scored = in_parts(questions, self._score)
        priors = iter(scored[len(tasks) :])
        return [
            self._label_scores(task, found, next(priors) if _normalization(task) == "prior" else None)
            for task, found in zip(tasks, scored, strict=False)
        ]

    def _writer(self, task: AskTask) -> Writer:
        decoding = _decoding(task)
        return Writer(
            task=task,
            sampling=decoding.sampling(PAPER),
            seed=secrets.randbelow(MAX_SEED) if decoding.seed is None else decoding.seed,
            most_tokens=decoding.max_output_token_count or self.settings.llava_max_output_token_count,
            checkpoint=self.checkpoint,
        )

    def _write(self, writers: Sequence[Writer]) -> list[Answer]:
        write(self.checkpoint, self.prompter, writers)
        return [
            Answer(
                text=writer.text,
                finish_reason=writer.finish_reason or FinishReason.STOP,
                usage=TokenUsage(writer.input_tokens, len(writer.tokens)),
                parameters=(*_decoding_used(writer), *self._numbers_used()),
            )
            for writer in writers
        ]

    def _score(self, questions: Sequence[Question]) -> list[Scored]:
        return scoring.score(self.checkpoint, self.prompter, questions, ROWS_AT_ONCE)

    def _label_scores(
        self, task: ScoreTask, found: Scored | HookeError, prior: Scored | HookeError | None
    ) -> LabelScores | HookeError:
        if isinstance(found, HookeError):
            return found
        if isinstance(prior, HookeError):
            return prior
        rule = _normalization(task)
        chosen = _parameters(task).label_normalization is None
        return LabelScores(
            probabilities=_probabilities(rule, found, prior),
            usage=TokenUsage(found.token_count + (prior.token_count if prior else 0), 0),
            parameters=(UsedParameter("label_normalization", rule, chosen), *self._numbers_used()),
        )

    def _numbers_used(self) -> tuple[UsedParameter, ...]:
        return (
            UsedParameter("precision", self.settings.precision, chosen_by_server=True),
            UsedParameter("quantization", self.settings.llava_quantization, chosen_by_server=True),
        )


_PLAIN = Micrograph(np.full((64, 64, 3), GREY, np.uint8), axes="YXS", sha256="", bit_depth=8)
_WARM_UP = AskTask(
    turns=(Turn(TurnRole.USER, "?", (_PLAIN,)),),
    parameters=LlavaParameters(decoding=Decoding(max_output_token_count=1)),
)


def _parameters(task: AskTask | ScoreTask) -> LlavaParameters:
    return task.parameters or LlavaParameters()


def _decoding(task: AskTask) -> Decoding:
    return _parameters(task).decoding or Decoding()


def _normalization(task: ScoreTask) -> LabelNormalization:
    return _parameters(task).label_normalization or "token_mean"


def _decoding_used(writer: Writer) -> tuple[UsedParameter, ...]:
    decoding = _decoding(writer.task)
    most = decoding.max_output_token_count
    used = [
        *decoding.used(writer.sampling),
        UsedParameter("max_output_token_count", writer.most_tokens, most != writer.most_tokens),
    ]
    if writer.sampling.temperature:
        # In words, since a number on the wire holds no more than 53 bits.
        used.append(UsedParameter("seed", str(writer.seed), decoding.seed is None))
    return tuple(used)


def _probabilities(rule: LabelNormalization, found: Scored, prior: Scored | None) -> tuple[float, ...]:
    """Softmax of the likelihoods, made comparable by the rule."""
    values = np.array([likelihood.log_probability for likelihood in found.likelihoods])
    if prior is not None:
        values -= [likelihood.log_probability for likelihood in prior.likelihoods]
    elif rule == "token_mean":
        values /= [likelihood.token_count for likelihood in found.likelihoods]
    shares = np.exp(values - values.max())
    return tuple((shares / shares.sum()).tolist())


def _without_content(task: ScoreTask) -> ScoreTask:
    """The same task with images of the same sizes that show nothing."""
    turns = tuple(replace(turn, images=tuple(_grey(image) for image in turn.images)) for turn in task.turns)
    return replace(task, turns=turns)


def _grey(image: Micrograph) -> Micrograph:
    return replace(image, pixels=np.full_like(image.pixels, GREY))
