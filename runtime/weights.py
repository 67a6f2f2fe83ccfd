"""Files of weights: which there are, whether what is on disk is what was published.

A service never loads a file that is not the published one. The SHA-256 of several gigabytes takes several
seconds, so what was found is remembered beside the file, in `FILE.sha256`, with the size and the time of
modification that it holds for; as long as these stay, the file is not read again. `sha256sum --check` takes
that file, too. Where the folder cannot be written, the file is read at every start.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from runtime.settings import SettingsError


class WeightsError(SettingsError):
    """Weights are missing or wrong; the message names the file, and the command that mends it."""

    heading = "weights are missing or wrong"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One published file of weights.

    Attributes:
        name: what users call it, for example "vit_h".
        file_name: what it is called on disk.
        url: where it is published.
        size_bytes: its size; None if that is not published.
        sha256: its digest as 64 hexadecimal digits; None if that is not published. Then the digest of what
            was fetched first is remembered, and holds from then on.
        licence: of the weights, as an SPDX identifier or in words.
    """

    name: str
    file_name: str
    url: str
    size_bytes: int | None
    sha256: str | None
    licence: str


def find_weights(folder: Path, file: WeightsFile, service: str) -> Path:
    """Return where a file of weights is on disk, known to be the published one.

    Args:
        folder: the folder of all weights.
        file: which one.
        service: name of the service, for the command that the error tells.

    Raises:
        WeightsError: it is not there, or not what was published.
    """
    path = folder / file.file_name
    command = f"python -m services.{service} fetch {file.name}"
    if not path.is_file():
        raise WeightsError(
            f"{path} is not there. Get it with:\n  {command}\n"
            "HOOKE_WEIGHTS_DIR names the folder; HOOKE_WEIGHTS_DOWNLOAD=true fetches at the start."
        )
    fault = fault_of(path, file)
    if fault:
        raise WeightsError(f"{path} {fault}. Remove it, and get it again with:\n  {command}")
    return path


def fault_of(path: Path, file: WeightsFile) -> str:
    """Say what about the file at `path` is not as published, as the end of a sentence; empty if nothing."""
    size = path.stat().st_size
    if file.size_bytes is not None and size != file.size_bytes:
        return f"has {size:,} bytes instead of {file.size_bytes:,}"
    record = _Record.read(path)
    expected = file.sha256 or (record.sha256 if record else None)
    actual = _Record.of(path, record)
    if expected is not None and actual.sha256 != expected:
        source = "published" if file.sha256 else "fetched first"
        return f"is not what was {source}: its SHA-256 is {actual.sha256} instead of {expected}"
    actual.write(path)
    return ""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, remembered as the module says."""
    record = _Record.of(path, _Record.read(path))
    record.write(path)
    return record.sha256


def rename(source: Path, target: Path) -> None:
    """Rename a file of weights, and what is remembered of it."""
    record = _Record.read(source)
    source.rename(target)
    forget(source)
    if record:
        record.write(target)


def forget(path: Path) -> None:
    """Forget what is remembered of a file."""
    _beside(path).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Record:
    """What was found of a file: its digest, and what it looked like then."""

    sha256: str
    size_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path, earlier: _Record | None) -> _Record:
        """The record of the file as it is now; it is read unless it looks as it did earlier."""
        stat = path.stat()
        if earlier is not None and (earlier.size_bytes, earlier.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return earlier
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(digest, stat.st_size, stat.st_mtime_ns)

    @classmethod
    def read(cls, path: Path) -> _Record | None:
        """What is remembered of a file; None if nothing is, or nothing legible."""
        try:
            text = _beside(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        match = _TEXT.match(text)
        return cls(match["sha256"], int(match["size"]), int(match["mtime"])) if match else None

    def write(self, path: Path) -> None:
        """Remember; a folder that cannot be written is no error."""
        text = f"# size {self.size_bytes}, mtime_ns {self.mtime_ns}\n{self.sha256}  {path.name}\n"
        with contextlib.suppress(OSError):
            _beside(path).write_text(text, encoding="utf-8")


_TEXT = re.compile(r"# size (?P<size>\d+), mtime_ns (?P<mtime>\d+)\n(?P<sha256>[0-9a-f]{64})  ")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
