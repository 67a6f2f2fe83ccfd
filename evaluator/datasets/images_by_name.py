"""Images that a file of annotations names, wherever in the folder they lie."""

from __future__ import annotations

import posixpath
from collections import defaultdict

from evaluator.datasets.folders import Folder
from hooke.errors import InvalidRequestError


class ImagesByName:
    """Finds images by their paths or, since these begin in a different folder in each set, by their ends."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in folder.files:
            self._by_name[posixpath.basename(path)].append(path)

    def find(self, name: str, named_by: str) -> str | None:
        """The path of an image; None where there is none.

        Args:
            name: as the annotations have it, for example `./data/train/1.png` or `1.png`.
            named_by: the file of annotations, for the error.

        Raises:
            InvalidRequestError: several images could be meant.
        """
        parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
        found = self._by_name.get(parts[-1], []) if parts else []
        # The more of the path fits, the better; what is written before the folder of the data fits nothing.
        for length in range(len(parts), 0, -1):
            end = "/".join(parts[-length:])
            fitting = [path for path in found if path == end or path.endswith(f"/{end}")]
            if len(fitting) == 1 or end in fitting:
                return end if end in fitting else fitting[0]
            if fitting:
                raise InvalidRequestError(
                    f"{self._folder.path / named_by}: {name!r} may be {fitting[0]} or {fitting[1]}"
                )
        return None
