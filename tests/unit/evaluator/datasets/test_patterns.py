"""Paths with names in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.datasets.patterns import PathPattern, fill, names_in


# Names are read out of a path; digits only where asked for, and never across folders.
@pytest.mark.parametrize(
    ("pattern", "path", "names"),
    [
        ("images/{id}.png", "images/a.b.png", {"id": "a.b"}),
        ("images/{id}.png", "images/a/b.png", None),
        ("images/{id}.png", "xx/images/a.png", None),
        ("images/{id}.png", "images/a.pngx", None),
        ("{id:d}cell.png", "001cell.png", {"id": "001"}),
        ("{id:d}cell.png", "x01cell.png", None),
        ("S_{slide:d}_{crop:d}.png", "S_1_2.png", {"slide": "1", "crop": "2"}),
        ("S_{slide:d}_{crop:d}.png", "S_1_dots_2.png", None),
        ("{label}/{label}C{patient}_IMG.png", "Sick/SickC1_IMG.png", {"label": "Sick", "patient": "1"}),
        ("{label}/{label}C{patient}_IMG.png", "Sick/WellC1_IMG.png", None),
        ("C{patient:d}{rest}.png", "C33P1thinF.png", {"patient": "33", "rest": "P1thinF"}),
        ("C{patient:d}{rest}.png", "C33.png", None),
        ("Dataset 1/a+b ({n}).png", "Dataset 1/a+b (7).png", {"n": "7"}),
        ("plain.csv", "plain.csv", {}),
    ],
)
def test_match(pattern, path, names):
    assert PathPattern.parse(pattern).match(path) == names


# A pattern that cannot be meant is refused.
@pytest.mark.parametrize(
    "pattern",
    ["{", "a}b", "{}", "{1}", "{id:x}", "{id:03}", "{a}{", "{a}{b}", "-".join(f"{{n{i}}}" for i in range(9))],
)
def test_wrong_patterns(pattern):
    with pytest.raises(ValueError, match=r"\{|\}"):
        PathPattern.parse(pattern)


# Filling puts the names back, padded where asked for.
def test_fill():
    assert fill("Dataset 1/{image ID:03}.bmp", {"image ID": "7"}) == "Dataset 1/007.bmp"
    assert fill("{a}-{b}-{a}", {"a": "1", "b": "2"}) == "1-2-1"
    assert names_in("{a}-{b:03}") == ("a", "b")
    with pytest.raises(KeyError):
        fill("{a}", {})


# What was filled in is read out again.
@given(st.from_regex(r"[A-Za-z0-9. _]{1,8}", fullmatch=True), st.integers(0, 10**6))
def test_match_undoes_fill(text, number):
    path = fill("train/{label}/x{n}.png", {"label": text, "n": str(number)})
    assert PathPattern.parse("train/{label}/x{n:d}.png").match(path) == {"label": text, "n": str(number)}
