"""`hooke models`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import typer
from rich.table import Table
from rich.text import Text

from hooke.cli import options
from hooke.cli.session import Session
from hooke.types import ModelInfo, Task


def models(context: typer.Context, address: options.Address = None, as_json: options.AsJson = False) -> None:
    """List the models, with what they can be asked, what keeps them from it, and where images go.

    \b
    Examples:
      hooke models
      hooke --address gateway.lab:50051 models --json
    """
    session = options.session_of(context, address, as_json)
    with session.reporting():
        found = asyncio.run(_list(session))
        session.show(found, table_of(found))


async def _list(session: Session) -> tuple[ModelInfo, ...]:
    async with session.client() as client:
        await client.serving(timeout_s=session.connect_s)
        return await client.models()


def table_of(models: Iterable[ModelInfo]) -> Table:
    """Return the models as a table."""
    table = Table("Name", "Version", "State", "Tasks", "Device", "Images", "Licence", "Description")
    for model in models:
        licences = dict.fromkeys(filter(None, (model.licences.code, model.licences.weights)))
        table.add_row(
            model.name,
            model.version,
            Text(f"{model.state}: {model.state_message}" if model.state_message else model.state),
            ", ".join(
                f"{task} (by examples)" if task is Task.CLASSIFY and model.examples_required else task
                for task in sorted(model.tasks)
            ),
            model.device,
            _images_of(model),
            ", ".join(licences),
            model.description,
        )
    return table


def _images_of(model: ModelInfo) -> str:
    """Where images go. A model without tasks was never seen, so nothing is known of it."""
    if not model.tasks:
        return "unknown"
    return "leave for a provider" if model.remote else "stay"
