"""Which files the arguments mean, what their results are called, and which one an error means."""

from __future__ import annotations

import asyncio
import glob
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from hooke.errors import FieldViolation, InvalidRequestError
from hooke.images import ImageSource

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".btf"})
"""Suffixes, in lower case, by which images are found in a folder."""


def find_images(arguments: Sequence[str]) -> list[Path]:
    """Return the files that files, folders and globs stand for, each once, in order.

    Raises:
        typer.BadParameter: one of them stands for nothing.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        for path in _expand(argument):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def images_in(folder: Path) -> list[Path]:
    """Return the images directly in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


async def source_of(path: Path, axes: str | None) -> ImageSource:
    """Return what to send of a file: itself, or its pixels where its axes are stated.

    Raises:
        InvalidRequestError: the axes do not fit the file.
        HookeError: it cannot be read, see `hooke.codecs.read`.
        OSError: the same, of the file system.
    """
    if axes is None:
        return path
    from hooke import codecs  # noqa: PLC0415  (brings the image libraries, which files do without)

    return await asyncio.to_thread(codecs.read, path, axes=axes)


def _expand(argument: str) -> list[Path]:
    path = Path(argument).expanduser()
    if path.is_dir():
        images = images_in(path)
        if not images:
            kinds = ", ".join(sorted(SUFFIXES))
            below = f"those in folders below it are '{Path(argument, '**', '*.png')}', in quotes"
            raise _nothing(f"{argument} holds no image ({kinds}); {below}.")
        return images
    if path.exists():
        return [path]
    if glob.has_magic(argument):
        images = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  (may be absolute)
        images = [image for image in images if image.is_file()]
        if not images:
            raise _nothing(f"nothing matches {argument}.")
        return images
    raise _nothing(f"there is no file {argument}.")


def _nothing(text: str) -> typer.BadParameter:
    return typer.BadParameter(text, param_hint="IMAGE")


def result_names(paths: Sequence[Path]) -> Mapping[Path, str]:
    """Return a name for the results of each file, no two alike.

    It is the stem of the file where only one has that stem, else its path below the folder that they share,
    for example `day1_cells_tif`. Names that differ in case only count as alike, since some file systems
    think so.
    """
    stems = Counter(path.stem.casefold() for path in paths)
    clashing = [path for path in paths if stems[path.stem.casefold()] > 1]
    shared = Path(os.path.commonpath([path.resolve().parent for path in clashing])) if clashing else None
    names: dict[Path, str] = {}
    taken: set[str] = {stem for stem, count in stems.items() if count == 1}
    for path in paths:
        if shared is None or stems[path.stem.casefold()] == 1:
            names[path] = path.stem
            continue
        full = str(path.resolve().relative_to(shared)).replace(os.sep, "_").replace(".", "_")
        name, number = full, 1
        while name.casefold() in taken:
            number += 1
            name = f"{full}_{number}"
        taken.add(name.casefold())
        names[path] = name
    return names


def naming_files(error: InvalidRequestError, place: str, paths: Sequence[Path]) -> InvalidRequestError:
    """Return the error with the names of the files where it speaks of places in the request.

    Args:
        error: what the server or the client says.
        place: pattern of a place, whose group is an index of `paths`, for example `examples\\[(\\d+)\\]`.
        paths: the files.
    """

    def named(text: str) -> str:
        return re.sub(rf"{place}(\.image)?", lambda match: str(paths[int(match[1])]), text)

    violations = [FieldViolation(named(fault.field), fault.description) for fault in error.violations]
    return type(error)(
        named(error.message), metadata=error.metadata, violations=violations, request_id=error.request_id
    )
