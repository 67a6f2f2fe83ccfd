"""What the tests of LLaVA share: tasks, and the same questions put to the library directly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor

from hooke import codecs
from hooke.images import Micrograph
from hooke.types import TurnRole
from runtime.decoding import Decoding
from runtime.tasks import AskTask, ScoreTask, Turn
from services.llava.parameters import LlavaParameters


def micrograph(seed: int, height_px: int = 40, width_px: int = 60) -> Micrograph:
    """Noise in 8-bit RGB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    return codecs.from_array(pixels, axes="YXS")


def turn(text: str, *images: Micrograph) -> Turn:
    """What the user says."""
    return Turn(TurnRole.USER, text, images)


def reply(text: str) -> Turn:
    """What the model said."""
    return Turn(TurnRole.MODEL, text)


def ask(*turns: Turn, **fields: Any) -> AskTask:
    """A task with these turns; `decoding` takes the fields of Decoding."""
    if "decoding" in fields:
        fields["parameters"] = LlavaParameters(decoding=Decoding(**fields.pop("decoding")))
    return AskTask(turns, **fields)


def score(text: str, *images: Micrograph, labels: Sequence[str], rule: Any = None) -> ScoreTask:
    """A task that asks which label answers a question."""
    parameters = LlavaParameters(label_normalization=rule)
    return ScoreTask((turn(text, *images),), tuple(labels), parameters=parameters)


VARIED = (
    ask(turn("What is in the image?", micrograph(1))),
    ask(turn("Compare", micrograph(2, 90, 30), micrograph(3, 30, 30))),
    ask(turn("How many?", micrograph(4, 64, 64)), reply("Some cells"), turn("Are you sure of that?")),
    ask(
        turn("Which?", micrograph(5, 28, 28)),
        reply("This"),
        turn("And here?", micrograph(6, 20, 70)),
    ),
    ask(turn("Cells?", micrograph(7, 33, 47)), instructions="Answer in one word."),
)
"""Conversations of different length, with one and with several images and turns."""


@dataclass(frozen=True, slots=True)
class Library:
    """The checkpoint as the library gives it, asked without any code of ours."""

    processor: Any
    network: Any

    @classmethod
    def load(cls, folder: Path) -> Library:
        """Load the checkpoint in `folder`."""
        processor = AutoProcessor.from_pretrained(folder)
        processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        return cls(processor, AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval())

    def inputs(self, task: AskTask | ScoreTask) -> dict[str, torch.Tensor]:
        """The question as the network takes it."""
        pictures = [Image.fromarray(image.pixels) for image in task.images]
        messages: list[dict[str, Any]] = []
        if task.instructions:
            messages.append({"role": "system", "content": [{"type": "text", "text": task.instructions}]})
        for said in task.turns:
            role = "user" if said.role is TurnRole.USER else "assistant"
            content = [{"type": "image"} for _ in said.images]
            messages.append({"role": role, "content": [*content, {"type": "text", "text": said.text}]})
        prompt = self.processor.apply_chat_template(messages, add_generation_prompt=True)
        inputs = self.processor(
            images=[pictures], text=[prompt], return_tensors="pt", add_special_tokens=False
        )
        return dict(inputs)

    def answer(self, task: AskTask, most_tokens: int = 12) -> str:
        """What the library writes, greedily."""
        inputs = self.inputs(task)
        written = self.network.generate(**inputs, do_sample=False, max_new_tokens=most_tokens)
        return str(
            self.processor.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        )

    def log_likelihood(self, task: ScoreTask, label: str, join: str) -> tuple[float, int]:
        """Sum of the log-probabilities of a label, by a forward pass over all of it; and its tokens."""
        inputs = self.inputs(task)
        tokens = self.processor.tokenizer(join + label, add_special_tokens=False, return_tensors="pt")[
            "input_ids"
        ]
        whole = torch.cat([inputs.pop("input_ids"), tokens], dim=1)
        inputs["attention_mask"] = torch.ones_like(whole)
        with torch.no_grad():
            logits = self.network(input_ids=whole, **inputs).logits
        before = torch.log_softmax(logits[0, -tokens.shape[1] - 1 : -1].double(), dim=-1)
        return float(before.gather(-1, tokens[0, :, None]).sum()), tokens.shape[1]
