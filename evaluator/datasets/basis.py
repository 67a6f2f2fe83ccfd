"""What the specs of all loaders have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from evaluator.records import TaskKind

SEGMENTATION, COUNTING, CLASSIFICATION = TaskKind.SEGMENTATION, TaskKind.COUNTING, TaskKind.CLASSIFICATION
VQA = TaskKind.VQA


class LoaderSpec(BaseModel):
    """What every loader has."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kinds: ClassVar[frozenset[TaskKind]]
    """The kinds of task that the loader has truth for."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return ()

    @property
    def has_images(self) -> bool:
        """False where the images are not at hand, so that only imported predictions can be scored."""
        return True

    def check_kind(self, kind: TaskKind) -> None:
        """Raise ValueError where there is no truth for this kind of task."""
        if kind not in self.kinds:
            raise ValueError(f"has no truth for {kind}, only for {', '.join(sorted(self.kinds))}")


class FolderSpec(LoaderSpec):
    """Data in a folder.

    Attributes:
        folder: relative to the data folder of the evaluation.
        pixel_size_um: physical size of a pixel, where the set's description says so.
    """

    folder: str = "."
    pixel_size_um: Annotated[float, Field(gt=0)] | None = None


class NamedPartsSpec(FolderSpec):
    """Data whose paths, or whose table, name what else is known.

    Attributes:
        cluster: the name of what dependent images share, for example a patient.
        slices: names by which to break the results down.
    """

    cluster: str | None = None
    slices: tuple[str, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes by which the samples can be sliced."""
        return self.slices


def _one_or_several(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


OneOrSeveral = Annotated[tuple[str, ...], BeforeValidator(_one_or_several), Field(min_length=1)]
"""A text, or a list of texts."""


def is_absent(value: object) -> bool:
    """Of fields that came later: data that do without them keep the digest under which they were run."""
    return value is None or value is False


def given(name: str | None) -> tuple[str, ...]:
    """The name, if there is one, as a sequence."""
    return () if name is None else (name,)
