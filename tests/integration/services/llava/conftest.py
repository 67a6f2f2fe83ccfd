"""Tiny checkpoints of each architecture, written once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from services.llava.model import LlavaModel
from tests.integration.services.llava.lab import Library
from tests.tiny.llava import BUILDERS, settings_of


@dataclass(frozen=True, slots=True)
class Stage:
    """A tiny checkpoint: the model of ours, loaded, and the library's."""

    name: str
    folder: Path
    model: LlavaModel
    library: Library


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A checkpoint of each architecture, by name."""
    root = tmp_path_factory.mktemp("llava")
    return {name: build(root / name) for name, build in BUILDERS.items()}


@pytest.fixture(scope="session", params=BUILDERS)
def stage(request: pytest.FixtureRequest, folders: Mapping[str, Path]) -> Stage:
    """Each architecture in turn."""
    return _stage(request.param, folders[request.param])


@pytest.fixture(scope="session")
def llava(folders: Mapping[str, Path]) -> Stage:
    """LLaVA 1.5, where the architecture makes no difference."""
    return _stage("llava", folders["llava"])


def _stage(name: str, folder: Path) -> Stage:
    threads = torch.get_num_threads()
    model = LlavaModel.from_settings(settings_of(folder))
    model.load()
    torch.set_num_threads(threads)
    return Stage(name, folder, model, Library.load(folder))
