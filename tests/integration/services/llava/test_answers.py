"""Answers are those of the library, alone or side by side, at once or piece by piece."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

from hooke import errors
from hooke.types import FinishReason, UsedParameter
from runtime.batches import Abandonment
from runtime.decoding import Sampling
from runtime.tasks import AskTask, Emitter
from services.llava.generation import draw
from tests.integration.services.llava.conftest import Stage
from tests.integration.services.llava.lab import VARIED, ask, micrograph, score, turn
from tests.tiny.llava import CONTEXT_TOKENS

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("task", VARIED)
def test_an_answer_is_that_of_the_library(stage: Stage, task: AskTask) -> None:
    """Several images, turns and instructions: the text is what `generate` writes for it."""
    (answer,) = stage.model.answer([task])
    assert answer.text == stage.library.answer(task)
    assert answer.usage is not None
    assert answer.usage.input_token_count == stage.library.inputs(task)["input_ids"].shape[1]
    assert answer.usage.cost_micro_usd is None


def test_answers_do_not_depend_on_the_batch(stage: Stage) -> None:
    """Conversations of different length with images of different size and number: together as alone."""
    together = stage.model.answer(VARIED)
    assert [answer.text for answer in together] == [stage.library.answer(task) for task in VARIED]
    assert len({answer.text for answer in together}) == len(VARIED)


def test_an_answer_ends_where_the_model_ends_it(llava: Stage) -> None:
    """STOP where the model was done, LENGTH where it was cut; each row of a batch for itself."""
    task = ask(turn("What is in the image?", micrograph(1)))
    whole = llava.model.answer([task])[0]
    assert whole.finish_reason is FinishReason.LENGTH
    assert whole.usage is not None
    assert whole.usage.output_token_count == 12
    short = ask(*task.turns, decoding={"max_output_token_count": 3})
    cut, again = llava.model.answer([short, task])
    assert cut.finish_reason is FinishReason.LENGTH
    assert cut.usage is not None
    assert cut.usage.output_token_count == 3
    assert cut.text == llava.library.answer(task, most_tokens=3)
    assert again.text == whole.text
    assert UsedParameter("max_output_token_count", 3) in cut.parameters
    assert UsedParameter("max_output_token_count", 12, chosen_by_server=True) in again.parameters


def test_the_token_that_ends_an_answer_is_no_part_of_it(llava: Stage) -> None:
    """Some images make the model end early; the library ends there, too."""
    tasks = [ask(turn("?", micrograph(seed)), decoding={"max_output_token_count": 60}) for seed in range(40)]
    answers = llava.model.answer(tasks)
    ended = [pair for pair in zip(tasks, answers, strict=True) if pair[1].finish_reason is FinishReason.STOP]
    assert ended
    for task, answer in ended:
        assert answer.text == llava.library.answer(task, most_tokens=60)
        assert answer.usage is not None
        assert answer.usage.output_token_count < 60


def test_pieces_make_the_text(stage: Stage) -> None:
    """What was passed on while it was written is the text, row by row, and none of it is half a character."""
    pieces: list[list[str]] = [[] for _ in VARIED]
    tasks = [
        ask(*task.turns, instructions=task.instructions, emit=Emitter(pieces[index].append))
        for index, task in enumerate(VARIED)
    ]
    answers = stage.model.answer(tasks)
    for answer, task, emitted in zip(answers, VARIED, pieces, strict=True):
        assert "".join(emitted) == answer.text == stage.library.answer(task)
        assert all(emitted)
        assert len(emitted) > 1
        assert not any(piece.endswith("\N{REPLACEMENT CHARACTER}") for piece in emitted[:-1])


def test_whoever_leaves_costs_two_tokens_at_most(llava: Stage) -> None:
    """The forward passes end soon after nobody waits any more; what was written until then comes back."""
    gone = Abandonment()
    written: list[str] = []

    def read(piece: str) -> None:
        written.append(piece)
        if len(written) == 3:
            gone.set()

    many = {"max_output_token_count": 100}
    task = ask(turn("?", micrograph(1)), emit=Emitter(read), abandoned=gone, decoding=many)
    steps = _steps(llava)
    with steps:
        (answer,) = llava.model.answer([task])
    assert answer.text == "".join(written)
    assert answer.usage is not None
    assert steps.count <= answer.usage.output_token_count + 2 < 20


def test_those_who_stay_get_their_answers(llava: Stage) -> None:
    """One of a batch leaves, before or while it is written: the others' answers are as ever."""
    before, during = Abandonment(), Abandonment()
    before.set()
    left = [
        ask(turn("?", micrograph(1)), abandoned=before),
        ask(turn("?", micrograph(2)), abandoned=during, emit=Emitter(lambda _: during.set())),
    ]
    first, second, *stayed = llava.model.answer([*left, *VARIED])
    assert first.text == ""
    assert llava.library.answer(left[1]).startswith(second.text)
    assert [answer.text for answer in stayed] == [llava.library.answer(task) for task in VARIED]


def test_nothing_is_computed_where_everybody_left(llava: Stage) -> None:
    """A batch of abandoned tasks costs no forward pass."""
    gone = Abandonment()
    gone.set()
    with _steps(llava) as steps:
        (answer,) = llava.model.answer([ask(turn("?", micrograph(1)), abandoned=gone)])
    assert answer.text == ""
    assert steps.count == 0


