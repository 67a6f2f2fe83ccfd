"""What `hooke evaluate` orders."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from hooke import AsyncClient
from hooke.types import Evaluation, EvaluationLimits


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be evaluated, and what that may take."""

    suite_name: str | None
    suite_yaml: str | None
    data_dir: str
    models: tuple[str, ...]
    sample_limit: int | None
    limits: EvaluationLimits | None = None
    reuse_answers: bool = True

    def request(self, request_id: str) -> dict[str, Any]:
        """Return what the client's methods take."""
        return {
            "suite_name": self.suite_name,
            "suite_yaml": self.suite_yaml,
            "models": self.models,
            "data_dir": self.data_dir,
            "sample_limit": self.sample_limit,
            "limits": self.limits,
            "reuse_answers": self.reuse_answers,
            "request_id": request_id,
        }

    def request_id(self) -> str:
        """Return an id that is the same for the same order, so that repeating a command resumes its work.

        What the evaluation may take is no part of it: with other limits the work goes on.
        """
        content = [self.suite_name, self.suite_yaml, self.data_dir, sorted(self.models), self.sample_limit]
        return f"cli-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]}"


def order_of(suite: str, data: str | None, models: Sequence[str], limit: int | None) -> Order:
    """Read what the options name.

    Raises:
        typer.BadParameter: the suite is a file that cannot be read.
    """
    path = Path(suite).expanduser()
    is_file = path.is_file()
    if not is_file and (path.suffix.lower() in (".yaml", ".yml") or len(path.parts) > 1):
        raise typer.BadParameter(f"there is no file {suite}.", param_hint="SUITE")
    try:
        suite_yaml = path.read_text(encoding="utf-8") if is_file else None
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{suite} cannot be read as text: {error}.", param_hint="SUITE") from error
    if data is not None and Path(data).expanduser().exists():
        data = str(Path(data).expanduser().resolve())
    return Order(
        suite_name=None if is_file else suite,
        suite_yaml=suite_yaml,
        data_dir=data or "",
        models=tuple(models),
        sample_limit=limit,
    )


async def request_id_of(
    client: AsyncClient, order: Order, *, new: bool, add_to: str | None
) -> tuple[str, Evaluation | None]:
    """The request id of the evaluation to start, take up or add to, and that evaluation if it is there."""
    if add_to is not None:
        there = await client.evaluation(add_to)
        return there.request_id, there
    request_id = order.request_id()
    if new:
        return f"{request_id}-new-{uuid.uuid4().hex[:8]}", None
    async for each in client.evaluations():
        if each.request_id.partition("-new-")[0] == request_id:
            return each.request_id, each
    return request_id, None
