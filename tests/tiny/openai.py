"""The OpenAI proxy before a fake of its provider."""

from __future__ import annotations

import atexit
import functools
from pathlib import Path
from typing import Any

from services.openai.settings import OpenaiSettings
from tests.fakes.openai import KEY, FakeOpenai


def settings(folder: Path, **values: Any) -> OpenaiSettings:
    """Settings of a proxy for a fake that runs as long as the process; nothing is put into `folder`."""
    del folder
    return settings_of(_fake(), **values)


def settings_of(fake: FakeOpenai, **values: Any) -> OpenaiSettings:
    """Settings of a proxy for this fake."""
    fixed = {"openai_base_url": f"{fake.address}/v1", "openai_api_key": KEY, "host": "127.0.0.1", "port": 0}
    return OpenaiSettings.model_validate({**fixed, **values})


@functools.cache
def _fake() -> FakeOpenai:
    fake = FakeOpenai()
    fake.__enter__()
    atexit.register(fake.__exit__)
    return fake
