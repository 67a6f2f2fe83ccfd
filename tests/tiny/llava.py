"""Tiny LLaVA checkpoints with random weights: every path of the large ones, in milliseconds.

The weights are wide (standard deviation 0.5), so that the answers differ from image to image and from
question to question; with the usual small ones every answer would be the same token again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2Config,
    SiglipVisionConfig,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
    LlavaOnevisionImageProcessorPil,
)

from services.llava.settings import LlavaSettings

IMAGE_PX = 28
PATCH_PX = 14
CONTEXT_TOKENS = 2048
VICUNA_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content[0].text + ' ' }}{% else %}"
    "{{ message.role.upper() + ':' }}"
    "{% for part in message.content %}"
    "{{ ' <image>\n' if part.type == 'image' else ' ' + part.text }}"
    "{% endfor %}{{ '</s>' if message.role == 'assistant' else ' ' }}{% endif %}{% endfor %}"
    "{{ 'ASSISTANT:' if add_generation_prompt else '' }}"
)
CHATML_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% for part in message.content %}"
    "{{ '<image>\n' if part.type == 'image' else part.text }}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\n' if add_generation_prompt else '' }}"
)
TEXT_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT_TOKENS,
}
VISION_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": IMAGE_PX,
    "patch_size": PATCH_PX,
}
_GRID = [[IMAGE_PX, 2 * IMAGE_PX], [2 * IMAGE_PX, IMAGE_PX], [2 * IMAGE_PX, 2 * IMAGE_PX]]
_CORPUS = (
    "USER: ASSISTANT: What is in the image? cells nuclei fibres a micrograph of particles, many or few",
)


def llava_processor(image_px: int = IMAGE_PX, chat_template: str | None = VICUNA_TEMPLATE) -> LlavaProcessor:
    """A processor of LLaVA 1.5 for images that are scaled to this side."""
    return LlavaProcessor(
        LlavaImageProcessorPil(size={"shortest_edge": image_px}, crop_size=_square(image_px)),
        _tokenizer("<s>", "</s>"),
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat_template,
    )


def build_llava(
    folder: Path, chat_template: str | None = VICUNA_TEMPLATE, text: Mapping[str, int] = MappingProxyType({})
) -> Path:
    """Write a LLaVA 1.5 checkpoint: CLIP and LLaMA; `text` says what of LLaMA is to be larger."""
    processor = llava_processor(chat_template=chat_template)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION_SIZES),
        text_config=LlamaConfig(vocab_size=len(processor.tokenizer), **{**TEXT_SIZES, **text}),
        image_token_index=processor.tokenizer.image_token_id,
    )
    return _save(folder, LlavaForConditionalGeneration, config, processor)


def build_llava_next(folder: Path) -> Path:
    """Write a LLaVA-NeXT checkpoint: the image also as tiles of higher resolution."""
    tokenizer = _tokenizer("<s>", "</s>")
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**VISION_SIZES),
        text_config=LlamaConfig(vocab_size=len(tokenizer), **TEXT_SIZES),
        image_token_index=tokenizer.image_token_id,
        image_grid_pinpoints=_GRID,
    )
    processor = LlavaNextProcessor(
        LlavaNextImageProcessorPil(
            size={"shortest_edge": IMAGE_PX}, crop_size=_square(IMAGE_PX), image_grid_pinpoints=_GRID
        ),
        tokenizer,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VICUNA_TEMPLATE,
    )
    return _save(folder, LlavaNextForConditionalGeneration, config, processor)


def build_llava_onevision(folder: Path) -> Path:
    """Write a LLaVA-OneVision checkpoint: SigLIP and Qwen 2."""
    tokenizer = _tokenizer(None, "<|im_end|>", "<|im_start|>", video_token="<video>")
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(vision_use_head=False, **VISION_SIZES),
        text_config=Qwen2Config(vocab_size=len(tokenizer), **TEXT_SIZES),
        image_token_index=tokenizer.image_token_id,
        video_token_index=tokenizer.video_token_id,
        image_grid_pinpoints=_GRID,
    )
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessorPil(size=_square(IMAGE_PX), image_grid_pinpoints=_GRID),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=_square(IMAGE_PX)),
        num_image_tokens=(IMAGE_PX // PATCH_PX) ** 2,
        vision_feature_select_strategy="full",
        chat_template=CHATML_TEMPLATE,
    )
    return _save(folder, LlavaOnevisionForConditionalGeneration, config, processor)


BUILDERS: Mapping[str, Callable[[Path], Path]] = {
    "llava": build_llava,
    "llava_next": build_llava_next,
    "llava_onevision": build_llava_onevision,
}
"""What writes a checkpoint of each architecture into a folder."""


def settings(folder: Path, **values: Any) -> LlavaSettings:
    """Settings of a service of a tiny LLaVA 1.5, which is written into `folder` unless one is there."""
    if not (folder / "config.json").is_file():
        build_llava(folder)
    return settings_of(folder, **values)


def settings_of(folder: Path, **values: Any) -> LlavaSettings:
    """Settings of a service of the checkpoint in `folder`, on one thread of the CPU."""
    fixed = {"host": "127.0.0.1", "port": 0, "device": "cpu", "threads": 1}
    tiny = {"llava_checkpoint": str(folder), "llava_max_output_token_count": 12}
    return LlavaSettings.model_validate({**fixed, **tiny, **values})


def _square(side_px: int) -> dict[str, int]:
    return {"height": side_px, "width": side_px}


def _tokenizer(bos_token: str | None, eos_token: str, *special: str, **extra: str) -> PreTrainedTokenizerFast:
    """Byte-level pairs, so that a token may be a part of a character."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    named = [token for token in (bos_token, eos_token, "<pad>", *special) if token]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=named, show_progress=False
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=bos_token,
        eos_token=eos_token,
        pad_token="<pad>",
        additional_special_tokens=list(special),
        extra_special_tokens={"image_token": "<image>", **extra},
    )


def _save(folder: Path, kind: type[PreTrainedModel], config: Any, processor: ProcessorMixin) -> Path:
    tokenizer = processor.tokenizer
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config)
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "norm" not in name:
                torch.nn.init.normal_(parameter, std=0.5)
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
