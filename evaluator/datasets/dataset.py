"""A dataset: samples in a fixed order, read one at a time."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from evaluator.records import Inquiry, Sample, TaskKind, Truth
from hooke.errors import HookeError
from hooke.images import PixelSize


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What is read of one sample: the image as it is sent, the truth, and slices known only then.

    The image is empty where it is not at hand and only imported predictions are scored.
    """

    image: bytes
    truth: Truth
    slices: Mapping[str, str] = field(default_factory=dict)
    inquiry: Inquiry | None = None
    further_images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One sample as a listing knows it.

    Attributes:
        source: where it is, for a person; it orders the dataset.
        read: reads it; called each time that the sample is needed.
        label: its class, where the listing knows it.
    """

    source: str
    read: Callable[[], Content]
    slices: Mapping[str, str] = field(default_factory=dict)
    cluster: str | None = None
    label: str | None = None


class Items(Protocol):
    """What is listed, in a fixed order: a sequence, or what makes items when they are asked for."""

    def __len__(self) -> int:
        """Number of items."""

    def __getitem__(self, index: int, /) -> Item:
        """One item, 0 <= index < len."""


class Dataset:
    """Samples in a fixed order; none is kept in memory.

    An image that is listed twice with the same question comes twice with the same `sample_id`: it is one
    sample, and who evaluates counts it once.

    Args:
        name: for reports.
        kind: the question.
        items: what to test.
        example_items: labelled images that models may look at; they share no cluster with `items`.
        labels: the label schema of a classification, in its order.
        pixel_size: of every image; None: unknown.
    """

    def __init__(
        self,
        name: str,
        kind: TaskKind,
        items: Items,
        *,
        example_items: Sequence[Item] = (),
        labels: Sequence[str] = (),
        pixel_size: PixelSize | None = None,
    ) -> None:
        self.name = name
        self._kind = kind
        self.items = items
        self._example_items = tuple(example_items)
        self._labels = tuple(labels)
        self._pixel_size = pixel_size

    def __len__(self) -> int:
        """Number of samples listed."""
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample."""
        return self._sample(self.items[index])

    def sample(self, index: int) -> Sample:
        """Read one sample; where it cannot be read, what stands in its place: one file must not end a run.

        Its id is the SHA-256 of the question and of where it should be.
        """
        try:
            return self[index]
        except (HookeError, OSError) as error:
            item = self.items[index]
            asked = b"unreadable\n" + item.source.encode()
            return Sample(
                sample_id=hashlib.sha256(self._question + asked).hexdigest(),
                image=b"",
                truth=Truth(),
                source=item.source,
                slices=item.slices,
                cluster=item.cluster,
                unreadable=error.message if isinstance(error, HookeError) else str(error),
            )

    def __iter__(self) -> Iterator[Sample]:
        """Read one sample after the other."""
        for index in range(len(self)):
            yield self[index]

    def examples(self) -> tuple[Sample, ...]:
        """The labelled images that models may look at, by class and then by name."""
        return tuple(self._sample(item) for item in self._example_items)

    def over(self, items: Items) -> Dataset:
        """The same question about other items."""
        other = copy.copy(self)
        other.items = items
        return other

    @cached_property
    def _question(self) -> bytes:
        """What is asked, the label schema, and what is shown beside the image."""
        shown = [(item.label, hashlib.sha256(item.read().image).hexdigest()) for item in self._example_items]
        return json.dumps([self._kind, self._labels, shown]).encode() + b"\n"

    def _sample(self, item: Item) -> Sample:
        content = item.read()
        question = b"" if item in self._example_items else self._question
        # Without the image, the name that its table gives it is all that tells samples apart.
        asked = content.image or f"no image\n{item.source}".encode()
        inquiry = content.inquiry
        if inquiry is not None:
            about = [inquiry.about] if inquiry.about else []
            question += json.dumps([inquiry.text, sorted(inquiry.options), *about]).encode() + b"\n"
            asked += b"".join(hashlib.sha256(image).digest() for image in content.further_images)
        sample_id = hashlib.sha256(question + asked).hexdigest()
        if inquiry is not None:
            inquiry = replace(inquiry, options=_shuffled(inquiry.options, sample_id))
        return Sample(
            sample_id=sample_id,
            image=content.image,
            truth=content.truth,
            source=item.source,
            slices={**item.slices, **content.slices},
            cluster=item.cluster,
            pixel_size=self._pixel_size,
            inquiry=inquiry,
            further_images=content.further_images,
        )


def _shuffled(options: Sequence[str], sample_id: str) -> tuple[str, ...]:
    """The options in an order that a sample has every time, and each sample another."""
    return tuple(
        sorted(options, key=lambda option: hashlib.sha256(f"{sample_id} {option}".encode()).digest())
    )
