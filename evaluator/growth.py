"""How an evaluation may grow when it is created again with the same request id."""

from __future__ import annotations

from evaluator.preparing import suite_of
from evaluator.runs import RunRecord, RunSpec
from hooke.errors import InvalidRequestError


def check_growth(run: RunRecord, wanted: RunSpec) -> None:
    """Check that everything that a run has stays in it, and stays true.

    Models and tasks may be added, the limit of samples raised or left out, and all that says how to ask, not
    what, changed. Descriptions, headlines and filters of tasks may change as well, and samples be named that
    models were tuned on, as long as a task asks the same under the same name.

    Args:
        run: what there is.
        wanted: what is asked for now, valid.

    Raises:
        InvalidRequestError: names the field that is less than before, or something else.
    """
    before = run.spec
    if wanted.data_dir != before.data_dir:
        raise _other("data_dir", f"it was created with {before.data_dir!r}")
    if wanted.sample_limit is not None:
        if before.sample_limit is None:
            raise _other("sample_limit", "it has all samples; leave the limit out")
        if wanted.sample_limit < before.sample_limit:
            raise _other("sample_limit", f"it has {before.sample_limit} of each task already")
    suite = suite_of(wanted)
    if suite.name != run.suite_name:
        raise _other("suite", f"it is of the suite {run.suite_name!r}")
    digests = {task.name: task.digest for task in suite.tasks}
    for name, digest in _digests(run).items():
        if name not in digests:
            raise _other("suite.tasks", f"it has the task {name!r}, which is missing here")
        if digests[name] != digest:
            raise _other("suite.tasks", f"its task {name!r} asks something else")
    tuned = {task.name: set(task.tuned_on) for task in suite.tasks}
    for task in suite_of(before).tasks:
        if not set(task.tuned_on) <= tuned.get(task.name, set()):
            raise _other(
                "suite.tasks", f"what its task {task.name!r} was tuned on stays so; name it here, too"
            )
    imported = {table.model for task in suite.tasks for table in task.imported}
    missing = [name for name in run.models if name not in imported and name not in wanted.models]
    if wanted.models and missing:
        raise _other("models", f"it has the model {missing[0]!r}, which is missing here")


def _digests(run: RunRecord) -> dict[str, str]:
    """Name -> digest of the tasks of a run, as they were when it was last taken up."""
    known: dict[str, str] = run.provenance.get("tasks", {})
    return known or {task.name: task.digest for task in suite_of(run.spec).tasks}


def _other(field: str, how: str) -> InvalidRequestError:
    text = f"the evaluation of this request_id can grow, not change: {how}. Choose another request_id"
    return InvalidRequestError.of_field(field, text)