def test_a_seed_repeats_an_answer_in_any_company(llava: Stage) -> None:
    """Sampled rows draw from generators of their own: alone, in a batch, and with other seeds beside them."""
    decoding = {"decoding_preset": "paper", "temperature": 1.5, "top_p": 0.95}
    seeds = [ask(turn("?", micrograph(1)), decoding={**decoding, "seed": seed}) for seed in range(4)]
    alone = [llava.model.answer([task])[0].text for task in seeds]
    together = [answer.text for answer in llava.model.answer([*VARIED, *reversed(seeds)])][len(VARIED) :]
    assert together == alone[::-1]
    assert len(set(alone)) == 4


def test_a_seed_that_was_drawn_is_told(llava: Stage) -> None:
    """Without a seed the service draws one; with it the answer can be had again."""
    decoding = {"decoding_preset": "paper", "temperature": 1.5}
    (answer,) = llava.model.answer([ask(turn("?", micrograph(1)), decoding=decoding)])
    used = {parameter.name: parameter for parameter in answer.parameters}
    assert used["seed"].chosen_by_server
    assert (used["temperature"].value, used["top_p"].value) == (1.5, 0.7)
    again = ask(turn("?", micrograph(1)), decoding={**decoding, "seed": int(str(used["seed"].value))})
    assert llava.model.answer([again])[0].text == answer.text


def test_draws_follow_the_probabilities() -> None:
    """Tokens come as often as they are likely; those beyond top_p, and all but one of top_p near 0, never."""
    scores = torch.log(torch.tensor([0.1, 0.4, 0.05, 0.45]))
    generator = torch.Generator().manual_seed(0)
    drawn = [draw(scores, Sampling(1.0, 1.0), generator) for _ in range(4000)]
    assert [drawn.count(token) / 4000 for token in range(4)] == pytest.approx(
        [0.1, 0.4, 0.05, 0.45], abs=0.03
    )
    assert {draw(scores, Sampling(1.0, 0.8), generator) for _ in range(200)} == {1, 3}
    assert {draw(scores, Sampling(1.0, 1e-9), generator) for _ in range(50)} == {3}
    assert {draw(scores, Sampling(1e-300, 1.0), generator) for _ in range(50)} == {3}


def test_a_conversation_that_is_too_long_is_refused(llava: Stage) -> None:
    """Alone: the error says how many tokens it has and how many the model takes, the others are answered."""
    task = ask(turn("many " * CONTEXT_TOKENS, micrograph(1)))
    length = llava.library.inputs(task)["input_ids"].shape[1]
    first, refused, last = llava.model.answer([VARIED[0], task, VARIED[1]])
    assert isinstance(refused, errors.InvalidRequestError)
    assert f"{length} tokens" in refused.message
    assert refused.metadata == {"tokenCount": str(length), "maxTokenCount": str(CONTEXT_TOKENS)}
    assert [first.text, last.text] == [llava.library.answer(task) for task in VARIED[:2]]


def test_what_is_far_too_long_is_refused_by_its_characters(llava: Stage) -> None:
    """Making tokens of a book takes seconds, so nobody does; the same for labels to score."""
    book = "many " * 200_000
    engine = llava.model._engine
    assert engine is not None
    tokenizer = engine.checkpoint.processor.tokenizer
    with mock.patch.object(type(tokenizer), "_encode_plus", side_effect=AssertionError("tokens were made")):
        (refused,) = llava.model.answer([ask(turn(book, micrograph(1)))])
        (unscored,) = llava.model.score([score(book, micrograph(1), labels=("a", "b"))])
    for error in (refused, unscored):
        assert isinstance(error, errors.InvalidRequestError)
        assert error.metadata == {"characterCount": "1000000", "maxTokenCount": str(CONTEXT_TOKENS)}


def test_an_answer_ends_with_the_context(llava: Stage) -> None:
    """Where little room is left, the answer is cut there, and the parameters say so."""
    task = ask(turn("z" * (CONTEXT_TOKENS - 20), micrograph(1)))
    room = CONTEXT_TOKENS - llava.library.inputs(task)["input_ids"].shape[1]
    assert 0 < room < 12
    (answer,) = llava.model.answer([task])
    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.usage is not None
    assert answer.usage.output_token_count == room
    assert UsedParameter("max_output_token_count", room, chosen_by_server=True) in answer.parameters


@pytest.mark.parametrize("word", ["<image>", "</s>", "<|im_end|>", "<pad>"])
def test_a_question_cannot_forge_control_tokens(stage: Stage, word: str) -> None:
    """What a caller writes is text: it makes no image, ends no turn and is no error."""
    (plain, forged) = stage.model.answer(
        [ask(turn(f"a {text} b", micrograph(1))) for text in ("plain", word)]
    )
    assert plain.usage is not None
    assert forged.usage is not None
    tokens = stage.library.processor.tokenizer(word, add_special_tokens=False, split_special_tokens=True)
    plain_tokens = stage.library.processor.tokenizer("plain", add_special_tokens=False)
    difference = len(tokens["input_ids"]) - len(plain_tokens["input_ids"])
    assert abs(forged.usage.input_token_count - plain.usage.input_token_count - difference) <= 2


class _steps:  # noqa: N801  # reads as what it counts
    """Counts the forward passes of a model."""

    def __init__(self, stage: Stage) -> None:
        engine = stage.model._engine
        assert engine is not None
        self._network = engine.checkpoint.network
        self.count = 0

    def __enter__(self) -> _steps:
        self._hook = self._network.register_forward_hook(self._step)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _step(self, *_: object) -> None:
        self.count += 1
