"""How similar two short texts are."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.metrics.similarity import anls, normalised


def distance(first: str, second: str) -> int:
    """Levenshtein's distance by its recursive definition."""

    @functools.cache
    def between(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        if first[i - 1] == second[j - 1]:
            return between(i - 1, j - 1)
        return 1 + min(between(i - 1, j), between(i, j - 1), between(i - 1, j - 1))

    return between(len(first), len(second))


# ANLS is 1 - distance / length of the longer text where that is above a half, and 0 elsewhere.
@settings(deadline=None, max_examples=300)
@given(st.text("abcd ", max_size=12), st.text("abcd ", max_size=12))
def test_anls_is_that_of_the_definition(first, second):
    one, other = (" ".join(text.split()) for text in (first, second))
    longer = max(len(one), len(other))
    share = distance(one, other) / longer if longer else 0
    assert anls(first, second) == pytest.approx(1 - share if share < 0.5 else 0)
    assert anls(first, second) == anls(second, first)


# Case and spaces do not matter; half of the characters wrong is nothing.
def test_anls_by_hand():
    assert anls("Red  cell", "red cell") == 1
    assert anls("abcd", "abxx") == 0
    assert anls("abcde", "abcxx") == pytest.approx(0.6)
    assert anls("", "") == 1
    assert anls("", "x") == 0
    assert anls("short", "short " * 10_000) == 0


# Writings of the same answer are the same.
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The Cell.", "cell"),
        ("a red-blood cell", "Red blood cell"),
        ("5 µm", "5 μm"),
        ("é", "e\u0301"),
        ("yes!", "Yes"),
        ("\u22123", "-3"),
        ('"fibres"', "Fibres"),
        ("foo_bar", "foo bar"),
        ("A cell", "cell"),
        ("cells - round", "cells round"),
    ],
)
def test_same(first, second):
    assert normalised(first) == normalised(second)


# What makes another number or another name stays.
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("3.5", "35"),
        (".5", "5"),
        ("-3", "3"),
        ("< 5", "> 5"),
        ("<5", "5"),
        ("CD4+", "CD4-"),
        ("CD4+", "CD4"),
        ("5 %", "5"),
        ("1/2", "12"),
        ("10^3", "103"),
        ("10²", "102"),
        ("5e-3", "5e3"),
        ("1,5", "15"),
        ("A", "B"),
        ("type A", "type"),
        ("?", "!"),
        ("5-6", "56"),
    ],
)
def test_different(first, second):
    assert normalised(first) != normalised(second)
