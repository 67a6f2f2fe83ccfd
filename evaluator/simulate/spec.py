"""What a simulated micrograph is made of, as a description that determines every pixel."""

from __future__ import annotations

import enum
import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

BODY_TO_NUCLEUS = 1.5
"""Mean diameter of a cell body in diameters of its nucleus."""

LARGEST_FILL = 0.45
"""Largest share of the field that cell bodies may take: about what random placement can reach."""


class Stain(enum.StrEnum):
    """What a channel shows; BBBC005 calls them w1 and w2."""

    BODIES = "bodies"
    NUCLEI = "nuclei"


class FieldParameters(BaseModel):
    """What fields of one series have in common.

    Attributes:
        width_px, height_px: size of the image.
        stain: the objects that a question is about; `overlap` is controlled in this stain.
        diameter_px: mean diameter of a nucleus; bodies are 1.5 times as wide.
        clustered: share of the cells that have a partner which they overlap, where `overlap` is not 0.
        photons: photons that a cell of mean brightness sends to one pixel, at the brightest place.
        read_noise: standard deviation of the camera's noise, in photons.
        unevenness: how much darker the darkest place is than the brightest, as a share.
        debris: number of small bright specks that are no cells.
        bit_depth: of the camera: 8 gives uint8, 12 and 16 give uint16.
        pixel_size_um: physical size of a pixel; None: unknown.
        scale_bar: burn a scale bar with its label into the lower right corner.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width_px: Annotated[int, Field(ge=64, le=4096)] = 512
    height_px: Annotated[int, Field(ge=64, le=4096)] = 512
    stain: Stain = Stain.NUCLEI
    diameter_px: Annotated[float, Field(ge=8, le=200)] = 20.0
    clustered: Annotated[float, Field(ge=0, le=1)] = 0.5
    photons: Annotated[float, Field(gt=0, le=1e6)] = 200.0
    read_noise: Annotated[float, Field(ge=0, le=1e4)] = 3.0
    unevenness: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    debris: Annotated[int, Field(ge=0, le=1000)] = 6
    bit_depth: Annotated[int, Field(ge=8, le=16, multiple_of=4)] = 8
    pixel_size_um: Annotated[float, Field(gt=0, le=100)] | None = None
    scale_bar: bool = False

    def check_fits(self, count: int) -> None:
        """Raise ValueError where so many cells cannot be placed at random without touching."""
        area = math.pi / 4 * (BODY_TO_NUCLEUS * self.diameter_px) ** 2
        room = int(LARGEST_FILL * self.width_px * self.height_px / area)
        if count > room:
            raise ValueError(
                f"{count} cells of diameter_px {self.diameter_px:g} do not fit into "
                f"{self.width_px} x {self.height_px} px, at most {room} do: lower the count or the diameter, "
                "or enlarge the field"
            )

    @model_validator(mode="after")
    def _check_scale_bar(self) -> Self:
        if self.scale_bar and self.pixel_size_um is None:
            raise ValueError("scale_bar needs pixel_size_um")
        return self


class SimulationSpec(FieldParameters):
    """One field of cells; the same description gives the same pixels.

    Attributes:
        seed: of everything random.
        count: number of cells, each wholly inside the field.
        overlap: for two cells that overlap, the pixels that both cover divided by those of the smaller
            one. A cell overlaps one other cell or none. 0: cells do not touch.
        blur_px: standard deviation of the Gaussian defocus; 0: in focus.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=0, le=2000)] = 40
    overlap: Annotated[float, Field(ge=0, le=0.6)] = 0.0
    blur_px: Annotated[float, Field(ge=0, le=50)] = 0.0

    @model_validator(mode="after")
    def _check_count(self) -> Self:
        self.check_fits(self.count)
        return self


class SeriesSpec(FieldParameters):
    """A series of fields over every combination of overlap and blur.

    Attributes:
        images: number of fields.
        seed: of the series; field i of a longer series is field i of a shorter one.
        count_min, count_max: the cells of a field; spread evenly, alike for every combination.
        overlaps, blurs_px: values of `SimulationSpec.overlap` and `.blur_px`; field i has the
            combination i modulo the number of combinations, overlap varying fastest.
    """

    images: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    seed: Annotated[int, Field(ge=0)] = 0
    count_min: Annotated[int, Field(ge=0)] = 1
    count_max: Annotated[int, Field(ge=0)] = 100
    overlaps: Annotated[tuple[Annotated[float, Field(ge=0, le=0.6)], ...], Field(min_length=1)] = (0.0,)
    blurs_px: Annotated[tuple[Annotated[float, Field(ge=0, le=50)], ...], Field(min_length=1)] = (0.0,)

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        if self.count_max < self.count_min:
            raise ValueError("count_max must not be less than count_min")
        self.check_fits(self.count_max)
        return self

    def field(self, index: int) -> SimulationSpec:
        """Describe field `index`, 0 <= index < images."""
        combinations = len(self.overlaps) * len(self.blurs_px)
        turn, combination = divmod(index, combinations)
        blur, overlap = divmod(combination, len(self.overlaps))
        common = {name: getattr(self, name) for name in FieldParameters.model_fields}
        return SimulationSpec(
            **common,
            seed=self.seed * 1_000_003 + index,
            count=self._count(turn),
            overlap=self.overlaps[overlap],
            blur_px=self.blurs_px[blur],
        )

    def _count(self, turn: int) -> int:
        # Van der Corput's sequence in base 2 (1/2, 1/4, 3/4, 1/8 ...): any number of turns covers the range
        # evenly, and a longer series begins with a shorter one.
        place, remainder, fraction = 0.5, turn + 1, 0.0
        while remainder:
            remainder, bit = divmod(remainder, 2)
            fraction += bit * place
            place /= 2
        return self.count_min + int(fraction * (self.count_max - self.count_min + 1))
