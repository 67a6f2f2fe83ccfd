"""Write simulated micrographs with their truth to a folder: `python -m evaluator.simulate --help`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from evaluator.simulate.layout import write_bbbc005_layout
from evaluator.simulate.spec import SeriesSpec, Stain


def main(
    folder: Annotated[Path, typer.Argument(help="Where to write; made where missing.")],
    images: Annotated[int, typer.Option(help="Number of fields.")] = 16,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    width: Annotated[int, typer.Option(help="Width in px.")] = 512,
    height: Annotated[int, typer.Option(help="Height in px.")] = 512,
    count_min: Annotated[int, typer.Option(help="Fewest cells of a field.")] = 1,
    count_max: Annotated[int, typer.Option(help="Most cells of a field.")] = 100,
    diameter: Annotated[float, typer.Option(help="Mean diameter of a nucleus in px.")] = 20.0,
    stain: Annotated[Stain, typer.Option(help="The objects whose overlap is controlled.")] = Stain.NUCLEI,
    overlap: Annotated[
        list[float] | None, typer.Option(help="Common part of overlapping objects, 0 to 0.6.")
    ] = None,
    blur: Annotated[
        list[float] | None, typer.Option(help="Defocus in px; this and overlap may repeat.")
    ] = None,
    bit_depth: Annotated[int, typer.Option(help="8, 12 or 16.")] = 8,
    pixel_size: Annotated[float | None, typer.Option(help="Size of a pixel in micrometres.")] = None,
    scale_bar: Annotated[bool, typer.Option(help="Burn a scale bar in.")] = False,
) -> None:
    """Write simulated micrographs in the layout of BBBC005, with exact label images beside them."""
    try:
        series = SeriesSpec(
            images=images,
            seed=seed,
            width_px=width,
            height_px=height,
            count_min=count_min,
            count_max=count_max,
            diameter_px=diameter,
            stain=stain,
            overlaps=tuple(overlap or [0.0]),
            blurs_px=tuple(blur or [0.0]),
            bit_depth=bit_depth,
            pixel_size_um=pixel_size,
            scale_bar=scale_bar,
        )
    except ValidationError as error:
        raise typer.BadParameter(
            "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())
        ) from error
    written = write_bbbc005_layout(folder, series)
    typer.echo(f"{len(written)} images of {series.images} fields in {folder}")


if __name__ == "__main__":
    typer.run(main)
