"""A dataset of which every image comes clean and with faults of acquisition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from evaluator.corruptions import corrupt
from evaluator.corruptions.plan import FAULT_AXIS, SEVERITY_AXIS, CorruptionSpec, Variant, variants
from evaluator.datasets.dataset import Content, Dataset, Item, Items
from hooke.codecs import decode, encode


def corrupted(dataset: Dataset, corruption: Sequence[CorruptionSpec]) -> Dataset:
    """Show every image of a dataset clean and with every fault in every severity; examples stay clean.

    The truth is that of the clean image, since no fault moves anything. What is shown of one image is
    dependent: it shares a cluster, that of the dataset or, where it has none, the image's own. An image that
    a fault leaves as it is (the stain of a grey one) is the clean sample again, which is evaluated once.
    """
    return dataset.over(CorruptedItems(dataset.items, corruption))


class CorruptedItems:
    """Items in all their variants, made when they are asked for.

    Item i is variant i modulo the number of variants, in the order of `variants`, of clean item i divided by
    that number.

    Args:
        items: the clean ones.
        corruption: what happens to them.
    """

    def __init__(self, items: Items, corruption: Sequence[CorruptionSpec]) -> None:
        self._items = items
        self._variants = variants(corruption)

    def __len__(self) -> int:
        """Clean items times variants."""
        return len(self._items) * len(self._variants)

    def __getitem__(self, index: int) -> Item:
        """One variant of one item."""
        image, place = divmod(index, len(self._variants))
        item, variant = self._items[image], self._variants[place]
        clean = variant.severity == 0
        return replace(
            item,
            source=item.source if clean else f"{item.source}, {variant.fault} {variant.severity}",
            read=item.read if clean else partial(_read, item, variant),
            slices={**item.slices, FAULT_AXIS: variant.fault, SEVERITY_AXIS: str(variant.severity)},
            cluster=item.source if item.cluster is None else item.cluster,
        )


def _read(item: Item, variant: Variant) -> Content:
    content = item.read()
    return replace(
        content,
        image=_struck(content.image, item.source, variant),
        further_images=tuple(_struck(image, item.source, variant) for image in content.further_images),
    )


def _struck(data: bytes, source: str, variant: Variant) -> bytes:
    """The file of an image, written again without loss where something has changed."""
    image = decode(data)
    struck = corrupt(image, variant.fault, variant.severity, f"{variant.seed}\n{source}")
    return data if struck is image else encode(struck)
