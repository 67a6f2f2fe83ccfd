"""Every model under `services/`, found by looking, so that a new one is tested without being listed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import services
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
        metafunc.parametrize("kind", models(), ids=lambda kind: kind.name)
