"""Many images through one client: bounded, with progress, and a failure of one leaves the others alone."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from hooke import AsyncClient
from hooke.cli.session import ExitCode, Session, describe, error_document, unreachable
from hooke.errors import HookeError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of one image: a value, or an error."""

    path: Path
    value: T | None = None
    error: HookeError | OSError | None = None

    def document(self) -> dict[str, object]:
        """Return the outcome as a program reads it."""
        if self.error is not None:
            return {"image": str(self.path), "error": error_document(self.error)}
        return {"image": str(self.path), "result": self.value}


def process(
    session: Session,
    paths: Sequence[Path],
    work: Callable[[AsyncClient, Path], Awaitable[T]],
    *,
    jobs: int,
    doing: str,
) -> list[Outcome[T]]:
    """Do some work for every image, and return what came of each in the same order.

    Once the server cannot be reached any more, the images that are left are not tried.

    Args:
        session: where to ask.
        paths: the images.
        work: what to do with one.
        jobs: how many at the same time.
        doing: for the progress display, for example "Counting".

    Raises:
        UnavailableError: there is no server.
    """
    return asyncio.run(_process(session, paths, work, jobs, doing))


async def _process(
    session: Session,
    paths: Sequence[Path],
    work: Callable[[AsyncClient, Path], Awaitable[T]],
    jobs: int,
    doing: str,
) -> list[Outcome[T]]:
    outcomes: dict[Path, Outcome[T]] = {}
    gone: list[HookeError] = []
    slots = asyncio.Semaphore(jobs)
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        with session.progress() as progress:
            bar = progress.add_task(doing, total=len(paths), note="")

            async def one(path: Path) -> None:
                async with slots:
                    if gone:
                        outcomes[path] = Outcome(path, error=gone[0])
                        return
                    try:
                        outcomes[path] = Outcome(path, await work(client, path))
                    except (HookeError, OSError) as error:
                        if isinstance(error, HookeError) and unreachable(error):
                            gone.append(error)
                        outcomes[path] = Outcome(path, error=error)
                    progress.advance(bar)

            async with asyncio.TaskGroup() as group:
                for path in paths:
                    group.create_task(one(path))
    return [outcomes[path] for path in paths]


def failures_of(session: Session, outcomes: Sequence[Outcome[T]]) -> ExitCode:
    """Say what failed, one line for each kind of failure, and return the exit code of the command."""
    failed: dict[str, list[Path]] = {}
    lost = False
    for outcome in outcomes:
        if outcome.error is not None:
            failed.setdefault(describe(outcome.error), []).append(outcome.path)
            lost = lost or (isinstance(outcome.error, HookeError) and unreachable(outcome.error))
    if not failed:
        return ExitCode.OK
    for text, paths in failed.items():
        others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        session.say(f"{paths[0]}{others}: {text.removeprefix(f'{paths[0]}: ')}", "red")
    session.say(f"{sum(map(len, failed.values()))} of {len(outcomes)} images failed.", "bold red")
    return ExitCode.UNREACHABLE if lost else ExitCode.FAILED


def write_rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
