"""Simulated micrographs as a dataset."""

from __future__ import annotations

from functools import partial

from evaluator.datasets.cleaning import encode_tiff
from evaluator.datasets.dataset import Content, Item, Items
from evaluator.datasets.listing import Made
from evaluator.datasets.specs import SimulatedSpec
from evaluator.records import TaskKind, Truth
from evaluator.simulate import SimulationSpec, simulate_stain


def list_items(spec: SimulatedSpec, kind: TaskKind) -> Items:
    """List the fields of a series; each is drawn when it is read."""
    return Made(range(spec.images), partial(_item, spec, kind))


def _item(spec: SimulatedSpec, kind: TaskKind, index: int) -> Item:
    field = spec.field(index)
    slices = {"overlap": f"{field.overlap:g}", "blur": f"{field.blur_px:g}"}
    return Item(f"simulated field {index}", partial(_read, field, kind), slices)


def _read(field: SimulationSpec, kind: TaskKind) -> Content:
    channel = simulate_stain(field)
    if kind is TaskKind.COUNTING:
        return Content(encode_tiff(channel.image), Truth(count=field.count))
    return Content(encode_tiff(channel.image), Truth(labels=channel.labels))
