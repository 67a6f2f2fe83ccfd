"""Where a checkpoint is on disk, and how it gets there from the Hugging Face Hub."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console

from runtime.settings import PREFIX
from runtime.weights import WeightsError, sha256_of
from services.llava.settings import LlavaSettings

KNOWN_COMMITS = {"llava-hf/llava-1.5-7b-hf": "b234b804b114d9e37bb655e11cbbb5f5e971b7a9"}
"""Commits of the Hub that are fetched where nobody says which, by id of the checkpoint."""

_FILES = ("*.json", "*.jinja", "*.safetensors", "*.model", "*.txt", "README.md", "LICENSE*")
"""What a checkpoint is made of; weights only in the format that cannot hold code."""
_ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def command(settings: LlavaSettings) -> str:
    """The command that fetches the checkpoint of these settings, or an example where it names a folder."""
    name = settings.llava_checkpoint
    name = _with_revision(name, settings) if _ID.fullmatch(name) else "llava-hf/llava-1.5-7b-hf"
    return f"python -m services.llava fetch {name}"


def find(settings: LlavaSettings) -> Path:
    """Return the folder of the checkpoint, fetched first if it is missing and the settings allow that.

    Raises:
        WeightsError: it is not there; says how to get it.
    """
    folder = settings.weights_dir / settings.llava_checkpoint  # an absolute path stays what it is
    if (folder / "config.json").is_file():
        return folder
    if settings.weights_download and _ID.fullmatch(settings.llava_checkpoint):
        name = _with_revision(settings.llava_checkpoint, settings)
        return fetch(name, settings.weights_dir, Console(file=sys.stderr))
    raise WeightsError(
        f"{folder} is not there, or is no checkpoint: it has no config.json. Get it with:\n"
        f"  {command(settings)}\n"
        f"{PREFIX}WEIGHTS_DIR names the folder of all weights, {PREFIX}LLAVA_CHECKPOINT the one in it; "
        f"{PREFIX}WEIGHTS_DOWNLOAD=true fetches at the start."
    )


def fetch(name: str, folder: Path, console: Console) -> Path:
    """Download a checkpoint from the Hugging Face Hub, on from where it was cut, and check its digests.

    Prints the path.

    NAME is the id of a checkpoint, with a commit, tag or branch after @ if it shall be that one:
      llava-hf/llava-1.5-7b-hf                  14 GB  Llama 2 Community License; the paper's model
      llava-hf/llava-v1.6-mistral-7b-hf         15 GB  Apache-2.0
      llava-hf/llava-onevision-qwen2-7b-ov-hf   16 GB  Apache-2.0

    Example:
      python -m services.llava fetch llava-hf/llava-1.5-7b-hf --dir /data/weights
    """
    import httpx2  # noqa: PLC0415  # what huggingface_hub fetches with; both only where something is fetched
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415

    match = _ID.fullmatch(name)
    if match is None:
        raise WeightsError(f"{name!r} is no id of a checkpoint, such as llava-hf/llava-1.5-7b-hf")
    repository = match["id"]
    target = folder / repository
    try:
        info = HfApi().model_info(
            repository, revision=match["revision"] or KNOWN_COMMITS.get(repository), files_metadata=True
        )
        console.print(f"{repository} at commit {info.sha}")
        snapshot_download(repository, revision=info.sha, local_dir=target, allow_patterns=list(_FILES))
    except (OSError, ValueError, httpx2.HTTPError) as error:
        raise WeightsError(f"{name} cannot be fetched: {error}") from error
    published = {file.rfilename: file.lfs.sha256 for file in info.siblings or () if file.lfs}
    for path in (target / file_name for file_name in published):
        if path.is_file() and sha256_of(path) != published[str(path.relative_to(target))]:
            path.unlink()
            raise WeightsError(f"{path} was not what was published, and is removed. Fetch it again.")
    return target


def commit_of(folder: Path) -> str:
    """The commit that a checkpoint was fetched from; empty if nothing says so."""
    record = folder / ".cache" / "huggingface" / "download" / "config.json.metadata"
    lines = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
    return lines[0] if lines else ""


def _with_revision(name: str, settings: LlavaSettings) -> str:
    return f"{name}@{settings.llava_revision}" if settings.llava_revision else name
