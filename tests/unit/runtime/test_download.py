"""Fetching weights from a real HTTP server."""

import hashlib
import io
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from runtime.download import fetch, weights_for
from runtime.settings import TorchServerSettings
from runtime.weights import WeightsError, WeightsFile, find_weights
from tests.file_server import FileServer, serving_file

ROOT = Path(__file__).parents[3]
CONTENT = bytes(range(256)) * 10_000
HALF = len(CONTENT) // 2


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving_file(CONTENT) as server:
        yield server


@pytest.fixture
def file(server: FileServer) -> WeightsFile:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return WeightsFile("tiny", "tiny.pth", server.url, len(CONTENT), digest, "Apache-2.0")


def quiet() -> Console:
    return Console(file=io.StringIO())


def unpublished(file: WeightsFile) -> WeightsFile:
    """The same file, of which neither size nor digest is published."""
    return WeightsFile(file.name, file.file_name, file.url, None, None, file.licence)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# A fresh download makes the folder, and leaves the file and its digest there and nothing else.
def test_fresh(file: WeightsFile, tmp_path: Path) -> None:
    path = fetch(file, tmp_path / "new" / "weights", quiet())
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == {"tiny.pth", "tiny.pth.sha256"}
    assert find_weights(path.parent, file, "sam") == path


# What is there is not asked for again.
def test_already_there(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    fetch(file, tmp_path, quiet())
    fetch(file, tmp_path, quiet())
    assert server.asked == [None]


# A file under the final name that is another one is neither taken nor overwritten.
def test_another_file_is_there(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "tiny.pth").write_bytes(b"mine")
    with pytest.raises(WeightsError, match="Remove it"):
        fetch(file, tmp_path, quiet())
    assert (tmp_path / "tiny.pth").read_bytes() == b"mine"
    assert server.asked == []


# Where a connection is cut, the download goes on from there, several times if need be.
def test_goes_on_after_cuts(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    server.cuts = [1000, 2000]
    assert fetch(file, tmp_path, quiet()).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-", "bytes=3000-"]


# Attempts that bring nothing more end it; the same call later goes on from where it stopped.
def test_goes_on_later(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    server.cuts = [HALF, 0]
    with pytest.raises(WeightsError, match="goes on from where it stopped"):
        fetch(file, tmp_path, quiet())
    assert not (tmp_path / "tiny.pth").exists()
    assert fetch(file, tmp_path, quiet()).read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={HALF}-"


# Ctrl-C leaves what has arrived, and the next call goes on from there.
def test_interrupted(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    server.cuts, server.hang = [HALF], True
    program = f"""
import sys
from pathlib import Path
from rich.console import Console
from runtime.download import fetch
from runtime.weights import WeightsFile
fetch({file!r}, Path(sys.argv[1]), Console())
"""
    part = tmp_path / "tiny.pth.part"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        while not part.exists() or part.stat().st_size < HALF // 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors
    assert names(tmp_path) == {"tiny.pth.part", "tiny.pth.part.etag"}
    arrived = part.stat().st_size
    assert fetch(file, tmp_path, quiet()).read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={arrived}-"


# A server that cannot send the rest is asked for all of it.
def test_server_without_ranges(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts = [HALF]
    assert fetch(file, tmp_path, quiet()).read_bytes() == CONTENT


# A file that changed on the server meanwhile is begun again, also where its digest is not published.
def test_changed_meanwhile(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    server.cuts = [HALF, 0]
    with pytest.raises(WeightsError):
        fetch(unpublished(file), tmp_path, quiet())
    server.content, server.etag = CONTENT[::-1], '"v2"'
    assert fetch(unpublished(file), tmp_path, quiet()).read_bytes() == CONTENT[::-1]


# Where neither the server nor the publisher says which version a file is, halves are not put together.
def test_no_way_to_tell_versions(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    server.etag = ""
    server.cuts = [HALF]
    assert fetch(unpublished(file), tmp_path, quiet()).read_bytes() == CONTENT
    assert server.asked == [None, None]


# A part that is longer than the file is dropped.
def test_part_is_too_long(file: WeightsFile, tmp_path: Path) -> None:
    (tmp_path / "tiny.pth.part").write_bytes(CONTENT + b"more")
    assert fetch(file, tmp_path, quiet()).read_bytes() == CONTENT


# A part that is whole needs no server any more.
def test_part_is_whole(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "tiny.pth.part").write_bytes(CONTENT)
    assert fetch(file, tmp_path, quiet()).read_bytes() == CONTENT
    assert server.asked == []


# A file that is not what was published is refused, and nothing of it stays on disk.
@pytest.mark.parametrize(("content", "said"), [(CONTENT[::-1], "SHA-256"), (CONTENT[1:], "bytes instead of")])
def test_mismatch(file: WeightsFile, server: FileServer, tmp_path: Path, content: bytes, said: str) -> None:
    server.content = content
    with pytest.raises(WeightsError, match=said):
        fetch(file, tmp_path, quiet())
    assert names(tmp_path) == set()


# An error of the server is said with its number and the address.
def test_not_found(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(WeightsError, match="404") as caught:
        fetch(file, tmp_path, quiet())
    assert server.url in str(caught.value)


# Without a network the error says where a copy of the file may be put.
def test_no_network(tmp_path: Path) -> None:
    file = WeightsFile("tiny", "tiny.pth", "http://127.0.0.1:1/tiny.pth", None, None, "Apache-2.0")
    with pytest.raises(WeightsError, match=f"copy it to {tmp_path}"):
        fetch(file, tmp_path, quiet())


# A file that does not fit on the disk is not begun.
def test_disk_is_full(file: WeightsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(WeightsError, match="no room"):
        fetch(file, tmp_path, quiet())


# A folder that is none is named.
def test_no_folder(file: WeightsFile, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file")
    with pytest.raises(WeightsError, match=str(tmp_path / "weights")):
        fetch(file, tmp_path / "weights", quiet())


# Two downloads of one file do not write over each other: the second is told of the first.
def test_another_process(file: WeightsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)

    def while_it_runs(_: object) -> object:
        with pytest.raises(WeightsError, match="another process"):
            fetch(file, tmp_path, quiet())
        return usage

    monkeypatch.setattr(shutil, "disk_usage", while_it_runs)
    assert fetch(file, tmp_path, quiet()).read_bytes() == CONTENT


# A service downloads at its start only if its settings say so.
def test_at_the_start(file: WeightsFile, server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="HOOKE_WEIGHTS_DOWNLOAD"):
        weights_for(TorchServerSettings(weights_dir=tmp_path), file, "sam")
    assert server.asked == []
    path = weights_for(TorchServerSettings(weights_dir=tmp_path, weights_download=True), file, "sam")
    assert path.read_bytes() == CONTENT
