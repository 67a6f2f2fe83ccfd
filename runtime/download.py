"""Fetches files of weights: with a progress bar, on from where it was cut, and nothing wrong is ever kept."""

from __future__ import annotations

import errno
import fcntl
import http.client
import shutil
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from runtime.settings import TorchServerSettings
from runtime.weights import WeightsError, WeightsFile, fault_of, find_weights, forget, rename

_CHUNK_BYTES = 1024**2
_SILENCE_S = 30.0
"""Longest time for which a server may send nothing."""


def weights_for(settings: TorchServerSettings, file: WeightsFile, service: str) -> Path:
    """Return where a file of weights is, fetched first if it is missing and the settings allow that.

    Args:
        settings: name the folder.
        file: which one.
        service: name of the service, for the command that an error tells.

    Raises:
        WeightsError: see `find_weights` and `fetch`.
    """
    if settings.weights_download and not (settings.weights_dir / file.file_name).is_file():
        fetch(file, settings.weights_dir, Console(file=sys.stderr))
    return find_weights(settings.weights_dir, file, service)


def fetch(file: WeightsFile, folder: Path, console: Console) -> Path:
    """Download a file of weights unless it is there; return where it is.

    What has arrived stands in `FILE.part` until all of it is there and is what was published. A download
    that was cut, by Ctrl-C too, goes on from there if the server can do that and still has the same file.

    Args:
        file: what to fetch.
        folder: where to; made if missing.
        console: takes the progress bar and what is said.

    Raises:
        WeightsError: it cannot be had, or is not what was published; says what to do.
    """
    path = folder / file.file_name
    if path.is_file():
        fault = fault_of(path, file)
        if fault:
            raise WeightsError(f"{path} {fault}. Remove it, then fetch it again.")
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _Part(path.with_name(f"{path.name}.part")) as part:
            with _progress(console) as progress:
                _Download(file, part, progress).run()
            fault = fault_of(part.path, file)
            if fault:
                part.remove()
                raise WeightsError(f"{file.url} {fault}. Nothing was kept.")
            rename(part.path, path)
            part.remove()
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(_explain(error, file, folder)) from error
    return path


class _Part:
    """What has arrived of a file, which version of it that is, and the right to add to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._etag = path.with_name(f"{path.name}.etag")

    def __enter__(self) -> _Part:
        self.stream = self.path.open("ab")
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.stream.close()
            raise WeightsError(f"another process is fetching {self.path}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.stream.tell()

    @property
    def etag(self) -> str:
        """What the server calls this version of the file; empty if it does not say."""
        return self._etag.read_text(encoding="utf-8") if self._etag.is_file() else ""

    def begin(self, etag: str) -> None:
        """Drop what is there, for a new beginning."""
        self.stream.seek(0)
        self.stream.truncate()
        # A weak tag promises the same meaning, not the same bytes.
        self._etag.write_text("" if etag.startswith("W/") else etag, encoding="utf-8")

    def remove(self) -> None:
        """Leave nothing on disk."""
        forget(self.path)
        for path in (self.path, self._etag):
            path.unlink(missing_ok=True)


class _Download:
    """Brings one part to its end."""

    def __init__(self, file: WeightsFile, part: _Part, progress: Progress) -> None:
        self._file = file
        self._part = part
        self._progress = progress
        self._bar = progress.add_task(file.file_name, total=file.size_bytes)

    def run(self) -> None:
        """Download what is missing; after a cut go on, as long as each attempt brings more."""
        while self._file.size_bytes is None or self._part.size != self._file.size_bytes:
            before = self._part.size
            try:
                self._attempt()
            except (ConnectionError, TimeoutError, http.client.HTTPException):
                if self._part.size <= before:
                    raise
            else:
                break
        self._part.stream.flush()

    def _attempt(self) -> None:
        headers = {"User-Agent": f"hooke/{version('hooke')}"}
        # Without a tag and a digest nobody would notice that the second half is of another file.
        if self._part.size and (self._part.etag or self._file.sha256):
            headers["Range"] = f"bytes={self._part.size}-"
            if self._part.etag:
                headers["If-Range"] = self._part.etag
        request = urllib.request.Request(self._file.url, headers=headers)  # noqa: S310  (our own constant)
        try:
            answer = urllib.request.urlopen(request, timeout=_SILENCE_S)  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not self._part.size:
                raise
            self._part.begin("")  # more is there than the server has
            self._attempt()
            return
        with answer:
            if answer.status != HTTPStatus.PARTIAL_CONTENT:
                self._part.begin(answer.headers.get("ETag", ""))
            self._take(answer)

    def _take(self, answer: http.client.HTTPResponse) -> None:
        length = answer.headers.get("Content-Length")
        total = self._part.size + int(length) if length else None
        wanted = self._file.size_bytes
        if None not in (total, wanted) and total != wanted:
            self._part.remove()
            raise WeightsError(
                f"{self._file.url} has {total:,} bytes instead of {wanted:,}. Nothing was kept."
            )
        if total and total - self._part.size > shutil.disk_usage(self._part.path.parent).free:
            raise OSError(errno.ENOSPC, "the disk is full")
        self._progress.update(self._bar, total=total, completed=self._part.size)
        while chunk := answer.read1(_CHUNK_BYTES):
            self._part.stream.write(chunk)
            self._progress.update(self._bar, completed=self._part.size)
        if total and self._part.size < total:
            raise ConnectionError(f"the connection was cut after {self._part.size:,} of {total:,} bytes")


def _progress(console: Console) -> Progress:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("{task.description}"), *columns, console=console)


def _explain(error: OSError | http.client.HTTPException, file: WeightsFile, folder: Path) -> str:
    """Say what kept a file from being fetched, and what to do."""
    again = "The same command goes on from where it stopped."
    if isinstance(error, urllib.error.HTTPError):
        return f"{file.url} cannot be fetched: {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"{file.url} cannot be reached: {error.reason}. Without a network, copy it to {folder}."
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{folder} has no room for {file.file_name}. {again}"
    if isinstance(error, ConnectionError | TimeoutError | http.client.HTTPException):
        return f"{file.url}: {error}. {again}"
    return f"{folder} cannot take {file.file_name}: {error}"
