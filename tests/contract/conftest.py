"""Every model under `services/`, found by looking, so that a new one is tested without being listed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import services
from runtime.settings import ModelServerSettings
from runtime.tasks import Model


@dataclass(frozen=True, slots=True)
class Tiny:
    """Where a model comes from that needs more than its class: weights, or a provider.

    Attributes:
        module: has `settings(folder)`, which puts what the model needs into the folder and says so to it.
        needs_torch: whether the tests of the model need PyTorch.
    """

    module: str
    needs_torch: bool = False


TINY = {
    "gemini": Tiny("tests.tiny.gemini"),
    "sam": Tiny("tests.tiny.sam", needs_torch=True),
}
"""By name of the model; the others are built as they are."""


def models() -> list[type[Model]]:
    """The model class of each folder under `services/`."""
    found = []
    for folder in pkgutil.iter_modules(services.__path__):
        module = importlib.import_module(f"services.{folder.name}.model")
        found += [
            kind
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if issubclass(kind, Model) and kind.__module__ == module.__name__
        ]
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `kind` once for each model."""
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize(
            "kind", [pytest.param(kind, id=kind.name, marks=_marks(kind)) for kind in models()]
        )


def _marks(kind: type[Model]) -> list[pytest.MarkDecorator]:
    return [pytest.mark.torch] if kind.name in TINY and TINY[kind.name].needs_torch else []


@pytest.fixture
def settings(kind: type[Model], tmp_path: Path) -> ModelServerSettings | None:
    """Settings that a service of this model starts with; None: those that every model has."""
    if kind.name not in TINY:
        return None
    found: ModelServerSettings = importlib.import_module(TINY[kind.name].module).settings(tmp_path)
    return found
