"""From conversations to what the network reads."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jinja2
from PIL import Image

from hooke.errors import InvalidRequestError
from hooke.images import Micrograph
from hooke.types import TurnRole
from runtime.tasks import AskTask, ScoreTask
from services.llava.checkpoint import Checkpoint

DEFAULT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content[0].text }} {% else %}"
    "{{ message.role.upper() }}:"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %} <image>\n{% else %} {{ part.text }}{% endif %}"
    "{% endfor %}"
    "{% if message.role == 'assistant' %}</s>{% else %} {% endif %}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""The conversation as LLaVA 1.5 learnt it, for checkpoints that bring no template."""

_ROLES = {TurnRole.USER: "user", TurnRole.MODEL: "assistant"}
_PROBE = "KEEP TO THIS"
_CHARACTERS_PER_TOKEN = 16
"""More than that no text has on average."""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Conversations side by side, filled up on the left.

    Attributes:
        inputs: what the network takes, on its device: `input_ids` and `attention_mask`, B x T, and pixels.
        lengths: tokens of each conversation, those of its images included.
    """

    inputs: dict[str, Any]
    lengths: tuple[int, ...]


class Prompter:
    """Puts conversations into the words, tokens and pixels of one checkpoint.

    What a caller writes is never read as a control token: an "<image>" or "</s>" in a question is just that
    text.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._processor = checkpoint.processor
        self._template = checkpoint.processor.chat_template or DEFAULT_TEMPLATE
        self._takes_instructions = self._keeps_instructions()
        self.continuation = functools.lru_cache(maxsize=4096)(self._continuation)
        """The tokens of a text that stands where the answer stands, right behind a prompt."""

    def messages(self, task: AskTask | ScoreTask) -> list[Message]:
        """The conversation as chat templates take it; images stand before the text of their turn."""
        turns = task.turns
        if task.instructions and not self._takes_instructions:
            first = replace(turns[0], text=f"{task.instructions}\n{turns[0].text}".rstrip())
            turns = (first, *turns[1:])
        messages = [_message(_ROLES[turn.role], turn.text, turn.images) for turn in turns]
        if task.instructions and self._takes_instructions:
            messages.insert(0, _message("system", task.instructions))
        return messages

    def batch(self, conversations: Sequence[list[Message]]) -> Batch:
        """Make conversations ready for the network.

        Raises:
            InvalidRequestError: one is so long that no token of an answer fits; says how long it is.
        """
        for conversation in conversations:
            self._check_characters(conversation)
        inputs = self._processor.apply_chat_template(
            list(conversations),
            chat_template=self._template,
            add_generation_prompt=True,
            tokenize=True,
            sanitize_control_tokens=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "left"},
        )
        lengths = tuple(int(n) for n in inputs["attention_mask"].sum(dim=1))
        most = self._checkpoint.context_tokens
        for length in lengths:
            if length >= most:
                raise InvalidRequestError(
                    f"the request has {length} tokens, those of its images included; the model takes {most}, "
                    "of which at least one is for the answer. Send fewer or smaller images, or fewer turns.",
                    metadata={"tokenCount": str(length), "maxTokenCount": str(most)},
                )
        network = self._checkpoint.network
        moved = {
            name: value.to(network.device, network.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        return Batch(moved, lengths)

    def _check_characters(self, conversation: Sequence[Message]) -> None:
        """Refuse what is far too long without making tokens of it, which takes seconds."""
        count = sum(len(part.get("text", "")) for message in conversation for part in message["content"])
        most = self._checkpoint.context_tokens
        if count > _CHARACTERS_PER_TOKEN * most:
            raise InvalidRequestError(
                f"the request has {count} characters; the model takes {most} tokens, usually of 3 or 4 "
                "characters. Send fewer turns or shorter ones.",
                metadata={"characterCount": str(count), "maxTokenCount": str(most)},
            )

    def _continuation(self, text: str) -> tuple[int, ...]:
        question = _message("user", "?")
        prompt = self._tokens([question], add_generation_prompt=True)
        whole = self._tokens([question, _message("assistant", text)], continue_final_message=True)
        if len(whole) > len(prompt) and whole[: len(prompt)] == prompt:
            return tuple(whole[len(prompt) :])
        # The template repeats a conversation otherwise than it asks for its end; the text then stands alone.
        tokenizer = self._processor.tokenizer
        return tuple(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))

    def _tokens(self, messages: list[Message], **how: bool) -> list[int]:
        tokens: list[int] = self._processor.tokenizer.apply_chat_template(
            messages,
            chat_template=self._template,
            tokenize=True,
            sanitize_control_tokens=True,
            return_dict=False,
            **how,
        )
        return tokens

    def _keeps_instructions(self) -> bool:
        """Whether the template says what a system message says; some leave it out, some refuse it."""
        messages = [_message("system", _PROBE), _message("user", "?")]
        try:
            text = self._processor.apply_chat_template(messages, chat_template=self._template)
        except jinja2.TemplateError:
            return False
        return _PROBE in text


def _message(role: str, text: str, images: Sequence[Micrograph] = ()) -> Message:
    parts: list[Message] = [{"type": "image", "image": Image.fromarray(image.pixels)} for image in images]
    if text:
        parts.append({"type": "text", "text": text})
    return {"role": role, "content": parts}
