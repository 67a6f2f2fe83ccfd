"""Files of weights on disk."""

import hashlib
import os
from pathlib import Path

import pytest

from runtime.weights import WeightsError, WeightsFile, find_weights, sha256_of

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def described(**changes: object) -> WeightsFile:
    values = {"size_bytes": len(CONTENT), "sha256": DIGEST, **changes}
    return WeightsFile("tiny", "tiny.pth", "http://127.0.0.1:9/tiny.pth", licence="Apache-2.0", **values)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pth"
    path.write_bytes(CONTENT)
    return path


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file by one that says it was changed a second later."""
    stat = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


# The published file is found.
def test_found(path: Path) -> None:
    assert find_weights(path.parent, described(), "sam") == path


# A missing file is an error that names it and the command that fetches it.
def test_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        find_weights(tmp_path, described(), "sam")
    assert str(tmp_path / "tiny.pth") in str(caught.value)
    assert "python -m services.sam fetch tiny" in str(caught.value)


# A file that is not the published one is refused, whether its size is another one or only its content, at
# every start, and the error says what it is.
@pytest.mark.parametrize(("content", "said"), [(CONTENT[:-1], "bytes"), (CONTENT[:-1] + b"S", "SHA-256")])
def test_wrong(path: Path, content: bytes, said: str) -> None:
    find_weights(path.parent, described(), "sam")
    rewrite(path, content)
    for _ in range(2):
        with pytest.raises(WeightsError, match=said):
            find_weights(path.parent, described(), "sam")


# Where no digest is published, the file that was seen first is the one that is accepted from then on.
def test_digest_of_the_first(path: Path) -> None:
    file = described(size_bytes=None, sha256=None)
    find_weights(path.parent, file, "cellpose")
    find_weights(path.parent, file, "cellpose")
    rewrite(path, b"others")
    for _ in range(2):
        with pytest.raises(WeightsError, match="fetched first"):
            find_weights(path.parent, file, "cellpose")


# The digest is remembered beside the file, in a form that sha256sum checks, and computed again only if the
# file looks changed.
def test_remembered(path: Path) -> None:
    assert sha256_of(path) == DIGEST
    beside = path.with_name("tiny.pth.sha256")
    assert beside.read_text().splitlines()[-1] == f"{DIGEST}  tiny.pth"
    stat = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert sha256_of(path) == DIGEST  # size and time are the same: not read
    rewrite(path, b"others")
    assert sha256_of(path) == hashlib.sha256(b"others").hexdigest()


# What is remembered is no more than a saving of time: garbage there is replaced.
def test_garbage_beside(path: Path) -> None:
    path.with_name("tiny.pth.sha256").write_bytes(b"\xff garbage")
    assert sha256_of(path) == DIGEST
    assert DIGEST in path.with_name("tiny.pth.sha256").read_text()


# A folder that nothing can be written to, as a mounted volume, serves as well.
def test_read_only_folder(path: Path) -> None:
    path.with_name("tiny.pth.sha256").mkdir()  # root may write anywhere, but not to a folder
    assert find_weights(path.parent, described(), "sam") == path
    assert sha256_of(path) == DIGEST
