"""Answers of LLaVA 1.5 7B with random weights: one image, a short question, 64 tokens written greedily."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
)

from benchmarks.gpu.work import Work, micrographs
from hooke import codecs
from hooke.types import TurnRole
from runtime.tasks import AskTask, Turn
from services.llava.checkpoint import Checkpoint, pad_token
from services.llava.engine import Engine
from services.llava.prompts import Prompter
from tests.tiny.llava import IMAGE_PX, TEXT_SIZES, VISION_SIZES, llava_processor, settings_of

TITLE = "LLaVA 1.5 7B, 64 tokens about an image"
_TOKENS = 64
_QUESTION = "What is in the image?"
_VISION = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}
_TEXT = {"vocab_size": 32064, "max_position_embeddings": 4096}
"""The rest is the default of LlamaConfig: 32 layers of 4096 numbers."""


def load(device: torch.device, dtype: torch.dtype, *, tiny: bool) -> Work:
    """Build the network on the device, or a tiny one of its kind."""
    processor = llava_processor(IMAGE_PX if tiny else _VISION["image_size"])
    text = {**TEXT_SIZES, "vocab_size": len(processor.tokenizer)} if tiny else _TEXT
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**(VISION_SIZES if tiny else _VISION)),
        text_config=LlamaConfig(**text),
        image_token_index=processor.tokenizer.image_token_id,
    )
    with device:
        network = AutoModelForImageTextToText.from_config(config, dtype=dtype).eval()
    # Random weights would end their answers at random.
    network.generation_config = GenerationConfig(do_sample=False, pad_token_id=pad_token(processor))
    checkpoint = Checkpoint(
        network, processor, "random", "", "", config.text_config.max_position_embeddings, frozenset()
    )
    tokens = 4 if tiny else _TOKENS
    engine = Engine(
        checkpoint,
        Prompter(checkpoint),
        settings_of(Path(), llava_max_output_token_count=tokens),
        str(device),
    )
    images = micrographs(512, tiny=tiny)
    pictures = [codecs.from_array(image, axes="YXS") for image in images]
    tasks = [AskTask((Turn(TurnRole.USER, _QUESTION, (picture,)),)) for picture in pictures]
    content = [{"type": "image"}, {"type": "text", "text": _QUESTION}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)

    def plain() -> int:
        for image in images:
            inputs = processor(images=[Image.fromarray(image)], text=[prompt], return_tensors="pt")
            with torch.inference_mode():
                written = network.generate(**inputs.to(device, dtype), max_new_tokens=tokens)
            processor.batch_decode(written, skip_special_tokens=True)
        return len(images)

    def batched(size: int) -> int:
        return sum(len(engine.answer(tasks[start : start + size])) for start in range(0, len(tasks), size))

    return Work(plain, batched)
