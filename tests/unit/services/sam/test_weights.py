"""Weights on disk: what is missing or wrong is an error that says how to mend it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from runtime.weights import WeightsError
from services.sam.settings import SamSettings
from services.sam.weights import FILES, locate


# Weights that are missing: the message names the file and the command that gets it.
@pytest.mark.parametrize("name", FILES)
def test_published_weights_that_are_missing(name: str, tmp_path: Path) -> None:
    settings = SamSettings(weights_dir=tmp_path, sam_checkpoint=name)
    with pytest.raises(WeightsError) as caught:
        locate(settings)
    assert str(tmp_path / FILES[name].file_name) in str(caught.value)
    assert f"python -m services.sam fetch {name}" in str(caught.value)


# Published weights that are cut off, or of the right size and yet others, are never loaded.
@pytest.mark.parametrize(("size", "reason"), [(1000, "bytes instead of"), (None, "SHA-256")])
def test_published_weights_that_are_wrong(size: int | None, reason: str, tmp_path: Path) -> None:
    file = FILES["vit_b"]
    path = tmp_path / file.file_name
    path.touch()
    assert file.size_bytes is not None
    os.truncate(path, size or file.size_bytes)  # a file of holes takes no room on disk
    with pytest.raises(WeightsError, match=reason) as caught:
        locate(SamSettings(weights_dir=tmp_path, sam_checkpoint="vit_b"))
    assert "python -m services.sam fetch vit_b" in str(caught.value)


# A file of one's own that is not there, or without its JSON file, or with a wrong one.
@pytest.mark.parametrize("beside", [None, "", "{}", "[8]", '{"decoder_heads": "8"}', '{"decoder_heads": 0}'])
def test_the_file_beside(beside: str | None, tmp_path: Path) -> None:
    (tmp_path / "own.pth").touch()
    path = tmp_path / "own.json"
    settings = SamSettings(weights_dir=tmp_path, sam_checkpoint="own.pth")
    if beside is not None:
        path.write_text(beside, encoding="utf-8")
    with pytest.raises(WeightsError, match=re.escape('{"decoder_heads": 8}')) as caught:
        locate(settings)
    assert str(path) in str(caught.value)
    with pytest.raises(WeightsError, match="vit_h, vit_l, vit_b"):
        locate(settings.model_copy(update={"sam_checkpoint": "missing.pth"}))
