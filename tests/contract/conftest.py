"""Every model under `services/`, found by looking, so that a new one is tested without being listed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import services
from runtime.settings import ModelServerSettings, TorchServerSettings
from runtime.tasks import Model


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
    """The mark `torch` for a model whose settings say that it runs on it."""
    name = f"services.{kind.name}.settings"
    names = vars(importlib.import_module(name)) if find_spec(name) else {}
    of_torch = [
        value for value in names.values() if inspect.isclass(value) and issubclass(value, TorchServerSettings)
    ]
    return [pytest.mark.torch] if of_torch else []


@pytest.fixture
def settings(kind: type[Model], tmp_path: Path) -> ModelServerSettings | None:
    """Settings that a service of this model starts with; None: those that every model has.

    A model that needs more than its class, weights or a provider, has a module `tests/tiny/<name>.py`, whose
    `settings(folder)` puts what it needs into the folder.
    """
    name = f"tests.tiny.{kind.name}"
    if find_spec(name) is None:
        return None
    found: ModelServerSettings = importlib.import_module(name).settings(tmp_path)
    return found


@pytest.fixture
def parameters(kind: type[Model]) -> Any:
    """What a request asks for where a test is not about it: `PARAMETERS` of `tests/tiny/<name>.py`.

    None, as for a model without: its defaults, which may take long.
    """
    name = f"tests.tiny.{kind.name}"
    return getattr(importlib.import_module(name), "PARAMETERS", None) if find_spec(name) else None
