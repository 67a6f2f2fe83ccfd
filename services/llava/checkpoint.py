"""A checkpoint in memory: network, processor, and what a user must know of them."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.utils import logging as transformers_logging

from runtime.accelerators import Accelerator
from runtime.settings import PREFIX, SettingsError
from runtime.weights import WeightsError, sha256_of
from services.llava.settings import LlavaSettings
from services.llava.weights import command, commit_of

UNKNOWN_LICENCE = "see the model card of the checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        network: in evaluation mode, on its device; its generation is greedy.
        processor: makes tokens and pixels of a conversation.
        version: name of the folder, and the commit that it was fetched from where that is known.
        digest: SHA-256 over the names and SHA-256 of its files of weights.
        licence: of the weights, as its model card says.
        context_tokens: most tokens of a conversation, answer included.
        end_tokens: each ends an answer.
    """

    network: PreTrainedModel
    processor: ProcessorMixin
    version: str
    digest: str
    licence: str
    context_tokens: int
    end_tokens: frozenset[int]


def load(folder: Path, settings: LlavaSettings, accelerator: Accelerator) -> Checkpoint:
    """Load the checkpoint in `folder`; nothing is read from elsewhere, and no code of it is run.

    Raises:
        WeightsError: it is no checkpoint of a model for images and text, or not whole.
        SettingsError: it cannot be held in so few bits.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # what it warns of is checked below
    quantization = _quantization(settings, accelerator)
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        # Pillow and torchvision resample differently; one answer must not depend on what is installed.
        processor.image_processor = AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, backend="pil"
        )
        network, loading = AutoModelForImageTextToText.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=accelerator.dtype,
            device_map={"": accelerator.device},
            quantization_config=quantization,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise WeightsError(
            f"{folder} cannot be loaded: {error}\nGet it again with:\n  {command(settings)}"
        ) from error
    # Without this check, what is missing or has another shape would be made up of random numbers.
    faults = sorted({*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])})
    if faults:
        raise WeightsError(
            f"{folder} lacks {len(faults)} of the weights that its config.json speaks of: {faults[0]} ...\n"
            f"Get it again with:\n  {command(settings)}"
        )
    network.eval()
    ends = _end_tokens(network, processor)
    # A checkpoint's own ways of sampling and its penalties would make "greedy" mean something else for each.
    network.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=sorted(ends) or None, pad_token_id=pad_token(processor)
    )
    return Checkpoint(
        network=network,
        processor=processor,
        version="@".join(filter(None, (folder.name, commit_of(folder)[:12]))),
        digest=_digest(folder),
        licence=_licence(folder),
        context_tokens=network.config.get_text_config().max_position_embeddings,
        end_tokens=ends,
    )


def pad_token(processor: ProcessorMixin) -> int:
    """Id of the token that fills rows up; masked, so that any will do where a checkpoint has none."""
    tokenizer = processor.tokenizer
    return next((int(i) for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0)


def _end_tokens(network: PreTrainedModel, processor: ProcessorMixin) -> frozenset[int]:
    given = network.generation_config.eos_token_id
    ids = given if isinstance(given, list) else [given]
    return frozenset(int(i) for i in (*ids, processor.tokenizer.eos_token_id) if i is not None)


def _quantization(settings: LlavaSettings, accelerator: Accelerator) -> BitsAndBytesConfig | None:
    if settings.llava_quantization == "none":
        return None
    name = f"{PREFIX}LLAVA_QUANTIZATION: {settings.llava_quantization}"
    if accelerator.device.type != "cuda":
        raise SettingsError(f"{name} needs an NVIDIA GPU; the model is to run on {accelerator.device}")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise SettingsError(f"{name} needs bitsandbytes: pip install 'hooke[llava-quantized]'")
    return BitsAndBytesConfig(
        load_in_8bit=settings.llava_quantization == "8bit",
        load_in_4bit=settings.llava_quantization == "4bit",
        bnb_4bit_compute_dtype=accelerator.dtype,
    )


def _digest(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors"))
    lines = "".join(f"{sha256_of(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _licence(folder: Path) -> str:
    """The licence in the head of the model card."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    parts = text.split("---\n", 2)
    if len(parts) < 3 or parts[0].strip():
        return UNKNOWN_LICENCE
    try:
        head: Any = yaml.safe_load(parts[1])
    except yaml.YAMLError:
        return UNKNOWN_LICENCE
    return str(head.get("license") or UNKNOWN_LICENCE) if isinstance(head, dict) else UNKNOWN_LICENCE
