"""The Gemini proxy before a fake of its provider."""

from __future__ import annotations

import atexit
import functools
from pathlib import Path
from typing import Any

from services.gemini.settings import GeminiSettings
from tests.fakes.gemini import KEY, FakeGemini


def settings(folder: Path, **values: Any) -> GeminiSettings:
    """Settings of a proxy for a fake that runs as long as the process; nothing is put into `folder`."""
    del folder
    return settings_of(_fake(), **values)


def settings_of(fake: FakeGemini, **values: Any) -> GeminiSettings:
    """Settings of a proxy for this fake."""
    fixed = {"gemini_base_url": fake.address, "gemini_api_key": KEY, "host": "127.0.0.1", "port": 0}
    return GeminiSettings.model_validate({**fixed, **values})


@functools.cache
def _fake() -> FakeGemini:
    fake = FakeGemini()
    fake.__enter__()
    atexit.register(fake.__exit__)
    return fake
