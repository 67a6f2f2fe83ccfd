"""What tests of the command line share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hooke import codecs
from tests.unit.hooke.lab import LABELS


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Hooke = Callable[..., Done]


def write_image(path: Path) -> Path:
    """Write an image of the size of the lab's answers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(codecs.encode(codecs.from_array(np.arange(6, dtype=np.uint8).reshape(LABELS.shape))))
    return path
