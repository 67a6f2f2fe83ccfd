"""Datasets: identity of samples, duplicates, and what must not leak."""

from __future__ import annotations

import re

import numpy as np
import pytest

from evaluator.datasets import Dataset
from evaluator.datasets.dataset import Content, Item
from evaluator.records import TaskKind, Truth

CLASSIFICATION = TaskKind.CLASSIFICATION


def item(source: str, image: bytes, label: str = "a", cluster: str | None = None) -> Item:
    return Item(source, lambda: Content(image, Truth(label=label)), cluster=cluster, label=label)


def only_id(**changes) -> str:
    fields = {"name": "set", "kind": CLASSIFICATION, "items": [item("x", b"pixels")], "labels": ("a", "b")}
    (sample,) = Dataset(**{**fields, **changes})
    return sample.sample_id


# The id is a SHA-256 that neither the dataset's name nor the file's name nor the truth has a part in.
def test_identity_is_of_the_question():
    first = only_id()
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert only_id(name="other") == first
    assert only_id(items=[item("elsewhere", b"pixels", label="b", cluster="c")]) == first


# Another image, another question, another label schema, other examples: each is another sample.
@pytest.mark.parametrize(
    "changes",
    [
        {"items": [item("x", b"other pixels")]},
        {"kind": TaskKind.COUNTING},
        {"labels": ("a", "b", "c")},
        {"labels": ("b", "a")},
        {"example_items": [item("e", b"shown")]},
    ],
)
def test_identity_changes_with_the_question(changes):
    assert only_id(**changes) != only_id()


# The same image listed twice is the same sample, whatever its files are called and said to be.
def test_the_same_image_is_the_same_sample():
    items = [item("x", b"1"), item("y", b"2"), item("z", b"1", label="b")]
    dataset = Dataset("set", CLASSIFICATION, items, labels=("a", "b"))
    assert [sample.source for sample in dataset] == ["x", "y", "z"]
    first, second, third = (sample.sample_id for sample in dataset)
    assert first == third != second


# Only the sample that is asked for is read.
def test_samples_are_read_one_by_one():
    read = []

    def content(name: str) -> Content:
        read.append(name)
        return Content(name.encode(), Truth(count=1))

    items = [Item(name, lambda name=name: content(name)) for name in "abc"]
    dataset = Dataset("set", TaskKind.COUNTING, items)
    assert dataset[1].source == "b"
    assert read == ["b"]
    assert next(iter(dataset)).source == "a"
    assert read == ["b", "a"]


# Slices known from the listing and slices known from the image come together.
def test_slices_come_together():
    content = Content(b"1", Truth(labels=np.zeros((2, 2), int)), {"modality": "dark"})
    (sample,) = Dataset(
        "set", TaskKind.SEGMENTATION, [Item("x", lambda: content, {"blur": "0"}, cluster="p")]
    )
    assert sample.slices == {"blur": "0", "modality": "dark"}
    assert sample.cluster == "p"
