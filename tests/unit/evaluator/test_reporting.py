from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import pytest

from evaluator.reporting import FOLDER, zip_report
from evaluator.runs import RunSpec
from evaluator.store import RunStore
from hooke.errors import InvalidRequestError
from hooke.types import EvaluationState

WAIT_S = 10


class _Removing(BytesIO):
    """An archive during whose writing a folder is removed."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def write(self, data: object) -> int:
        shutil.rmtree(self._folder, ignore_errors=True)
        return super().write(data)  # type: ignore[arg-type]


# A report that a resumed run removes while it is packed is refused with the reason.
def test_report_removed_while_packed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.create("run", RunSpec("r"), "s").result(WAIT_S)
    store.set_state("run", EvaluationState.SUCCEEDED).result(WAIT_S)
    run = store.get("run")
    assert run is not None
    folder = store.folder("run") / FOLDER
    folder.mkdir(parents=True)
    for name in ("index.html", "report.json"):
        (folder / name).write_text("{}")
    zip_report(store, run, BytesIO())
    with pytest.raises(InvalidRequestError, match="running again") as refused:
        zip_report(store, run, _Removing(folder))
    assert [violation.field for violation in refused.value.violations] == ["report_format"]
    store.close()
