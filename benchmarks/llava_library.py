"""LLaVA by transformers alone, without any code of Hooke: what the service is measured against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor

from tests.tiny.llava import build_llava

_SIZES = {
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 8,
    "num_attention_heads": 12,
    "num_key_value_heads": 12,
}


def write_checkpoint(folder: Path) -> None:
    """Write a checkpoint of 60 million random weights."""
    build_llava(folder, text=_SIZES)


@dataclass(frozen=True, slots=True)
class Library:
    """A checkpoint on one thread of the CPU."""

    processor: Any
    network: Any

    @classmethod
    def load(cls, folder: Path) -> Library:
        """Load the checkpoint in `folder`."""
        torch.set_num_threads(1)
        processor = AutoProcessor.from_pretrained(folder)
        processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        network = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        return cls(processor, network.eval())

    def asking(self, pixels: NDArray[Any], question: str, token_count: int) -> Callable[[], str]:
        """What answers a question, from the picture to the text, whenever it is called."""
        content = [{"type": "image"}, {"type": "text", "text": question}]
        prompt = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )

        def answer() -> str:
            inputs = self.processor(images=[Image.fromarray(pixels)], text=[prompt], return_tensors="pt")
            with torch.inference_mode():
                written = self.network.generate(**inputs, do_sample=False, max_new_tokens=token_count)
            new = written[0, inputs["input_ids"].shape[1] :]
            return str(self.processor.decode(new, skip_special_tokens=True))

        return answer
