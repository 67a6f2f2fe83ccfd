"""An evaluation as `hooke evaluate` follows it: its progress, and what is to be known meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence

import typer
from rich.progress import Progress, TaskID

from hooke import AsyncClient
from hooke._steps import AWAY_S
from hooke.cli import gate
from hooke.cli.session import Session
from hooke.errors import HookeError
from hooke.types import Evaluation, TaskProgress

_SILENCE_S = 60.0
"""Longest time without a sign of progress where something has happened."""


async def follow(
    client: AsyncClient, session: Session, evaluation: Evaluation, bounds: Sequence[gate.Bound]
) -> Evaluation:
    """Show the progress of every task with every model until the evaluation has ended.

    Raises:
        typer.BadParameter: a bound names a task that the evaluation turns out not to have, which is stopped.
        UnavailableError: the server went away, and stayed away.
    """
    latest = evaluation
    checked = bool(evaluation.task_progress)  # of an earlier start, whose tasks need not be all of them
    said: set[str] = set()

    def lost(_error: HookeError) -> None:
        session.say(
            f"The connection to {session.address} is lost; waiting up to {AWAY_S / 60:.0f} minutes for it. "
            "The evaluation goes on at the server, as soon as that is back.",
            "bold yellow",
        )

    with session.progress() as progress:
        bars = _Bars(progress, session)
        async for latest in client.watch_evaluation(evaluation.evaluation_id, lost=lost):
            for line in () if latest.state.ended else latest.state_message.splitlines():
                if line not in said:
                    said.add(line)
                    session.say(line, "bold yellow")
            if latest.task_progress and not latest.state.ended and not checked:
                checked = True
                await _check(client, latest, bounds)
            bars.update(latest.task_progress)
    return latest


async def _check(client: AsyncClient, evaluation: Evaluation, bounds: Sequence[gate.Bound]) -> None:
    """Stop an evaluation whose figures could not pass, before it has cost much."""
    tasks = [each.task for each in evaluation.task_progress]
    for bound in gate.without_task(bounds, tasks):
        await client.cancel_evaluation(evaluation.evaluation_id)
        raise typer.BadParameter(
            f"there is no task {bound.task!r}; {gate.listed(tasks)}. "
            f"Evaluation {evaluation.evaluation_id} is stopped; mend the command to go on with it.",
            param_hint=bound.option,
        )


class _Bars:
    """One bar for each task and model.

    Where no terminal shows bars, a line for each that is complete, and one for all of them at every tenth, or
    every minute where a tenth takes longer.
    """

    def __init__(self, progress: Progress, session: Session) -> None:
        self._progress = progress
        self._session = session
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._complete: set[tuple[str, str]] = set()
        self._tenth = 0
        self._said_at = time.monotonic()

    def update(self, found: Sequence[TaskProgress]) -> None:
        """Show how far the evaluation has got."""
        for each in found:
            self._update(each)
        done = sum(each.done_count for each in found)
        counts = [each.sample_count for each in found]
        total = sum(count for count in counts if count is not None)
        tenth = 10 * done // total if total else 0
        now = time.monotonic()
        late = now - self._said_at > _SILENCE_S
        if self._progress.disable and 0 < done < total and (tenth != self._tenth or late):
            least = "at least " if None in counts else ""
            self._session.say(f"{done:,} of {least}{total:,} answers.")
            self._tenth, self._said_at = tenth, now

    def _update(self, found: TaskProgress) -> None:
        key = (found.task, found.model)
        title = f"{found.task}, {found.model}"
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(title, total=found.sample_count, note="")
        note = f"{found.failed_count} failed" if found.failed_count else ""
        self._progress.update(
            self._bars[key], total=found.sample_count, completed=found.done_count, note=note
        )
        if found.done_count == found.sample_count and key not in self._complete:
            self._complete.add(key)
            if self._progress.disable:
                self._session.say(f"{title}: {found.done_count} answers{note and ', '}{note}.")
