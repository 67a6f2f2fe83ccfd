"""The parameters that a request may set."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runtime.tasks import Parameters

Polarity = Literal["bright_on_dark", "dark_on_bright"]


class ClassicalParameters(Parameters):
    """The wire's ClassicalParameters; None means that the model decides."""

    polarity: Polarity | None = None
    """Whether objects are brighter or darker than what surrounds them; None: found from the image."""
    min_area_px: int | None = Field(default=None, ge=0)
    """Smallest object kept, in pixels of area; None: a fraction of the typical object."""
    max_area_px: int | None = Field(default=None, gt=0)
    """Largest object kept, in pixels of area; None: no limit."""
    border_objects_excluded: bool | None = None
    """Whether objects that touch the border of the field are left out; None: they are kept."""
    touching_objects_split: bool | None = None
    """Whether touching objects are split; None: they are."""
