"""Where the figures of a run come from: everything that would have to be the same to get them again."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evaluator.datasets.basis import NamedPartsSpec
from evaluator.datasets.specs import SimulatedSpec
from evaluator.journal import shallow
from evaluator.metrics.intervals import SEED
from evaluator.preparing import OpenTask
from evaluator.runs import KnownSample, RunRecord, RunSpec, TaskRecord
from evaluator.store import RunStore
from evaluator.suites import Suite
from hooke.types import ModelInfo

_PACKAGES = (
    "hooke",
    "grpcio",
    "imagecodecs",
    "numpy",
    "pillow",
    "protobuf",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "tifffile",
)
"""What reads images, draws, compares and computes intervals."""

_GIT_TIMEOUT_S = 10


def code() -> dict[str, Any]:
    """The code that runs here; the commit is None outside of a git checkout of it."""
    # A library folder may lie in the checkout of something else, which does not track this file.
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    return {
        "git_commit": _git("rev-parse", "HEAD") if tracked else None,
        "git_dirty": _dirty() if tracked else None,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _model(info: ModelInfo) -> dict[str, Any]:
    """What the gateway says of a model."""
    return {
        "version": info.version,
        "weights_digest": info.weights_digest,
        "code_version": info.code_version,
        "device": info.device,
        "description": info.description,
        "licences": {
            "code": info.licences.code,
            "weights": info.licences.weights,
            "training_data": info.licences.training_data,
        },
    }


def _request(spec: RunSpec) -> dict[str, Any]:
    """What was asked for beside suite and models; limits only where there are any."""
    always = {"request_id", "data_dir", "sample_limit"}
    usual = shallow(RunSpec(spec.request_id, spec.suite_name, spec.suite_yaml, spec.models))
    said = shallow(spec).items()
    return {name: value for name, value in said if name in always or value != usual[name]}


def of_run(
    run: RunRecord,
    suite: Suite,
    data_dir: Path | None,
    opened: Sequence[OpenTask],
    infos: Iterable[ModelInfo],
    gateway: str,
) -> dict[str, Any]:
    """What is known of a run before it sends anything.

    Args:
        run: with the provenance of the time when it was last taken up, if it was.
        suite: its suite.
        data_dir: the folder that it reads.
        opened: its tasks.
        infos: the models that take part.
        gateway: the address that they are reached through.
    """
    this = code()
    part = {
        "start_time": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": this["git_commit"],
        "git_dirty": this["git_dirty"],
    }
    return {
        "models": run.provenance.get("models", {}) | {info.name: _model(info) for info in infos},
        "data_dir": None if data_dir is None else str(data_dir),
        "datasets": {task.spec.name: of_dataset(task) for task in opened},
        "suite": {"name": suite.name, "sha256": suite.digest},
        "tasks": {task.name: task.digest for task in suite.tasks},
        "seeds": {
            "intervals": SEED,
            **{
                task.name: task.dataset.seed
                for task in suite.tasks
                if isinstance(task.dataset, SimulatedSpec)
            },
            **{
                f"{task.name}, faults": {spec.kind: spec.seed for spec in task.corruption}
                for task in suite.tasks
                if task.corruption
            },
        },
        "request": _request(run.spec),
        "gateway": gateway,
        "code": this,
        "parts": [*run.provenance.get("parts", []), part],
    }


def of_dataset(task: OpenTask) -> dict[str, Any]:
    """What is known of a dataset before it is read.

    Of examples it says what they and the test samples do not share: what the suite names as cluster, or only
    the picture itself, since nothing tells whether two pictures come from one patient or slide.
    """
    known: dict[str, Any] = {"name": task.dataset.name, "listed_count": len(task.dataset)}
    if task.tuned:
        known["tuned_on"] = {
            model: {"count": len(sample_ids), "sha256": ids_digest(sample_ids)}
            for model, sample_ids in task.tuned.items()
        }
    if not task.examples:
        return known
    cluster = task.spec.dataset.cluster if isinstance(task.spec.dataset, NamedPartsSpec) else None
    return {**known, "examples": {"count": len(task.examples), "not_shared": cluster or "picture"}}


def of_datasets(store: RunStore, tasks: Sequence[TaskRecord], before: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of a run with what was seen of its datasets."""
    seen = {}
    for task in tasks:
        seen[task.name] = {
            **before["datasets"][task.name],
            "sample_count": store.count_samples(task),
            "manifest_sha256": manifest_digest(store.iter_known_samples(task)),
        }
    return {**before, "datasets": seen}


def manifest_digest(samples: Iterable[KnownSample]) -> str:
    """SHA-256 over the ids and the truths of a dataset's samples, in its order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.sample_id} {sample.truth_digest}\n".encode())
    return digest.hexdigest()


def ids_digest(sample_ids: Iterable[str]) -> str:
    """SHA-256 of a set of samples."""
    return hashlib.sha256("\n".join(sorted(sample_ids)).encode()).hexdigest()


def code_tag(code: Mapping[str, Any], opened: Sequence[OpenTask]) -> str:
    """A short name of the code and of all that decides on scores beside answers and truth.

    By it is told what it computed from what other code did. Code that was changed by hand has another name
    each time: nobody knows what it was before.
    """
    tuned = {
        task.spec.name: {model: ids_digest(sample_ids) for model, sample_ids in task.tuned.items()}
        for task in opened
    }
    read = [task.spec.model_dump_json(include={"name", "filters", "metrics"}) for task in opened]
    text = json.dumps([code, tuned, read], sort_keys=True)
    if code["git_dirty"]:
        text += uuid.uuid4().hex
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _dirty() -> bool | None:
    status = _git("status", "--porcelain", "--untracked-files=no")
    return None if status is None else bool(status)


def _git(*arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    folder = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603  (fixed arguments)
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
