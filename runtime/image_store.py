"""Images that were put: content-addressed, bounded in bytes, least recently used dropped first."""

from __future__ import annotations

from collections import OrderedDict

from hooke import errors


class ImageStore:
    """Image files by their SHA-256. Belongs to one event loop; no method blocks or awaits.

    Args:
        max_bytes: most bytes held.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self.held_bytes = 0

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._files

    def __len__(self) -> int:
        return len(self._files)

    def get(self, sha256: str) -> bytes:
        """The file with this hash, which is now the most recently used.

        Raises:
            ImageNotFoundError: it is not held.
        """
        try:
            self._files.move_to_end(sha256)
        except KeyError:
            raise errors.ImageNotFoundError(
                f"the server does not hold image {sha256}; put it with ImageService.PutImage and try again",
                metadata={"sha256": sha256},
            ) from None
        return self._files[sha256]

    def put(self, sha256: str, data: bytes) -> None:
        """Keep a file whose hash the caller has checked.

        Raises:
            ImageTooLargeError: it is larger than the whole store.
        """
        if len(data) > self.max_bytes:
            raise errors.ImageTooLargeError(
                f"the image has {len(data)} bytes; the server keeps {self.max_bytes} in all"
            )
        if sha256 in self._files:
            self._files.move_to_end(sha256)
            return
        self._files[sha256] = data
        self.held_bytes += len(data)
        while self.held_bytes > self.max_bytes:
            _, dropped = self._files.popitem(last=False)
            self.held_bytes -= len(dropped)
