"""Settings, parameters and names of LLaVA, without PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from hooke.v1.parameters_pb2 import LlavaParameters as Message
from runtime.decoding import Decoding
from runtime.settings import SettingsError, load_settings
from runtime.weights import WeightsError
from services.llava.model import LlavaModel
from services.llava.parameters import PAPER, LlavaParameters
from services.llava.settings import LlavaSettings
from services.llava.weights import command, find


def test_parameters_are_those_of_the_wire() -> None:
    """What the wire can say is what the parameters take, field for field and value for value."""
    assert set(LlavaParameters.model_fields) == set(Message.DESCRIPTOR.fields_by_name)
    values = Message.DESCRIPTOR.fields_by_name["label_normalization"].enum_type.values_by_name
    names = {name.removeprefix("LABEL_NORMALIZATION_").lower() for name in values} - {"unspecified"}
    assert names == {"token_mean", "none", "prior"}
    for name in names:
        assert LlavaParameters.model_validate({"label_normalization": name}).label_normalization == name
    with pytest.raises(ValidationError):
        LlavaParameters.model_validate({"label_normalization": "median"})


def test_the_preset_of_the_paper() -> None:
    """arXiv:2405.00876 sampled LLaVA at temperature 0.2 and top_p 0.7."""
    sampling = Decoding(decoding_preset="paper").sampling(PAPER)
    assert (sampling.temperature, sampling.top_p) == (0.2, 0.7)


def test_the_environment_sets_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting can be said, and a wrong one is named."""
    monkeypatch.setenv("HOOKE_LLAVA_CHECKPOINT", "/data/my-llava")
    monkeypatch.setenv("HOOKE_LLAVA_QUANTIZATION", "4bit")
    settings = load_settings(LlavaSettings)
    assert (settings.llava_checkpoint, settings.llava_quantization) == ("/data/my-llava", "4bit")
    assert (settings.port, settings.llava_max_output_token_count, settings.workers) == (50055, 512, 0)
    monkeypatch.setenv("HOOKE_LLAVA_QUANTIZATION", "2bit")
    with pytest.raises(SettingsError, match="HOOKE_LLAVA_QUANTIZATION"):
        load_settings(LlavaSettings)


def test_the_command_names_the_checkpoint_and_its_commit(tmp_path: Path) -> None:
    """What an error tells to run fetches what the settings ask for."""
    settings = LlavaSettings(weights_dir=tmp_path, llava_checkpoint="lab/llava", llava_revision="v2")
    assert command(settings) == "python -m services.llava fetch lab/llava@v2"
    with pytest.raises(WeightsError, match="HOOKE_WEIGHTS_DIR") as caught:
        find(settings)
    assert command(settings) in str(caught.value)


def test_naming_the_model_imports_nothing_heavy() -> None:
    """A process that only names LLaVA is spared PyTorch and the libraries of its checkpoints."""
    code = (
        "import sys, services.llava.__main__\n"
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'PIL'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
    assert LlavaModel.name == "llava"
