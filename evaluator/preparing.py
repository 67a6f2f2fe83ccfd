"""From what was asked for to what can be run: suite, data folder, datasets, models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.asking import MODEL_TASKS
from evaluator.datasets import Dataset, open_dataset
from evaluator.datasets.basis import FolderSpec
from evaluator.datasets.copies import refuse_copies
from evaluator.datasets.corrupted import corrupted
from evaluator.imports import Imported, read_imported
from evaluator.runs import RunSpec
from evaluator.suites import Suite, TaskSpec, builtin_suite, load_suite
from hooke.errors import FieldViolation, InvalidRequestError
from hooke.types import ModelInfo, ModelState

_DATA_ROOT = "HOOKE_EVALUATOR_DATA_ROOT"
_DATA_DIR = "`make up` and compose set it from HOOKE_DATA_DIR"


@dataclass(frozen=True, slots=True, eq=False)
class OpenTask:
    """A task that can be run.

    Attributes:
        dataset: listed.
        examples: labelled images that the models may look at.
        imported: predictions that were made elsewhere.
        tuned: model -> ids of the samples that it was tuned on, see `evaluator.tuning`.
    """

    spec: TaskSpec
    dataset: Dataset
    examples: tuple[tuple[bytes, str], ...]
    imported: tuple[Imported, ...] = ()
    tuned: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def answer_count(self) -> int:
        """Answers that a model is asked for."""
        return self.spec.repeats * len(self.dataset)


def suite_of(spec: RunSpec) -> Suite:
    """Read the suite of a run.

    Raises:
        InvalidRequestError: there is none of that name, or it is not valid; names every faulty field.
    """
    suite = builtin_suite(spec.suite_name) if spec.suite_name else load_suite(spec.suite_yaml)
    names: dict[str, str] = {}
    for index, task in enumerate(suite.tasks):
        first = names.setdefault(task.digest, task.name)
        if first != task.name:
            raise InvalidRequestError.of_field(
                f"suite.tasks[{index}]", f"asks the same as the task {first!r}; ask it once"
            )
    return suite


def data_dir_of(spec: RunSpec, suite: Suite, data_root: Path | None) -> Path | None:
    """Find the data folder of a run; None if the suite needs none.

    Args:
        spec: what was asked for.
        suite: its suite.
        data_root: the folder that everything must lie under, after symbolic links; None: there is no data.

    Raises:
        InvalidRequestError: it is missing, or lies elsewhere; or folders of tasks do, each of which is named.
    """
    folders = {
        index: (task.name, task.dataset.folder)
        for index, task in enumerate(suite.tasks)
        if isinstance(task.dataset, FolderSpec)
    }
    if not folders and not spec.data_dir:
        return None
    if data_root is None:
        raise InvalidRequestError.of_field(
            "data_dir", f"this evaluator reads no folders: start it with {_DATA_ROOT} set ({_DATA_DIR})"
        )
    root = data_root.resolve()
    data_dir = root / spec.data_dir
    if fault := _fault(root, data_dir):
        raise InvalidRequestError.of_field("data_dir", f"{fault}; {_named(root)}")
    violations = [
        FieldViolation(f"suite.tasks[{index}].dataset.folder", f"{task!r}: {fault}")
        for index, (task, folder) in folders.items()
        if (fault := _fault(root, data_dir / folder))
    ]
    if violations:
        raise InvalidRequestError(_without_folders(suite, root, violations), violations=violations)
    return data_dir.resolve()


def open_task(task: TaskSpec, data_dir: Path | None, limit: int | None) -> OpenTask:
    """List the dataset of a task and read its examples.

    Args:
        task: the task.
        data_dir: where its folder lies.
        limit: most images; each of them comes with all its faults.

    Raises:
        InvalidRequestError: the folder does not hold what the suite says, or an example is tested, too.
    """
    dataset = open_dataset(task.dataset, data_dir, task.kind, limit)
    refuse_copies(dataset)
    if task.corruption:
        dataset = corrupted(dataset, task.corruption)
    examples = tuple((sample.image, str(sample.truth.label)) for sample in dataset.examples())
    return OpenTask(task, dataset, examples, read_imported(task, data_dir))


def check_known(suite: Suite, wanted: Iterable[str], known: Mapping[str, ModelInfo]) -> None:
    """Check that the gateway has each model that is wanted or was tuned, or the suite imports it.

    Raises:
        InvalidRequestError: one is neither there nor imported, in which case those that are there are named;
            or the suite imports one under the name of one that is there, or says that one was tuned which is
            neither.
    """
    imported = {spec.model for task in suite.tasks for spec in task.imported}
    taken = sorted(imported & known.keys())
    if taken:
        raise InvalidRequestError.of_field(
            "suite", f"imports predictions of {taken[0]!r}, a model of the gateway; name them otherwise"
        )
    tuned = {name for task in suite.tasks for spec in task.tuned_on for name in spec.models}
    stray = sorted(tuned - imported - known.keys())
    if stray:  # a slip here would leave nothing out, and nobody would notice
        raise InvalidRequestError.of_field(
            "suite", f"tuned_on names {stray[0]!r}, which is not imported; the gateway has {_listed(known)}"
        )
    unknown = [name for name in wanted if name not in known and name not in imported]
    if unknown:
        raise InvalidRequestError.of_field(
            "models", f"{unknown[0]!r} is unknown; the gateway has {_listed(known)}"
        )


def models_of(
    suite: Suite, wanted: Sequence[str], known: Mapping[str, ModelInfo]
) -> Mapping[str, tuple[str, ...]]:
    """Choose the models of each task: task -> names. Those that are imported are always among them.

    Args:
        suite: the tasks.
        wanted: names; empty: every model that does not say that it is unavailable.
        known: name -> what the gateway says.

    Raises:
        InvalidRequestError: a model is not known or can do none of the tasks, or a task has no model.
    """
    check_known(suite, wanted, known)
    if wanted:
        names = [name for name in wanted if name in known]
    else:  # a route whose service nobody started is no reason to wait for it
        names = sorted(name for name, info in known.items() if info.state is not ModelState.UNAVAILABLE)
    chosen = {
        task.name: (
            *(name for name in names if _can(known[name], task)),
            *(spec.model for spec in task.imported),
        )
        for task in suite.tasks
    }
    for task in suite.tasks:
        if not chosen[task.name]:
            away = "" if wanted or len(names) == len(known) else "; others do not run"
            raise InvalidRequestError.of_field(
                "models", f"none of {_listed(names)} can do the task {task.name!r}{away}"
            )
    idle = [name for name in wanted if not any(name in models for models in chosen.values())]
    if idle:
        raise InvalidRequestError.of_field("models", f"{idle[0]!r} can do none of the suite's tasks")
    return chosen


def notes_of(data_dir: Path | None, infos: Iterable[ModelInfo] = ()) -> str:
    """What a person should know of a run from its start on, a line each: its folder, models not ready."""
    data = "" if data_dir is None else f"Data: {data_dir}"
    return "\n".join(filter(None, (data, _not_ready(infos))))


def _can(info: ModelInfo, task: TaskSpec) -> bool:
    if not task.dataset.has_images:
        return False
    silent = info.state is not ModelState.READY and not info.tasks  # it will say once it is up
    return silent or MODEL_TASKS[task.kind] in info.tasks


def _not_ready(infos: Iterable[ModelInfo]) -> str:
    """What keeps models from answering and how to mend it, for a person; empty if all are ready."""
    found = [
        f"{info.name} does not answer now ({info.state_message or info.state})."
        for info in infos
        if info.state is not ModelState.READY
    ]
    if not found:
        return ""
    return " ".join([*found, "Unless that changes their samples fail; the same request asks them again."])


def _fault(root: Path, path: Path) -> str:
    """What keeps a folder from being read; empty if nothing does. Tells nothing of what lies elsewhere."""
    try:
        resolved = path.resolve()
        inside, there = resolved.is_relative_to(root), resolved.is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, links in a circle
        return "is no path of a folder"
    if not inside:
        return "must lie under the data folder"
    return "" if there else f"no folder {resolved}"


def _named(root: Path) -> str:
    return f"the data folder is {root} ({_DATA_ROOT}; {_DATA_DIR})"


def _without_folders(suite: Suite, root: Path, violations: Sequence[FieldViolation]) -> str:
    """What can be done, then what is missing: the end of a long message is cut, its violations remain."""
    told = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    needs = f"The suite says: {suite.description.strip()} " if suite.description else ""
    return (
        f"the suite {suite.name!r} needs folders that are not there. Bring them, name the folder that they "
        "lie in (data_dir, --data), or leave their tasks out of a copy of the suite; "
        f"{_named(root)}. {needs}Missing: {told}"
    )


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
